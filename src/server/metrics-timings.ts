import { exponentialBuckets, type HistogramCell, type MetricsRegistry } from "../lib/metrics.ts";

/** One write of the log made durable: what the WAL's onSync hook reports. */
export interface WalSync {
  readonly entries: number;
  readonly bytes: number;
  readonly durationMs: number;
}

/** Request names of etcd_server_apply_duration_seconds and etcd_server_request_duration_seconds. */
export type AppliedOperation =
  | "Put"
  | "DeleteRange"
  | "Txn"
  | "Compaction"
  | "LeaseGrant"
  | "LeaseRevoke"
  | "Alarm";

/** The moments that the server reports as they happen; each costs about 200 ns. Durations in milliseconds. */
export interface TimingHooks {
  walSynced(sync: WalSync): void;
  applied(operation: AppliedOperation, succeeded: boolean, durationMs: number): void;
  /** One state snapshot encoded, and written and synced. */
  snapshotSaved(marshalMs: number, totalMs: number): void;
  snapshotFileSynced(durationMs: number): void;
  /** One bite of background removal, and one whole compaction with the records it removed. */
  compactionPaused(durationMs: number): void;
  compactionFinished(durationMs: number, recordsRemoved: number, finishedAtSeconds: number): void;
  hashed(durationMs: number): void;
  defragmented(durationMs: number): void;
  /** TTL of a granted lease, in seconds. */
  leaseGranted(ttlSeconds: number): void;
}

const applyOperations: readonly AppliedOperation[] = [
  "Put",
  "DeleteRange",
  "Txn",
  "Compaction",
  "LeaseGrant",
  "LeaseRevoke",
  "Alarm",
];

/** Registers the histograms of disk, apply, compaction and leases with etcd's names and buckets. */
export function registerTimings(registry: MetricsRegistry): TimingHooks {
  const histogram = (
    name: string,
    help: string,
    start: number,
    factor: number,
    count: number,
  ): HistogramCell =>
    registry.histogram({ name, help, buckets: exponentialBuckets(start, factor, count) }).cell();

  const fsync = histogram(
    "etcd_disk_wal_fsync_duration_seconds",
    "Time from handing a batch of the log to the disk until it is durable, in seconds.",
    0.001,
    2,
    14,
  );
  const entriesPerSync = histogram(
    "metastore_wal_entries_per_sync",
    "Log entries that one sync of the log made durable (group commit).",
    1,
    2,
    13,
  );
  const walBytes = { value: 0 };
  registry.pulledGauge(
    { name: "etcd_disk_wal_write_bytes_total", help: "Bytes written to the log." },
    () => walBytes.value,
  );
  const apply = registry.histogram({
    name: "etcd_server_apply_duration_seconds",
    help: "Time to apply one command to the state, in seconds.",
    labelNames: ["version", "op", "success"],
    buckets: exponentialBuckets(0.0001, 2, 20),
  });
  const applyCells = new Map(
    applyOperations.map((op) => [
      op,
      {
        succeeded: apply.cell({ version: "v3", op, success: "true" }),
        failed: apply.cell({ version: "v3", op, success: "false" }),
      },
    ]),
  );
  const snapMarshal = histogram(
    "etcd_debugging_snap_save_marshalling_duration_seconds",
    "Time to encode a state snapshot, in seconds.",
    0.001,
    2,
    14,
  );
  const snapTotal = histogram(
    "etcd_debugging_snap_save_total_duration_seconds",
    "Time to save a state snapshot, in seconds.",
    0.001,
    2,
    14,
  );
  const snapFsync = histogram(
    "etcd_snap_fsync_duration_seconds",
    "Time to sync a snapshot file, in seconds.",
    0.001,
    2,
    14,
  );
  const compactionPause = histogram(
    "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
    "Time that one bite of a compaction kept the event loop, in milliseconds.",
    1,
    2,
    13,
  );
  const compactionTotal = histogram(
    "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
    "Time that a whole compaction took, in milliseconds.",
    100,
    2,
    14,
  );
  const compactionKeys = registry
    .counter({
      name: "etcd_debugging_mvcc_db_compaction_keys_total",
      help: "Records that compactions removed.",
    })
    .cell();
  const compactionLast = { value: 0 };
  registry.pulledGauge(
    {
      name: "etcd_debugging_mvcc_db_compaction_last",
      help: "Unix time of the last finished compaction, in seconds; 0 before the first.",
    },
    () => compactionLast.value,
  );
  const hashRevision = histogram(
    "etcd_mvcc_hash_rev_duration_seconds",
    "Time to hash the store at a revision, in seconds.",
    0.01,
    2,
    15,
  );
  const defragment = histogram(
    "etcd_disk_backend_defrag_duration_seconds",
    "Time that Defragment took, in seconds.",
    0.1,
    2,
    13,
  );
  const leaseTtl = histogram(
    "etcd_debugging_lease_ttl_total",
    "TTLs of granted leases, in seconds.",
    1,
    2,
    24,
  );

  return {
    walSynced({ entries, bytes, durationMs }) {
      fsync.observe(durationMs / 1e3);
      // Marks and hard states sync without entries; they would blur what group commit does.
      if (entries > 0) entriesPerSync.observe(entries);
      walBytes.value += bytes;
    },
    applied(operation, succeeded, durationMs) {
      const cells = applyCells.get(operation);
      (succeeded ? cells?.succeeded : cells?.failed)?.observe(durationMs / 1e3);
    },
    snapshotSaved(marshalMs, totalMs) {
      snapMarshal.observe(marshalMs / 1e3);
      snapTotal.observe(totalMs / 1e3);
    },
    snapshotFileSynced: (durationMs) => snapFsync.observe(durationMs / 1e3),
    compactionPaused: (durationMs) => compactionPause.observe(durationMs),
    compactionFinished(durationMs, recordsRemoved, finishedAtSeconds) {
      compactionTotal.observe(durationMs);
      compactionKeys.value += recordsRemoved;
      compactionLast.value = finishedAtSeconds;
    },
    hashed: (durationMs) => hashRevision.observe(durationMs / 1e3),
    defragmented: (durationMs) => defragment.observe(durationMs / 1e3),
    leaseGranted: (ttlSeconds) => leaseTtl.observe(ttlSeconds),
  };
}
