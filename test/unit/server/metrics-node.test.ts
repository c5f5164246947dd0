import assert from "node:assert/strict";
import { alarmType } from "../../../src/codec/index.ts";
import { fromUtf8 } from "../../../src/lib/bytes.ts";
import { MetricsRegistry } from "../../../src/lib/metrics.ts";
import { registerNodeMetrics } from "../../../src/server/metrics-node.ts";
import { FakeNode } from "./api/fake-node.ts";

const versions = { server: "3.6.0", cluster: "3.6.0", product: "0.1.0" };

describe("The metrics of the node", () => {
  it("are what the node says at the moment of the scrape", async () => {
    const node = new FakeNode();
    const registry = new MetricsRegistry();
    registerNodeMetrics(registry, { node }, versions);
    node.kv.put({
      key: fromUtf8("k"),
      value: fromUtf8("v"),
      lease: 0n,
      prevKv: false,
      ignoreValue: false,
      ignoreLease: false,
    });
    node.activeAlarms.push({ memberId: 0xabn, alarm: alarmType.noSpace });
    node.quotaBytes = 12_345;
    const text = await registry.render();
    for (const line of [
      "etcd_server_has_leader 1",
      "etcd_server_is_leader 1",
      "etcd_server_is_learner 0",
      `etcd_server_proposals_committed_total ${node.raftIndex}`,
      `etcd_server_proposals_applied_total ${node.appliedIndex}`,
      "etcd_server_quota_backend_bytes 12345",
      'etcd_server_id{server_id="fedcba9876543210"} 1',
      'etcd_server_version{server_version="3.6.0"} 1',
      'etcd_cluster_version{cluster_version="3.6"} 1',
      'metastore_build_info{version="0.1.0"} 1',
      'etcd_debugging_server_alarms{alarm_type="NOSPACE",server_id="ab"} 1',
      "etcd_debugging_mvcc_keys_total 1",
      "etcd_debugging_mvcc_current_revision 2",
      "etcd_debugging_mvcc_compact_revision -1",
      `etcd_mvcc_db_total_size_in_bytes ${node.kv.storedBytes()}`,
      `etcd_mvcc_db_total_size_in_use_in_bytes ${node.kv.stats().sizeInUseBytes}`,
      "metastore_leases 0",
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
    node.leaderId = 0n;
    node.activeAlarms.length = 0;
    const later = await registry.render();
    assert.match(later, /\netcd_server_has_leader 0\n/);
    assert.match(later, /\netcd_server_is_leader 0\n/);
    assert.ok(!later.includes("etcd_debugging_server_alarms{"));
  });

  it("leave out what nothing counts", () => {
    const registry = new MetricsRegistry();
    registerNodeMetrics(registry, { node: new FakeNode() }, versions);
    for (const name of [
      "etcd_mvcc_put_total",
      "etcd_debugging_mvcc_watcher_total",
      "etcd_server_proposals_pending",
    ]) {
      assert.ok(!registry.names().includes(name), name);
    }
  });

  it("carry the counters of node, watch hub and store", async () => {
    const node = new FakeNode();
    const registry = new MetricsRegistry();
    registerNodeMetrics(
      registry,
      {
        node,
        counters: () => ({
          proposalsPending: 1,
          proposalsFailed: 2,
          readIndexesFailed: 3,
          readIndexesSlow: 4,
          leaderChanges: 5,
          slowApplies: 6,
          leasesGranted: 7,
          leasesRenewed: 8,
          leasesRevoked: 9,
          leasesExpired: 10,
        }),
        watch: () => ({ watchers: 11, streams: 12, slow: 13, pendingEvents: 14, eventsTotal: 15 }),
        operations: () => ({ ranges: 16, puts: 17, deletes: 18, txns: 19, putBytes: 20 }),
      },
      versions,
    );
    const text = await registry.render();
    for (const line of [
      "etcd_server_proposals_pending 1",
      "etcd_server_proposals_failed_total 2",
      "etcd_server_read_indexes_failed_total 3",
      "etcd_server_slow_read_indexes_total 4",
      "etcd_server_leader_changes_seen_total 5",
      "etcd_server_slow_apply_total 6",
      "etcd_debugging_lease_granted_total 7",
      "etcd_debugging_lease_renewed_total 8",
      "etcd_debugging_lease_revoked_total 9",
      "etcd_debugging_server_lease_expired_total 10",
      "etcd_debugging_mvcc_watcher_total 11",
      "etcd_debugging_mvcc_watch_stream_total 12",
      "etcd_debugging_mvcc_slow_watcher_total 13",
      "etcd_debugging_mvcc_pending_events_total 14",
      "etcd_debugging_mvcc_events_total 15",
      "etcd_mvcc_range_total 16",
      "etcd_mvcc_put_total 17",
      "etcd_mvcc_delete_total 18",
      "etcd_mvcc_txn_total 19",
      "etcd_debugging_mvcc_total_put_size_in_bytes 20",
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
  });
});
