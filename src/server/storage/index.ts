/** What is kept and how: the versioned engine, the write-ahead log, snapshot files, the data directory. */

export {
  DataDir,
  type DataDirPurpose,
  type EngineKind,
  type MemberIdentity,
  type MemberPaths,
} from "./data-dir.ts";
export * from "./disk-database.ts";
export { DiskEngine, type EngineSeal, type SideChange } from "./disk-engine.ts";
export * from "./engine.ts";
export * from "./memory-engine.ts";
export { assertRocksModule, openRocksDatabase } from "./rocks-database.ts";
export { readBlocks } from "./snapshot-file.ts";
export { type SnapshotFormat, type SnapshotHeader, snapshotFormat } from "./snapshot-layout.ts";
export { FileSnapshotStore, type SnapshotStoreOptions } from "./snapshot-store.ts";
export {
  encodeSnapshot,
  readSnapshot,
  type SnapshotContent,
  type SnapshotSummary,
} from "./snapshot-stream.ts";
export { Wal } from "./wal.ts";
export { createWal, type OpenedWal, openWal } from "./wal-open.ts";
export type { WalBatch, WalOptions, WalStats, WalSync } from "./wal-types.ts";
