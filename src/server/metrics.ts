import type { Clock } from "../lib/clock.ts";
import { EventLoopLag } from "../lib/event-loop-lag.ts";
import { type CounterFamily, MetricsRegistry } from "../lib/metrics.ts";
import type { CheckKind, HealthObserver, MetricsPage } from "./api/http/index.ts";
import type { TransportObserver } from "./api/index.ts";
import { type MetricsSources, type ReportedVersions, registerNodeMetrics } from "./metrics-node.ts";
import { registerPeerMetrics } from "./metrics-peer.ts";
import { registerTimings, type TimingHooks } from "./metrics-timings.ts";
import { type ObservedMethod, TransportMetrics } from "./metrics-transport.ts";
import type { PeerObserver } from "./peer/index.ts";

export interface ServerMetricsOptions {
  readonly clock: Clock;
  readonly versions: ReportedVersions;
  /** Every method of the API, for the families that are exposed with 0 from the start. */
  readonly methods: Iterable<ObservedMethod>;
  /** Flag --metrics=extensive. */
  readonly isExtensive: boolean;
}

/**
 * All metrics of one member. Made first, because the WAL and the transport report into it; `attach` follows when
 * the node runs. Names are etcd's where they mean the same here; metastore_* are ours. Not exposed, because there
 * is nothing behind them: go_*, etcd_server_go_version, etcd_grpc_proxy_*, etcd_debugging_store_* (the v2 store),
 * etcd_disk_backend_commit_* (bbolt), etcd_debugging_auth_revision,
 * etcd_debugging_snap_save_marshalling_* and etcd_snap_fsync_* (snapshots are encoded and synced piece by piece).
 */
export class ServerMetrics implements MetricsPage {
  readonly timings: TimingHooks;
  readonly transport: TransportObserver;
  readonly health: HealthObserver;
  readonly #registry = new MetricsRegistry();
  readonly #versions: ReportedVersions;
  readonly #lag: EventLoopLag;
  readonly #scrapes: CounterFamily;
  #scrapesInFlight = 0;

  constructor({ clock, versions, methods, isExtensive }: ServerMetricsOptions) {
    this.#versions = versions;
    this.timings = registerTimings(this.#registry, clock);
    this.transport = new TransportMetrics(this.#registry, methods, isExtensive);
    this.health = registerHealth(this.#registry);
    this.#registry.collectProcessMetrics();
    this.#lag = new EventLoopLag(clock);
    this.#registry.pulledGauge(
      {
        name: "metastore_event_loop_lag_seconds",
        help: "How late the event loop ran within the last 30 to 60 seconds, by quantile; 1 is the worst.",
        labelNames: ["quantile"],
      },
      () => {
        const { p50, p99, p999, max } = this.#lag.read();
        return [
          { labels: { quantile: "0.5" }, value: p50 },
          { labels: { quantile: "0.99" }, value: p99 },
          { labels: { quantile: "0.999" }, value: p999 },
          { labels: { quantile: "1" }, value: max },
        ];
      },
    );
    this.#scrapes = this.#registry.counter({
      name: "promhttp_metric_handler_requests_total",
      help: "Scrapes, by HTTP status.",
      labelNames: ["code"],
    });
    for (const code of ["200", "500"]) this.#scrapes.cell({ code });
    this.#registry.pulledGauge(
      { name: "promhttp_metric_handler_requests_in_flight", help: "Scrapes being answered." },
      () => this.#scrapesInFlight,
    );
  }

  /** Adds what is counted on the way to the other members. Call once. */
  observePeers(memberId: bigint): PeerObserver {
    return registerPeerMetrics(this.#registry, memberId);
  }

  /** Adds what is pulled from the running node. Call once. */
  attach(sources: MetricsSources): void {
    registerNodeMetrics(this.#registry, sources, this.#versions);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition text. Rejects when a source throws: a scrape with holes would pass for a healthy one. */
  async render(): Promise<string> {
    this.#scrapesInFlight += 1;
    try {
      const text = await this.#registry.render();
      this.#scrapes.cell({ code: "200" }).value += 1;
      return text;
    } catch (error) {
      this.#scrapes.cell({ code: "500" }).value += 1;
      throw error;
    } finally {
      this.#scrapesInFlight -= 1;
    }
  }

  /** Names of all families, sorted. */
  names(): string[] {
    return this.#registry.names();
  }

  close(): void {
    this.#lag.close();
  }
}

/** etcd_server_health_* and etcd_server_healthcheck* (etcd http.md sections 2.2, 2.3). */
function registerHealth(registry: MetricsRegistry): HealthObserver {
  const successes = registry
    .counter({ name: "etcd_server_health_success", help: "Answers of /health that said healthy." })
    .cell();
  const failures = registry
    .counter({ name: "etcd_server_health_failures", help: "Answers of /health that said unhealthy." })
    .cell();
  const last = new Map<string, { kind: CheckKind; name: string; passed: boolean }>();
  registry.pulledGauge(
    {
      name: "etcd_server_healthcheck",
      help: "The last result of each check: 1 passed, 0 failed.",
      labelNames: ["type", "name"],
    },
    () =>
      Array.from(last.values(), ({ kind, name, passed }) => ({
        labels: { type: kind, name },
        value: passed ? 1 : 0,
      })),
  );
  const checks = registry.counter({
    name: "etcd_server_healthchecks_total",
    help: "Results of the checks of /livez and /readyz.",
    labelNames: ["type", "name", "status"],
  });
  return {
    healthServed(isHealthy) {
      (isHealthy ? successes : failures).value += 1;
    },
    checkRan(kind, name, passed) {
      last.set(`${kind}/${name}`, { kind, name, passed });
      checks.cell({ type: kind, name, status: passed ? "success" : "error" }).value += 1;
    },
  };
}
