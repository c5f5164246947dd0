import type { Histogram, MemberMetrics } from "./cluster-sample.ts";

/** Families under the names of etcd 3.4 and later; older spellings after the newer ones. */
const families = {
  puts: ["etcd_mvcc_put_total", "etcd_debugging_mvcc_put_total"],
  ranges: ["etcd_mvcc_range_total", "etcd_debugging_mvcc_range_total"],
  txns: ["etcd_mvcc_txn_total", "etcd_debugging_mvcc_txn_total"],
  deletes: ["etcd_mvcc_delete_total", "etcd_debugging_mvcc_delete_total"],
  keys: ["etcd_debugging_mvcc_keys_total"],
  compactRevision: ["etcd_debugging_mvcc_compact_revision"],
  watchers: ["etcd_debugging_mvcc_watcher_total"],
  slowWatchers: ["etcd_debugging_mvcc_slow_watcher_total"],
  quotaBytes: ["etcd_server_quota_backend_bytes"],
} as const;

const histograms = {
  fsync: "etcd_disk_wal_fsync_duration_seconds",
  peerRoundTrip: "etcd_network_peer_round_trip_time_seconds",
} as const;

const scalarNames = new Set<string>(Object.values(families).flat());
const bucketNames = new Set<string>(Object.values(histograms).map((name) => `${name}_bucket`));

const linePattern = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? +(\S+)/;
const boundPattern = /(?:^|,) *le="([^"]*)"/;

/** Reads the text exposition format (Prometheus 0.0.4), as much of it as the screen shows; series are summed up. */
export function parseMetrics(text: string): MemberMetrics {
  const scalars = new Map<string, number>();
  const buckets = new Map<string, Map<number, number>>();
  for (const line of text.split("\n")) {
    // Nearly all lines are of other families: tell them by their start before taking them apart.
    if (!line.startsWith("etcd_")) continue;
    const [, name, labels, number] = linePattern.exec(line) ?? [];
    const value = Number(number);
    if (name === undefined || !Number.isFinite(value)) continue;
    if (scalarNames.has(name)) scalars.set(name, (scalars.get(name) ?? 0) + value);
    else if (bucketNames.has(name)) addBucket(buckets, name, labels ?? "", value);
  }
  const scalar = (names: readonly string[]): number | undefined =>
    names.map((name) => scalars.get(name)).find((value) => value !== undefined);
  return {
    puts: scalar(families.puts),
    ranges: scalar(families.ranges),
    txns: scalar(families.txns),
    deletes: scalar(families.deletes),
    keys: scalar(families.keys),
    compactRevision: scalar(families.compactRevision),
    watchers: scalar(families.watchers),
    slowWatchers: scalar(families.slowWatchers),
    quotaBytes: scalar(families.quotaBytes),
    fsync: toHistogram(buckets.get(`${histograms.fsync}_bucket`)),
    peerRoundTrip: toHistogram(buckets.get(`${histograms.peerRoundTrip}_bucket`)),
  };
}

function addBucket(
  buckets: Map<string, Map<number, number>>,
  name: string,
  labels: string,
  value: number,
): void {
  const text = boundPattern.exec(labels)?.[1];
  if (text === undefined) return;
  const bound = text === "+Inf" ? Number.POSITIVE_INFINITY : Number(text);
  if (Number.isNaN(bound)) return;
  const counts = buckets.get(name) ?? new Map<number, number>();
  counts.set(bound, (counts.get(bound) ?? 0) + value);
  buckets.set(name, counts);
}

function toHistogram(counts: ReadonlyMap<number, number> | undefined): Histogram | undefined {
  if (counts === undefined) return undefined;
  const sorted = [...counts].sort(([left], [right]) => left - right);
  return { bounds: sorted.map(([bound]) => bound), counts: sorted.map(([, count]) => count) };
}
