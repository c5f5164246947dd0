/** Pure consensus: state in, messages out; no I/O, no clock. */
export * from "./conf-change.ts";
export { MemoryLog, type StableLog } from "./memory-log.ts";
export type { RaftConfig } from "./raft.ts";
export { RawNode } from "./raw-node.ts";
export * from "./types.ts";
