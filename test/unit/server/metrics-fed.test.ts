import assert from "node:assert/strict";
import { op } from "../../../src/client/index.ts";
import { rocksSkipReason } from "../../suites/rocks-module.ts";
import { ServerWorld } from "./server-world.ts";

/** Families that a healthy member leaves at zero; what feeds each of them is tested where it is counted. */
const restingFamilies = new Set([
  "etcd_server_is_learner",
  "etcd_server_health_failures",
  "etcd_server_proposals_failed_total",
  "etcd_server_proposals_pending",
  "etcd_server_read_indexes_failed_total",
  "etcd_server_slow_read_indexes_total",
  "etcd_server_slow_apply_total",
  "etcd_debugging_server_alarms",
  "etcd_debugging_server_lease_expired_total",
  "etcd_debugging_mvcc_slow_watcher_total",
  "etcd_debugging_mvcc_pending_events_total",
  "etcd_debugging_snap_save_total_duration_seconds",
  "metastore_grpc_unknown_methods_total",
  // All records are at hand.
  "metastore_apply_load_duration_seconds",
  // There is nobody to talk to.
  "etcd_network_peer_sent_bytes_total",
  "etcd_network_peer_received_bytes_total",
  "etcd_network_peer_sent_failures_total",
  "etcd_network_peer_received_failures_total",
  "etcd_network_disconnected_peers_total",
  "etcd_network_peer_round_trip_time_seconds",
  "etcd_network_snapshot_send_success",
  "etcd_network_snapshot_send_failures",
  "etcd_network_snapshot_send_total_duration_seconds",
  "etcd_network_snapshot_receive_success",
  "etcd_network_snapshot_receive_failures",
  "etcd_network_snapshot_receive_total_duration_seconds",
  "etcd_network_known_peers",
  "etcd_network_active_peers",
  "etcd_network_snapshot_send_inflights_total",
  "etcd_network_snapshot_receive_inflights_total",
]);

/** Families of the exposition with the sum of their samples, buckets left out. */
function sumsOf(text: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [, family = ""] of text.matchAll(/^# TYPE (\S+)/gm)) sums.set(family, 0);
  for (const [, sample = "", value] of text.matchAll(/^([a-z_\d]+)(?:\{.*\})? (\S+)$/gm)) {
    const family = sample.replace(/_(?:sum|count)$/, "");
    const name = sums.has(sample) ? sample : family;
    if (sums.has(name)) sums.set(name, (sums.get(name) ?? 0) + Math.abs(Number(value)));
  }
  return sums;
}

describe("The metrics of a running server", () => {
  let world: ServerWorld;
  beforeEach(() => {
    world = new ServerWorld();
  });
  afterEach(() => world.end());

  it("are all fed by what a server does, or are known to rest", async () => {
    const server = await world.start({ metrics: "extensive" });
    const client = world.connect(server);
    const address = server.addresses.client[0];
    const page = async (path: string): Promise<string> =>
      await (await fetch(`http://${address}${path}`)).text();
    const watcher = client.watch("a");
    const seen = (async () => {
      for await (const _ of watcher) return;
    })();
    await watcher.created;
    await client.kv.put("a", "1");
    await seen;
    await client.kv.put("a", "2");
    await client.kv.txn().do(op.put("b", "1"), op.delete("a")).commit();
    const { header } = await client.kv.delete("b");
    const lease = await client.lease.grant(60);
    await client.lease.keepAliveOnce(lease.id);
    await client.lease.revoke(lease.id);
    await client.lease.grant(60);
    await client.kv.put("c", "1");
    await client.maintenance.hashKv(0);
    await client.kv.compact(header.revision, { physical: true });
    await client.maintenance.defragment();
    const held = client.watch("c");
    await held.created;
    for (const path of ["/health", "/livez", "/readyz", "/metrics"]) await page(path);
    const text = await page("/metrics");
    const unfed = [...sumsOf(text)]
      .filter(([family, sum]) => sum === 0 && /^(?:etcd|metastore|grpc|os|promhttp)_/.test(family))
      .map(([family]) => family)
      .filter((family) => !restingFamilies.has(family));
    assert.deepEqual(unfed, []);
    for (const line of [
      'etcd_server_apply_duration_seconds_count{op="Put",success="true",version="v3"} 3',
      'etcd_server_apply_duration_seconds_count{op="Compaction",success="true",version="v3"} 1',
      "etcd_mvcc_txn_total 1",
      "etcd_mvcc_put_total 4",
      "etcd_mvcc_delete_total 2",
      "etcd_debugging_mvcc_total_put_size_in_bytes 8",
      "etcd_debugging_mvcc_db_compaction_keys_total 4",
      "etcd_debugging_lease_ttl_total_sum 120",
      "etcd_mvcc_hash_rev_duration_seconds_count 1",
      "etcd_disk_backend_defrag_duration_seconds_count 1",
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
    watcher.cancel();
    held.cancel();
  });

  it("tell how long commands wait for their records where these are on disk", async function () {
    if (rocksSkipReason !== undefined) {
      console.log(`      ${rocksSkipReason}`);
      this.skip();
    }
    const server = await world.start({ storage: "rocksdb", metrics: "extensive" });
    await world.connect(server).kv.put("a", "1");
    const text = await (await fetch(`http://${server.addresses.client[0]}/metrics`)).text();
    assert.match(text, /^metastore_apply_load_duration_seconds_count [1-9]/m);
  });
});
