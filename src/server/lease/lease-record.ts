import type { ByteString } from "../../lib/bytes.ts";
import type { HeapNode } from "./expiry-heap.ts";
import { NOT_IN_HEAP } from "./expiry-heap.ts";

/**
 * The replicated part of one lease, as a snapshot holds it. `deadlineMs` is on the lease clock; undefined means
 * that the lease floats: its renewals live in the leader's memory and a new leader gives it its full TTL.
 */
export interface LeaseRecord {
  readonly id: bigint;
  /** Granted time to live. */
  readonly ttlSeconds: number;
  readonly deadlineMs: number | undefined;
}

/** All replicated lease state, attachments left out: those are rebuilt from the keys (Lessor.attach). */
export interface LeaseSnapshot {
  readonly leaseTimeMs: number;
  readonly leases: Iterable<LeaseRecord>;
}

/** A lease as the lessor holds it. The two heap nodes and the flags belong to the leader and mean nothing elsewhere. */
export interface Lease {
  readonly id: bigint;
  readonly ttlSeconds: number;
  deadlineMs: number | undefined;
  /** The keys attached to it; made with the first. */
  keys: Set<ByteString> | undefined;
  /** Goes up from lease to lease in the order in which this member got them. */
  readonly serial: number;
  /** Due when the lease expires. */
  readonly expiry: HeapNode;
  /** Due when a floating lease may have been idle long enough to be fixed; looked at again then. */
  readonly idle: HeapNode;
  /** Monotonic time of the last renewal. */
  renewedAtMs: number;
  /** A tick that fixes this lease is in the log and not applied here yet. */
  isFixing: boolean;
  /** Handed out for revoke. */
  isExpiring: boolean;
}

export function createLease(record: LeaseRecord, serial: number): Lease {
  return {
    id: record.id,
    ttlSeconds: record.ttlSeconds,
    deadlineMs: record.deadlineMs,
    keys: undefined,
    serial,
    expiry: { id: record.id, dueMs: 0, heapIndex: NOT_IN_HEAP },
    idle: { id: record.id, dueMs: 0, heapIndex: NOT_IN_HEAP },
    renewedAtMs: 0,
    isFixing: false,
    isExpiring: false,
  };
}

export function recordOf({ id, ttlSeconds, deadlineMs }: Lease): LeaseRecord {
  return { id, ttlSeconds, deadlineMs };
}
