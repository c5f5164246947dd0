import type { Clock } from "../lib/clock.ts";
import { exponentialBuckets, type HistogramCell, type MetricsRegistry } from "../lib/metrics.ts";
import type { StoreObserver } from "./mvcc/index.ts";
import type { NodeObserver } from "./node/index.ts";
import type { WalSync } from "./storage/index.ts";

/** The moments that the server reports as they happen; Durations in milliseconds. */
export interface TimingHooks extends NodeObserver, StoreObserver {
  walSynced(sync: WalSync): void;
}

type CommandKind = Parameters<NodeObserver["applied"]>[0];

/** Values of the label `op` of etcd_server_apply_duration_seconds; the lease clock's two are ours. */
const operationNames: Readonly<Record<CommandKind, string>> = {
  put: "Put",
  deleteRange: "DeleteRange",
  txn: "Txn",
  compaction: "Compaction",
  leaseGrant: "LeaseGrant",
  leaseRevoke: "LeaseRevoke",
  leaseTick: "LeaseTick",
  leaseFloat: "LeaseFloat",
  alarm: "Alarm",
  memberAttributes: "ClusterMemberAttrSet",
};

/** Registers the histograms of disk, apply, compaction and leases with etcd's names and buckets. */
export function registerTimings(registry: MetricsRegistry, clock: Pick<Clock, "wallMs">): TimingHooks {
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
    Object.entries(operationNames).map(([kind, op]) => [
      kind,
      {
        succeeded: apply.cell({ version: "v3", op, success: "true" }),
        refused: apply.cell({ version: "v3", op, success: "false" }),
      },
    ]),
  );
  const load = histogram(
    "metastore_apply_load_duration_seconds",
    "Time to read from the disk what a batch of commands touches, before it is applied, in seconds.",
    0.0001,
    2,
    18,
  );
  const snapTotal = histogram(
    "etcd_debugging_snap_save_total_duration_seconds",
    "Time to save a state snapshot, in seconds.",
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
    applied(kind, succeeded, durationMs) {
      const cells = applyCells.get(kind);
      (succeeded ? cells?.succeeded : cells?.refused)?.observe(durationMs / 1e3);
    },
    loaded: (durationMs) => load.observe(durationMs / 1e3),
    snapshotSaved: (durationMs) => snapTotal.observe(durationMs / 1e3),
    compactionPaused: (durationMs) => compactionPause.observe(durationMs),
    compactionFinished(durationMs, recordsRemoved) {
      compactionTotal.observe(durationMs);
      compactionKeys.value += recordsRemoved;
      compactionLast.value = Math.floor(clock.wallMs() / 1e3);
    },
    hashed: (durationMs) => hashRevision.observe(durationMs / 1e3),
    defragmented: (durationMs) => defragment.observe(durationMs / 1e3),
    leaseGranted: (ttlSeconds) => leaseTtl.observe(ttlSeconds),
  };
}
