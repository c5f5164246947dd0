import type { MetricsRegistry, Pull } from "../lib/metrics.ts";
import type { OperationCounts, WatchMetrics } from "./mvcc/index.ts";
import type { NodeStats, ServerNode } from "./node/index.ts";

/**
 * What the scrape asks. Each function returns numbers that are counted anyway, so the hot path pays nothing. The
 * families of a source that is not given are not exposed: a metric that nothing counts would only say 0.
 */
export interface MetricsSources {
  readonly node: ServerNode;
  readonly counters?: () => NodeStats;
  readonly watch?: () => WatchMetrics;
  readonly operations?: () => Pick<OperationCounts, "ranges" | "puts" | "deletes" | "txns" | "putBytes">;
}

export interface ReportedVersions {
  /** The etcd API level of this server, "X.Y.Z". */
  readonly server: string;
  /** The cluster version, "X.Y.Z". */
  readonly cluster: string;
  /** The version of MetaStore itself. */
  readonly product: string;
}

const alarmNames = new Map([
  [1, "NOSPACE"],
  [2, "CORRUPT"],
]);

/** Registers everything that is pulled from the running node (etcd names, etcd http.md section 5). */
export function registerNodeMetrics(
  registry: MetricsRegistry,
  sources: MetricsSources,
  versions: ReportedVersions,
): void {
  const { node } = sources;
  const gauge = (name: string, help: string, pull: Pull, labelNames: readonly string[] = []): void =>
    registry.pulledGauge({ name, help, labelNames }, pull);

  gauge("etcd_server_has_leader", "1 when this member knows a leader.", () => flag(node.leaderId !== 0n));
  gauge("etcd_server_is_leader", "1 when this member is the leader.", () =>
    flag(node.leaderId !== 0n && node.leaderId === node.memberId),
  );
  gauge("etcd_server_is_learner", "1 when this member is a learner.", () => flag(node.isLearner));
  gauge(
    "etcd_server_proposals_committed_total",
    "Index of the last committed log entry.",
    () => node.raftIndex,
  );
  gauge(
    "etcd_server_proposals_applied_total",
    "Index of the last applied log entry.",
    () => node.appliedIndex,
  );
  gauge("etcd_server_quota_backend_bytes", "Storage quota in bytes.", () => node.quotaBytes);
  gauge(
    "etcd_server_id",
    "Member id in hexadecimal, as a label.",
    () => [{ labels: { server_id: hexId(node.memberId) }, value: 1 }],
    ["server_id"],
  );
  gauge(
    "etcd_server_version",
    "The etcd API level of this server, as a label.",
    () => [{ labels: { server_version: versions.server }, value: 1 }],
    ["server_version"],
  );
  gauge(
    "etcd_cluster_version",
    "The cluster version, as a label.",
    () => [{ labels: { cluster_version: versions.cluster.split(".").slice(0, 2).join(".") }, value: 1 }],
    ["cluster_version"],
  );
  gauge(
    "metastore_build_info",
    "The version of MetaStore, as a label.",
    () => [{ labels: { version: versions.product }, value: 1 }],
    ["version"],
  );
  gauge(
    "etcd_debugging_server_alarms",
    "1 for each alarm that is active.",
    () =>
      node.alarms().map(({ memberId, alarm }) => ({
        labels: { server_id: hexId(memberId), alarm_type: alarmNames.get(alarm) ?? "UNKNOWN" },
        value: 1,
      })),
    ["server_id", "alarm_type"],
  );
  registerStoreMetrics(registry, sources);
  registerCounters(registry, sources);
}

