/** Leases: grant, renewal, expiry and the keys attached, on a replicated lease clock. */
export { ExpiryHeap, type HeapNode, NOT_IN_HEAP } from "./expiry-heap.ts";
export type { LeaseRecord, LeaseSnapshot } from "./lease-record.ts";
export type { LeaseView } from "./lease-view.ts";
export * from "./lessor.ts";
export { minTtlSeconds } from "./min-ttl.ts";
