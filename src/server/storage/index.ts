/** What is kept and how: the versioned engine, the write-ahead log, snapshot files, the data directory. */
export * from "./engine.ts";
export * from "./memory-engine.ts";
