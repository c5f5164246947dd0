import assert from "node:assert/strict";
import { SystemClock } from "../../../src/lib/clock.ts";
import { rpcTable } from "../../../src/server/api/index.ts";
import { ServerMetrics } from "../../../src/server/metrics.ts";
import { FakeNode } from "./api/fake-node.ts";

/** The names of etcd's dashboards and alerts that mean something on one member (etcd http.md section 5). */
const dashboardNames = [
  "grpc_server_handled_total",
  "grpc_server_started_total",
  "grpc_server_handling_seconds",
  "etcd_server_leader_changes_seen_total",
  "etcd_mvcc_db_total_size_in_bytes",
  "etcd_mvcc_db_total_size_in_use_in_bytes",
  "etcd_server_has_leader",
  "etcd_disk_wal_fsync_duration_seconds",
  "etcd_server_quota_backend_bytes",
  "etcd_network_client_grpc_sent_bytes_total",
  "etcd_network_client_grpc_received_bytes_total",
  "etcd_server_proposals_failed_total",
  "etcd_server_proposals_pending",
  "etcd_server_proposals_committed_total",
  "etcd_server_proposals_applied_total",
  "process_resident_memory_bytes",
  "process_cpu_seconds_total",
  "process_start_time_seconds",
  "etcd_server_health_success",
  "etcd_server_health_failures",
  "etcd_server_healthcheck",
  "etcd_server_healthchecks_total",
  "etcd_server_id",
  "etcd_server_version",
  "etcd_cluster_version",
  "etcd_debugging_mvcc_keys_total",
  "etcd_debugging_mvcc_watcher_total",
  "etcd_debugging_lease_granted_total",
  "metastore_wal_entries_per_sync",
  "metastore_event_loop_lag_seconds",
  "nodejs_version_info",
  "promhttp_metric_handler_requests_total",
];

describe("All metrics of a member", () => {
  let metrics: ServerMetrics;
  beforeEach(() => {
    metrics = new ServerMetrics({
      clock: new SystemClock(),
      versions: { server: "3.6.0", cluster: "3.6.0", product: "0.1.0" },
      methods: rpcTable,
      isExtensive: true,
    });
  });
  afterEach(() => metrics.close());

  const zeros = {
    proposalsPending: 0,
    proposalsFailed: 0,
    readIndexesFailed: 0,
    readIndexesSlow: 0,
    leaderChanges: 0,
    slowApplies: 0,
    leasesGranted: 0,
    leasesRenewed: 0,
    leasesRevoked: 0,
    leasesExpired: 0,
  };

  it("have the names that dashboards look for, and no Go runtime that is not there", () => {
    const node = new FakeNode();
    metrics.attach({ node, counters: () => zeros, watch: () => node.watchHub.metrics() });
    const names = new Set(metrics.names());
    for (const name of dashboardNames) assert.ok(names.has(name), name);
    assert.deepEqual(
      [...names].filter((name) => name.startsWith("go_")),
      [],
    );
  });

  it("are one well-formed exposition, each line a sample or a comment", async () => {
    const node = new FakeNode();
    metrics.attach({ node, counters: () => zeros, watch: () => node.watchHub.metrics() });
    assert.equal(metrics.contentType, "text/plain; version=0.0.4; charset=utf-8");
    const text = await metrics.render();
    assert.ok(text.endsWith("\n"));
    const sample =
      /^[a-zA-Z_:][\w:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})? (?:[+-]?(?:\d|\.)[\d.e+-]*|\+Inf|-Inf|NaN)$/;
    for (const line of text.split("\n")) {
      assert.ok(line === "" || /^# (?:HELP|TYPE) \S+ /.test(line) || sample.test(line), line);
    }
    const types = text.match(/^# TYPE \S+/gm) ?? [];
    assert.equal(new Set(types).size, types.length);
  });

  it("can be scraped before the node runs", async () => {
    assert.match(await metrics.render(), /etcd_disk_wal_fsync_duration_seconds_count 0/);
  });

  it("count health answers, checks and scrapes", async () => {
    metrics.health.healthServed(true);
    metrics.health.healthServed(false);
    metrics.health.healthServed(false);
    metrics.health.checkRan("readyz", "linearizable_read", true);
    metrics.health.checkRan("readyz", "linearizable_read", false);
    metrics.timings.walSynced({ entries: 1, bytes: 1, durationMs: 1 });
    metrics.transport.started("/etcdserverpb.KV/Put", new Map());
    await metrics.render();
    const text = await metrics.render();
    for (const line of [
      "etcd_server_health_success 1",
      "etcd_server_health_failures 2",
      'etcd_server_healthcheck{name="linearizable_read",type="readyz"} 0',
      'etcd_server_healthchecks_total{name="linearizable_read",status="success",type="readyz"} 1',
      'etcd_server_healthchecks_total{name="linearizable_read",status="error",type="readyz"} 1',
      'promhttp_metric_handler_requests_total{code="200"} 1',
      "promhttp_metric_handler_requests_in_flight 1",
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
  });

  it("refuse a scrape with holes, and count it", async () => {
    const node = new FakeNode();
    let isBroken = true;
    const counters = () => {
      if (isBroken) throw new Error("stopped");
      return zeros;
    };
    metrics.attach({ node, counters });
    await assert.rejects(metrics.render(), /stopped/);
    isBroken = false;
    const text = await metrics.render();
    assert.match(text, /promhttp_metric_handler_requests_total\{code="500"\} 1\n/);
    assert.match(text, /promhttp_metric_handler_requests_in_flight 1\n/);
  });

  it("have the lag of the event loop by quantile", async () => {
    const text = await metrics.render();
    for (const quantile of ["0.5", "0.99", "0.999", "1"]) {
      assert.match(text, new RegExp(`metastore_event_loop_lag_seconds\\{quantile="${quantile}"\\} \\d`));
    }
  });
});
