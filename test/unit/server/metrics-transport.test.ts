import assert from "node:assert/strict";
import { grpcCode } from "../../../src/lib/errors.ts";
import { limits } from "../../../src/lib/limits.ts";
import { MetricsRegistry } from "../../../src/lib/metrics.ts";
import { TransportMetrics } from "../../../src/server/metrics-transport.ts";

const methods = [
  { path: "/etcdserverpb.KV/Put", kind: "unary" },
  { path: "/etcdserverpb.Watch/Watch", kind: "duplex" },
  { path: "/etcdserverpb.Maintenance/Snapshot", kind: "serverStream" },
] as const;

const ofVersion = (version: string) => new Map([["client-api-version", version]]);

describe("The metrics of the transport", () => {
  it("expose every method and code with 0 from the start", async () => {
    const registry = new MetricsRegistry();
    new TransportMetrics(registry, methods, false);
    const text = await registry.render();
    assert.equal(text.match(/^grpc_server_handled_total\{.*\} 0$/gm)?.length, 3 * 17);
    assert.equal(text.match(/^grpc_server_started_total\{.*\} 0$/gm)?.length, 3);
    assert.ok(!text.includes("grpc_server_handling_seconds"));
  });

  it("count as etcd's test expects them, label by label", async () => {
    const registry = new MetricsRegistry();
    const transport = new TransportMetrics(registry, methods, false);
    for (let i = 0; i < 6; i++) {
      transport.started("/etcdserverpb.Watch/Watch", ofVersion("3.5.9"));
      transport.handled("/etcdserverpb.Watch/Watch", grpcCode.canceled, 5);
    }
    transport.started("/etcdserverpb.KV/Put", new Map());
    transport.received("/etcdserverpb.KV/Put", 100);
    transport.received("/etcdserverpb.KV/Put", 20);
    transport.sent("/etcdserverpb.KV/Put", 7);
    const text = await registry.render();
    for (const line of [
      'grpc_server_handled_total{grpc_code="Canceled",grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 6',
      'grpc_server_started_total{grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 6',
      'grpc_server_msg_received_total{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 2',
      'grpc_server_msg_sent_total{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1',
      'grpc_server_started_total{grpc_method="Snapshot",grpc_service="etcdserverpb.Maintenance",grpc_type="server_stream"} 0',
      'etcd_server_client_requests_total{client_api_version="3.5.9",type="stream"} 6',
      'etcd_server_client_requests_total{client_api_version="unknown",type="unary"} 1',
      "etcd_network_client_grpc_received_bytes_total 120",
      "etcd_network_client_grpc_sent_bytes_total 7",
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
  });

  it("keep the number of series bounded, whatever versions clients invent", async () => {
    const registry = new MetricsRegistry();
    const transport = new TransportMetrics(registry, methods, false);
    for (let i = 0; i < 10_000; i++) transport.started("/etcdserverpb.KV/Put", ofVersion(`3.${i}`));
    const series = (await registry.render()).match(/^etcd_server_client_requests_total\{.*$/gm) ?? [];
    assert.equal(series.length, limits.clientVersionsMax + 3, "with other, and unknown for each type");
  });

  it("keep the number of series fixed, whatever methods clients invent", async () => {
    const registry = new MetricsRegistry();
    const transport = new TransportMetrics(registry, methods, true);
    const before = (await registry.render()).split("\n").length;
    for (let i = 0; i < 10_000; i++) {
      const path = `/evil.Service${i}/M`;
      transport.started(path, ofVersion(`3.${i}`));
      transport.received(path, 1);
      transport.sent(path, 1);
      transport.handled(path, grpcCode.unimplemented, 1);
    }
    const text = await registry.render();
    assert.equal(text.split("\n").length, before);
    assert.match(text, /\nmetastore_grpc_unknown_methods_total 10000\n/);
  });

  it("add durations in seconds when they are extensive", async () => {
    const registry = new MetricsRegistry();
    const transport = new TransportMetrics(registry, methods, true);
    transport.handled("/etcdserverpb.KV/Put", grpcCode.ok, 250);
    assert.match(
      await registry.render(),
      /grpc_server_handling_seconds_sum\{grpc_method="Put",grpc_service="etcdserverpb\.KV",grpc_type="unary"\} 0\.25\n/,
    );
  });
});
