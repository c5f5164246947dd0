/** The member's loop: proposals and reads in, raft and the log in the middle, applied state out. */
export { type AutoCompactionPolicy, AutoCompactor } from "./auto-compactor.ts";
export { DurableState } from "./durable-state.ts";
export { MemberNode, type NodeOptions } from "./node.ts";
export * from "./peers.ts";
export { QuotaKeeper } from "./quota-keeper.ts";
export type { SnapshotLog, SnapshotStore } from "./snapshotter.ts";
export * from "./types.ts";
