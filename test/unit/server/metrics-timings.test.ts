import assert from "node:assert/strict";
import { MetricsRegistry } from "../../../src/lib/metrics.ts";
import { registerTimings } from "../../../src/server/metrics-timings.ts";

describe("The timings", () => {
  it("are exposed in etcd's units under etcd's names", async () => {
    const registry = new MetricsRegistry();
    const timings = registerTimings(registry, { wallMs: () => 1_700_000_000_900 });
    timings.walSynced({ entries: 32, bytes: 4_096, durationMs: 3 });
    timings.walSynced({ entries: 0, bytes: 64, durationMs: 1 });
    timings.applied("put", true, 2);
    timings.applied("txn", false, 4);
    timings.loaded(5);
    timings.snapshotSaved(30);
    timings.compactionPaused(7);
    timings.compactionFinished(150, 42);
    timings.hashed(20);
    timings.defragmented(100);
    timings.leaseGranted(60);
    const text = await registry.render();
    for (const line of [
      "etcd_disk_wal_fsync_duration_seconds_count 2",
      'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.004"} 2',
      "metastore_wal_entries_per_sync_sum 32",
      "metastore_wal_entries_per_sync_count 1",
      "etcd_disk_wal_write_bytes_total 4160",
      'etcd_server_apply_duration_seconds_sum{op="Put",success="true",version="v3"} 0.002',
      'etcd_server_apply_duration_seconds_count{op="Txn",success="false",version="v3"} 1',
      "metastore_apply_load_duration_seconds_sum 0.005",
      "etcd_debugging_snap_save_total_duration_seconds_sum 0.03",
      "etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds_sum 7",
      "etcd_debugging_mvcc_db_compaction_total_duration_milliseconds_sum 150",
      "etcd_debugging_mvcc_db_compaction_keys_total 42",
      "etcd_debugging_mvcc_db_compaction_last 1700000000",
      "etcd_mvcc_hash_rev_duration_seconds_sum 0.02",
      "etcd_disk_backend_defrag_duration_seconds_sum 0.1",
      "etcd_debugging_lease_ttl_total_sum 60",
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
  });
});
