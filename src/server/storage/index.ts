/** What is kept and how: the versioned engine, the write-ahead log, snapshot files, the data directory. */
export * from "./engine.ts";
export * from "./memory-engine.ts";
export { Wal } from "./wal.ts";
export { createWal, type OpenedWal, openWal } from "./wal-open.ts";
export type { WalBatch, WalOptions, WalStats, WalSync } from "./wal-types.ts";
