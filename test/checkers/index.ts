/** Checks of what clients saw, for the simulator and for the runs against real processes. */
export * from "./history.ts";
export * from "./lease.ts";
export * from "./linearizability.ts";
export { eventLogOf, Replay, type RevisionEvents } from "./replay.ts";
export type { SerializableRead } from "./serializable-check.ts";
export * from "./store-check.ts";
export { applyRequest, emptyStore, type StoreState } from "./store-state.ts";
export * from "./violation.ts";
export * from "./watch.ts";
