import type { GrpcCode } from "../lib/errors.ts";
import type { HistogramCell, Labels, MetricsRegistry, Sample } from "../lib/metrics.ts";
import { exponentialBuckets } from "../lib/metrics.ts";
import type { CallContext, MethodHandler, TransportObserver } from "./api/index.ts";
import { ClientVersionCounts } from "./client-version-counts.ts";

/** One RPC that the server knows: its path ("/etcdserverpb.KV/Range") and how it streams. */
export interface ObservedMethod {
  readonly path: string;
  readonly kind: MethodHandler["kind"];
}

/** Status names as go-grpc-prometheus writes them, by code. */
const codeNames = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

const grpcTypes = { unary: "unary", serverStream: "server_stream", duplex: "bidi_stream" } as const;

interface MethodCounts {
  readonly labels: Labels;
  readonly handledLabels: readonly Labels[];
  readonly handled: number[];
  readonly seconds: HistogramCell | undefined;
  readonly byVersion: ClientVersionCounts;
  started: number;
  received: number;
  sent: number;
}

/**
 * grpc_server_* and etcd_network_client_grpc_* (etcd http.md section 5). Every known method and code is exposed
 * with 0 from the start. Paths that no row names share one counter, so that a hostile client cannot grow the
 * number of series.
 */
export class TransportMetrics implements TransportObserver {
  readonly #methods = new Map<string, MethodCounts>();
  #receivedBytes = 0;
  #sentBytes = 0;
  #unknownStarted = 0;

  /** `isExtensive`: also grpc_server_handling_seconds (flag --metrics=extensive). */
  constructor(registry: MetricsRegistry, methods: Iterable<ObservedMethod>, isExtensive: boolean) {
    const labelNames = ["grpc_type", "grpc_service", "grpc_method"];
    const handling = isExtensive
      ? registry.histogram({
          name: "grpc_server_handling_seconds",
          help: "Time that calls took on the server, from their first byte to their status, in seconds.",
          labelNames,
          buckets: exponentialBuckets(0.001, 2, 15),
        })
      : undefined;
    const requests = registry.counter({
      name: "etcd_server_client_requests_total",
      help: "Calls of gRPC clients, by the version that their client library says it is.",
      labelNames: ["type", "client_api_version"],
    });
    const ofVersion = (type: string) =>
      new ClientVersionCounts((version) => requests.cell({ type, client_api_version: version }));
    const byVersion = { unary: ofVersion("unary"), stream: ofVersion("stream") };
    for (const { path, kind } of methods) {
      const [, service = "", method = ""] = path.split("/");
      const labels = { grpc_type: grpcTypes[kind], grpc_service: service, grpc_method: method };
      this.#methods.set(path, {
        labels,
        handledLabels: codeNames.map((name) => ({ ...labels, grpc_code: name })),
        handled: codeNames.map(() => 0),
        seconds: handling?.cell(labels),
        byVersion: kind === "unary" ? byVersion.unary : byVersion.stream,
        started: 0,
        received: 0,
        sent: 0,
      });
    }
    const perMethod = (name: string, help: string, value: (counts: MethodCounts) => number): void =>
      registry.pulledCounter({ name, help, labelNames }, () =>
        Array.from(this.#methods.values(), (counts) => ({ labels: counts.labels, value: value(counts) })),
      );
    perMethod("grpc_server_started_total", "Calls that were started.", (counts) => counts.started);
    perMethod(
      "grpc_server_msg_received_total",
      "Messages received from clients.",
      ({ received }) => received,
    );
    perMethod("grpc_server_msg_sent_total", "Messages sent to clients.", ({ sent }) => sent);
    registry.pulledCounter(
      {
        name: "grpc_server_handled_total",
        help: "Calls that ended, by their status.",
        labelNames: [...labelNames, "grpc_code"],
      },
      () => this.#handledSamples(),
    );
    registry.pulledCounter(
      {
        name: "etcd_network_client_grpc_received_bytes_total",
        help: "Bytes of messages received from gRPC clients.",
      },
      () => this.#receivedBytes,
    );
    registry.pulledCounter(
      { name: "etcd_network_client_grpc_sent_bytes_total", help: "Bytes of messages sent to gRPC clients." },
      () => this.#sentBytes,
    );
    registry.pulledCounter(
      { name: "metastore_grpc_unknown_methods_total", help: "Calls of methods that the API does not have." },
      () => this.#unknownStarted,
    );
  }

  started(path: string, metadata: CallContext["metadata"]): void {
    const counts = this.#methods.get(path);
    if (counts === undefined) {
      this.#unknownStarted += 1;
      return;
    }
    counts.started += 1;
    counts.byVersion.cell(metadata.get("client-api-version")).value += 1;
  }

  handled(path: string, code: GrpcCode, durationMs: number): void {
    const counts = this.#methods.get(path);
    if (counts === undefined) return;
    counts.handled[code] = (counts.handled[code] ?? 0) + 1;
    counts.seconds?.observe(durationMs / 1e3);
  }

  received(path: string, bytes: number): void {
    this.#receivedBytes += bytes;
    const counts = this.#methods.get(path);
    if (counts !== undefined) counts.received += 1;
  }

  sent(path: string, bytes: number): void {
    this.#sentBytes += bytes;
    const counts = this.#methods.get(path);
    if (counts !== undefined) counts.sent += 1;
  }

  #handledSamples(): Sample[] {
    const samples: Sample[] = [];
    for (const { handledLabels, handled } of this.#methods.values()) {
      for (const [code, labels] of handledLabels.entries())
        samples.push({ labels, value: handled[code] ?? 0 });
    }
    return samples;
  }
}
