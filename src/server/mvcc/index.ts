/** Multi-version store: revisions, transactions, watch, compaction, hashes. */
export * from "./types.ts";
