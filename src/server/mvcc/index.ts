/** Multi-version store: revisions, transactions, watch, compaction, hashes. */

export type { CompactionHash, CompactionObserver } from "./compaction.ts";
export type { OperationCounts } from "./operation-counts.ts";
export * from "./quota-cost.ts";
export { putRecord, tombstoneRecord } from "./record.ts";
export * from "./request-rules.ts";
export { FIRST_REVISION, NEVER_COMPACTED } from "./revision.ts";
export * from "./store.ts";
export { areKeysNow, wantsOfDeleteRange, wantsOfKeys, wantsOfPut, wantsOfTxn } from "./touched.ts";
export * from "./types.ts";
export { type CatchUpLimits, watchCatchUpLimits } from "./watch-catch-up.ts";
export { type WatchSource, watchSourceOf } from "./watch-events.ts";
export { WatchHub, type WatchHubOptions, type WatchMetrics } from "./watch-hub.ts";