function registerStoreMetrics(registry: MetricsRegistry, { node, watch }: MetricsSources): void {
  const gauge = (name: string, help: string, pull: () => number): void =>
    registry.pulledGauge({ name, help }, pull);
  gauge(
    "etcd_debugging_mvcc_current_revision",
    "Revision of the last change.",
    () => node.kv.currentRevision,
  );
  gauge(
    "etcd_debugging_mvcc_compact_revision",
    "Revision of the last compaction; -1 when there was none.",
    () => node.kv.compactRevision,
  );
  gauge("etcd_debugging_mvcc_keys_total", "Live keys.", () => node.kv.stats().liveKeys);
  gauge(
    "metastore_mvcc_records",
    "Records held: live keys and the history that is not compacted.",
    () => node.kv.stats().records,
  );
  gauge(
    "etcd_mvcc_db_total_size_in_bytes",
    "Bytes that the records take: on disk those of the files, in memory those of all records held.",
    () => node.kv.storedBytes(),
  );
  gauge(
    "etcd_mvcc_db_total_size_in_use_in_bytes",
    "Bytes of the records that a finished compaction would keep.",
    () => node.kv.stats().sizeInUseBytes,
  );
  gauge(
    "metastore_quota_used_ratio",
    "Share of the storage quota that is used; warned of from 0.8 on.",
    () => node.kv.stats().sizeBytes / node.quotaBytes,
  );
  gauge("metastore_leases", "Leases that live.", () => node.leases().length);
  if (watch === undefined) return;
  gauge("etcd_debugging_mvcc_watcher_total", "Watchers.", () => watch().watchers);
  gauge("etcd_debugging_mvcc_watch_stream_total", "Watch streams.", () => watch().streams);
  gauge(
    "etcd_debugging_mvcc_slow_watcher_total",
    "Watchers whose stream takes no more for now.",
    () => watch().slow,
  );
  gauge(
    "etcd_debugging_mvcc_pending_events_total",
    "Events read from history and not sent yet.",
    () => watch().pendingEvents,
  );
  registry.pulledCounter(
    { name: "etcd_debugging_mvcc_events_total", help: "Events sent to watchers." },
    () => watch().eventsTotal,
  );
}

function registerCounters(registry: MetricsRegistry, { counters, operations }: MetricsSources): void {
  const counter = (name: string, help: string, pull: () => number): void =>
    registry.pulledCounter({ name, help }, pull);
  if (counters !== undefined) {
    registry.pulledGauge(
      { name: "etcd_server_proposals_pending", help: "Proposals waiting for their answer." },
      () => counters().proposalsPending,
    );
    counter("etcd_server_proposals_failed_total", "Proposals that failed.", () => counters().proposalsFailed);
    counter(
      "etcd_server_read_indexes_failed_total",
      "Read index rounds that failed.",
      () => counters().readIndexesFailed,
    );
    counter(
      "etcd_server_slow_read_indexes_total",
      "Read index rounds that were slow.",
      () => counters().readIndexesSlow,
    );
    counter(
      "etcd_server_leader_changes_seen_total",
      "Changes of leader seen.",
      () => counters().leaderChanges,
    );
    counter(
      "etcd_server_slow_apply_total",
      "Commands that were slow to apply.",
      () => counters().slowApplies,
    );
    counter("etcd_debugging_lease_granted_total", "Leases granted.", () => counters().leasesGranted);
    counter("etcd_debugging_lease_renewed_total", "Renewals of leases.", () => counters().leasesRenewed);
    counter("etcd_debugging_lease_revoked_total", "Leases revoked.", () => counters().leasesRevoked);
    counter(
      "etcd_debugging_server_lease_expired_total",
      "Leases that expired.",
      () => counters().leasesExpired,
    );
  }
  if (operations !== undefined) {
    counter("etcd_mvcc_range_total", "Range operations executed.", () => operations().ranges);
    counter("etcd_mvcc_put_total", "Put operations executed.", () => operations().puts);
    counter("etcd_mvcc_delete_total", "Delete operations executed.", () => operations().deletes);
    counter("etcd_mvcc_txn_total", "Transactions of more than one operation.", () => operations().txns);
    registry.pulledGauge(
      { name: "etcd_debugging_mvcc_total_put_size_in_bytes", help: "Bytes of keys and values of all puts." },
      () => operations().putBytes,
    );
  }
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

function hexId(id: bigint): string {
  return id.toString(16);
}
