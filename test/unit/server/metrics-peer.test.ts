import assert from "node:assert/strict";
import { MetricsRegistry } from "../../../src/lib/metrics.ts";
import { registerPeerMetrics } from "../../../src/server/metrics-peer.ts";

const local = 0xabcn;
const peer = 0x8e9e05c52164694dn;

describe("The metrics of the way to peers", () => {
  it("bear etcd's names and labels, and begin with 0 for each peer", async () => {
    const registry = new MetricsRegistry();
    const observer = registerPeerMetrics(registry, local);
    assert.deepEqual(registry.names(), [
      "etcd_network_active_peers",
      "etcd_network_disconnected_peers_total",
      "etcd_network_known_peers",
      "etcd_network_peer_received_bytes_total",
      "etcd_network_peer_received_failures_total",
      "etcd_network_peer_round_trip_time_seconds",
      "etcd_network_peer_sent_bytes_total",
      "etcd_network_peer_sent_failures_total",
      "etcd_network_snapshot_receive_failures",
      "etcd_network_snapshot_receive_inflights_total",
      "etcd_network_snapshot_receive_success",
      "etcd_network_snapshot_receive_total_duration_seconds",
      "etcd_network_snapshot_send_failures",
      "etcd_network_snapshot_send_inflights_total",
      "etcd_network_snapshot_send_success",
      "etcd_network_snapshot_send_total_duration_seconds",
    ]);
    observer.known([peer]);
    const text = await registry.render();
    for (const line of [
      'etcd_network_known_peers{Local="abc",Remote="8e9e05c52164694d"} 1',
      'etcd_network_active_peers{Local="abc",Remote="8e9e05c52164694d"} 0',
      'etcd_network_disconnected_peers_total{Local="abc",Remote="8e9e05c52164694d"} 0',
      'etcd_network_peer_sent_bytes_total{To="8e9e05c52164694d"} 0',
      'etcd_network_peer_received_failures_total{From="8e9e05c52164694d"} 0',
      'etcd_network_peer_round_trip_time_seconds_count{To="8e9e05c52164694d"} 0',
      'etcd_network_snapshot_send_success{To="8e9e05c52164694d"} 0',
      'etcd_network_snapshot_receive_inflights_total{From="8e9e05c52164694d"} 0',
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
  });

  it("count what the network tells", async () => {
    const registry = new MetricsRegistry();
    const observer = registerPeerMetrics(registry, local);
    observer.known([1n, 2n]);
    observer.connected(1n);
    observer.connected(2n);
    observer.disconnected(2n);
    observer.known([1n]);
    observer.sent(1n, 100);
    observer.sent(1n, 20);
    observer.received(1n, 7);
    observer.sendFailed(2n);
    observer.receiveFailed(2n);
    observer.roundTrip(1n, 0.3);
    observer.snapshotSendStarted(1n);
    observer.snapshotSendStarted(2n);
    observer.snapshotSendEnded(2n, false, 50);
    observer.snapshotReceiveStarted(1n);
    observer.snapshotReceiveEnded(1n, true, 1_500);
    const text = await registry.render();
    for (const line of [
      'etcd_network_known_peers{Local="abc",Remote="1"} 1',
      'etcd_network_known_peers{Local="abc",Remote="2"} 0',
      'etcd_network_active_peers{Local="abc",Remote="1"} 1',
      'etcd_network_active_peers{Local="abc",Remote="2"} 0',
      'etcd_network_disconnected_peers_total{Local="abc",Remote="2"} 1',
      'etcd_network_peer_sent_bytes_total{To="1"} 120',
      'etcd_network_peer_received_bytes_total{From="1"} 7',
      'etcd_network_peer_sent_failures_total{To="2"} 1',
      'etcd_network_peer_received_failures_total{From="2"} 1',
      'etcd_network_peer_round_trip_time_seconds_bucket{le="0.0004",To="1"} 1',
      'etcd_network_peer_round_trip_time_seconds_bucket{le="0.0002",To="1"} 0',
      'etcd_network_snapshot_send_inflights_total{To="1"} 1',
      'etcd_network_snapshot_send_failures{To="2"} 1',
      'etcd_network_snapshot_receive_success{From="1"} 1',
      'etcd_network_snapshot_receive_total_duration_seconds_sum{From="1"} 1.5',
    ]) {
      assert.ok(text.includes(`${line}\n`), `${line}\n${text}`);
    }
  });
});
