import {
  type CounterCell,
  exponentialBuckets,
  type HistogramCell,
  type MetricsRegistry,
} from "../lib/metrics.ts";
import type { PeerObserver } from "./peer/index.ts";

/** What is counted of one peer: cells kept where the hot path finds them with one lookup. */
interface PeerCells {
  readonly id: string;
  readonly sentBytes: CounterCell;
  readonly receivedBytes: CounterCell;
  readonly sendFailures: CounterCell;
  readonly receiveFailures: CounterCell;
  readonly disconnections: CounterCell;
  readonly roundTrip: HistogramCell;
  readonly snapshots: Readonly<Record<"send" | "receive", SnapshotCells>>;
  isKnown: boolean;
  isActive: boolean;
}

interface SnapshotCells {
  readonly successes: CounterCell;
  readonly failures: CounterCell;
  readonly seconds: HistogramCell;
  inFlight: number;
}

/**
 * etcd_network_*_peers, etcd_network_peer_* and etcd_network_snapshot_* (etcd http.md section 5). The series of a
 * peer begin with 0 when it becomes a peer. Call once for a registry.
 */
export function registerPeerMetrics(registry: MetricsRegistry, memberId: bigint): PeerObserver {
  const peers = new Map<bigint, PeerCells>();
  const local = memberId.toString(16);
  const counter = (name: string, help: string, label: string) =>
    registry.counter({ name, help, labelNames: label === "" ? ["Local", "Remote"] : [label] });
  const histogram = (name: string, help: string, label: string, buckets: readonly number[]) =>
    registry.histogram({ name, help, labelNames: [label], buckets });

  const sentBytes = counter("etcd_network_peer_sent_bytes_total", "Bytes sent to peers.", "To");
  const receivedBytes = counter(
    "etcd_network_peer_received_bytes_total",
    "Bytes received from peers.",
    "From",
  );
  const sendFailures = counter(
    "etcd_network_peer_sent_failures_total",
    "Messages and snapshots that could not be sent to peers.",
    "To",
  );
  const receiveFailures = counter(
    "etcd_network_peer_received_failures_total",
    "Streams and snapshots of peers that were refused for what came on them.",
    "From",
  );
  const disconnections = counter(
    "etcd_network_disconnected_peers_total",
    "Connections to peers that were lost.",
    "",
  );
  const roundTrips = histogram(
    "etcd_network_peer_round_trip_time_seconds",
    "Time from a ping to its answer, in seconds.",
    "To",
    exponentialBuckets(0.0001, 2, 16),
  );
  const snapshotFamilies = (direction: "send" | "receive", label: string) => ({
    label,
    successes: counter(
      `etcd_network_snapshot_${direction}_success`,
      `Snapshots: ${direction} succeeded.`,
      label,
    ),
    failures: counter(
      `etcd_network_snapshot_${direction}_failures`,
      `Snapshots: ${direction} failed.`,
      label,
    ),
    seconds: histogram(
      `etcd_network_snapshot_${direction}_total_duration_seconds`,
      `Time to ${direction} one snapshot, in seconds.`,
      label,
      exponentialBuckets(0.1, 2, 10),
    ),
  });
  const families = { send: snapshotFamilies("send", "To"), receive: snapshotFamilies("receive", "From") };

  const snapshotCells = (direction: "send" | "receive", id: string): SnapshotCells => {
    const { label, successes, failures, seconds } = families[direction];
    const labels = { [label]: id };
    return {
      successes: successes.cell(labels),
      failures: failures.cell(labels),
      seconds: seconds.cell(labels),
      inFlight: 0,
    };
  };
  const of = (peer: bigint): PeerCells => {
    const existing = peers.get(peer);
    if (existing !== undefined) return existing;
    const id = peer.toString(16);
    const cells: PeerCells = {
      id,
      sentBytes: sentBytes.cell({ To: id }),
      receivedBytes: receivedBytes.cell({ From: id }),
      sendFailures: sendFailures.cell({ To: id }),
      receiveFailures: receiveFailures.cell({ From: id }),
      disconnections: disconnections.cell({ Local: local, Remote: id }),
      roundTrip: roundTrips.cell({ To: id }),
      snapshots: { send: snapshotCells("send", id), receive: snapshotCells("receive", id) },
      isKnown: false,
      isActive: false,
    };
    peers.set(peer, cells);
    return cells;
  };
  const snapshotEnded = (cells: SnapshotCells, succeeded: boolean, durationMs: number): void => {
    cells.inFlight -= 1;
    (succeeded ? cells.successes : cells.failures).value += 1;
    if (succeeded) cells.seconds.observe(durationMs / 1e3);
  };

  const gauge =
    (name: string, help: string, labels: (id: string) => Record<string, string>) =>
    (value: (cells: PeerCells) => number): void => {
      registry.pulledGauge({ name, help, labelNames: Object.keys(labels("")) }, () =>
        Array.from(peers.values(), (cells) => ({ labels: labels(cells.id), value: value(cells) })),
      );
    };
  const between = (id: string) => ({ Local: local, Remote: id });
  gauge(
    "etcd_network_known_peers",
    "1 for each member that is to be reached.",
    between,
  )((cells) => (cells.isKnown ? 1 : 0));
  gauge(
    "etcd_network_active_peers",
    "1 for each peer with an unbroken connection.",
    between,
  )((cells) => (cells.isActive ? 1 : 0));
  gauge("etcd_network_snapshot_send_inflights_total", "Snapshots that are being sent.", (id) => ({ To: id }))(
    (cells) => cells.snapshots.send.inFlight,
  );
  gauge("etcd_network_snapshot_receive_inflights_total", "Snapshots that are being received.", (id) => ({
    From: id,
  }))((cells) => cells.snapshots.receive.inFlight);

  return {
    known(ids) {
      for (const cells of peers.values()) cells.isKnown = false;
      for (const id of ids) of(id).isKnown = true;
    },
    connected(peer) {
      of(peer).isActive = true;
    },
    disconnected(peer) {
      const cells = of(peer);
      cells.isActive = false;
      cells.disconnections.value += 1;
    },
    sent(peer, bytes) {
      of(peer).sentBytes.value += bytes;
    },
    received(peer, bytes) {
      of(peer).receivedBytes.value += bytes;
    },
    sendFailed(peer) {
      of(peer).sendFailures.value += 1;
    },
    receiveFailed(peer) {
      of(peer).receiveFailures.value += 1;
    },
    roundTrip(peer, durationMs) {
      of(peer).roundTrip.observe(durationMs / 1e3);
    },
    snapshotSendStarted(peer) {
      of(peer).snapshots.send.inFlight += 1;
    },
    snapshotSendEnded(peer, succeeded, durationMs) {
      snapshotEnded(of(peer).snapshots.send, succeeded, durationMs);
    },
    snapshotReceiveStarted(peer) {
      of(peer).snapshots.receive.inFlight += 1;
    },
    snapshotReceiveEnded(peer, succeeded, durationMs) {
      snapshotEnded(of(peer).snapshots.receive, succeeded, durationMs);
    },
  };
}
