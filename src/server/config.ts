import { UsageError } from "../lib/errors.ts";
import { limits } from "../lib/limits.ts";
import { type AutoCompaction, parseAutoCompaction } from "./config-retention.ts";
import { Settings } from "./config-settings.ts";
import { type ConfigInput, resolveValues } from "./config-sources.ts";
import { type Topology, topologyOf } from "./config-topology.ts";
import type { EngineKind } from "./storage/index.ts";

/** Everything that `metastore serve` can be told, checked. Times in milliseconds, sizes in bytes. */
export interface Config extends Topology {
  readonly dataDir: string;
  readonly engine: EngineKind;
  /** What an engine on disk keeps in memory. */
  readonly cacheSizeBytes: number;
  readonly snapshotCount: number;
  readonly heartbeatIntervalMs: number;
  readonly electionTimeoutMs: number;
  /** An entry that takes longer to apply is logged. */
  readonly slowApplyMs: number;
  /** Number.MAX_SAFE_INTEGER when the quota is switched off. */
  readonly quotaBytes: number;
  /** Whether the NOSPACE alarm goes by itself when there is room again. */
  readonly isQuotaAlarmClearing: boolean;
  readonly autoCompaction: AutoCompaction;
  readonly txnOpsMax: number;
  readonly requestSizeBytesMax: number;
  readonly concurrentStreamsMax: number;
  readonly grpcTransport: "wire" | "grpc-js";
  readonly keepalive: {
    readonly minTimeMs: number;
    readonly intervalMs: number;
    readonly timeoutMs: number;
  };
  readonly watchProgressIntervalMs: number;
  /** Paths of PEM files; undefined when no listener has https. */
  readonly tls: TlsFiles | undefined;
  /** For the client and metrics listeners. */
  readonly corsOrigins: readonly string[];
  /** For the key API on --port: empty unless --cors was given, since its writes need no token. */
  readonly keyApiCorsOrigins: readonly string[];
  readonly hostWhitelist: readonly string[];
  readonly isMetricsExtensive: boolean;
  readonly log: LogConfig;
  /** What was ignored or has no effect, one sentence each: to be logged at start. */
  readonly warnings: readonly string[];
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** When given, clients must present a certificate that it signed. */
  readonly trustedCaFile: string | undefined;
}

export interface LogConfig {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "json" | "console";
  /** "stderr", "stdout" or paths of files. */
  readonly outputs: readonly string[];
}

const progressIntervalDefaultMs = 600_000;

/**
 * Command line, environment and configuration file as one checked Config (issue 2, point 7; etcd flags.md sections 1
 * and 2). Throws UsageError, with a hint, for the first thing that is wrong.
 */
export function loadConfig(input: ConfigInput): Config {
  const resolved = resolveValues(input);
  const warnings = [...resolved.warnings];
  const settings = new Settings(resolved.values);
  const topology = topologyOf(settings, warnings);
  const heartbeatIntervalMs = settings.integer("heartbeat-interval", { min: 1, max: 10_000 });
  const progressIntervalMs = settings.durationMs("watch-progress-notify-interval");
  if (progressIntervalMs !== 0 && progressIntervalMs < 100) {
    throw new UsageError(
      "--watch-progress-notify-interval is below 100ms",
      "write 100ms or more, or 0 for the default of 10m",
    );
  }
  const quotaBytes = settings.integer("quota-backend-bytes", {
    min: Number.MIN_SAFE_INTEGER,
    max: Number.MAX_SAFE_INTEGER,
  });
  const corsOrigins = settings.list("cors");
  return {
    ...topology,
    dataDir: dataDirOf(settings, topology.name),
    engine: settings.choice("storage") === "rocksdb" ? "rocksdb" : "memory",
    cacheSizeBytes: settings.integer("storage-cache-bytes", {
      min: limits.storageCacheBytesMin,
      max: Number.MAX_SAFE_INTEGER,
    }),
    snapshotCount: settings.integer("snapshot-count", { min: 1, max: Number.MAX_SAFE_INTEGER }),
    heartbeatIntervalMs,
    electionTimeoutMs: electionTimeoutOf(settings, heartbeatIntervalMs),
    slowApplyMs: settings.durationMs("warning-apply-duration"),
    quotaBytes: quotaBytes === 0 ? limits.quotaBytes : quotaBytes < 0 ? Number.MAX_SAFE_INTEGER : quotaBytes,
    isQuotaAlarmClearing: settings.boolean("quota-auto-clear"),
    autoCompaction: parseAutoCompaction(
      settings.choice("auto-compaction-mode"),
      settings.raw("auto-compaction-retention"),
    ),
    txnOpsMax: settings.integer("max-txn-ops", { min: 1, max: 1_000_000 }),
    requestSizeBytesMax: settings.integer("max-request-bytes", {
      min: limits.requestSizeBytesMin,
      max: limits.proposalBytesInFlightMax / 2,
    }),
    concurrentStreamsMax: settings.integer("max-concurrent-streams", { min: 1, max: 4_294_967_295 }),
    grpcTransport: settings.choice("grpc-transport") === "grpc-js" ? "grpc-js" : "wire",
    keepalive: {
      minTimeMs: settings.durationMs("grpc-keepalive-min-time"),
      intervalMs: settings.durationMs("grpc-keepalive-interval"),
      timeoutMs: settings.durationMs("grpc-keepalive-timeout"),
    },
    watchProgressIntervalMs: progressIntervalMs === 0 ? progressIntervalDefaultMs : progressIntervalMs,
    tls: tlsOf(settings, topology, warnings),
    corsOrigins,
    keyApiCorsOrigins: settings.isSet("cors") ? corsOrigins : [],
    hostWhitelist: settings.list("host-whitelist"),
    isMetricsExtensive: settings.choice("metrics") === "extensive",
    log: logOf(settings),
    warnings,
  };
}

function dataDirOf(settings: Settings, name: string): string {
  if (settings.isSet("data-dir")) return settings.text("data-dir");
  // The name becomes a path here; one that leaves the working directory would put data where nobody looks.
  if (/[/\\\0]/.test(name) || name === "." || name === "..") {
    throw new UsageError(
      `the name ${JSON.stringify(name)} cannot name a data directory`,
      "add --data-dir, or choose a name without slashes",
    );
  }
  return `${name}.metastore`;
}

function electionTimeoutOf(settings: Settings, heartbeatIntervalMs: number): number {
  const electionTimeoutMs = settings.integer("election-timeout", { min: 1, max: 50_000 });
  if (electionTimeoutMs < 5 * heartbeatIntervalMs) {
    throw new UsageError(
      `--election-timeout[${electionTimeoutMs}ms] should be at least as 5 times as ` +
        `--heartbeat-interval[${heartbeatIntervalMs}ms]`,
      `write --election-timeout=${5 * heartbeatIntervalMs} or more`,
    );
  }
  return electionTimeoutMs;
}

function tlsOf(settings: Settings, topology: Topology, warnings: string[]): TlsFiles | undefined {
  const certFile = settings.text("cert-file");
  const keyFile = settings.text("key-file");
  const trustedCaFile = settings.text("trusted-ca-file");
  if ((certFile === "") !== (keyFile === "")) {
    throw new UsageError(
      "--cert-file and --key-file belong together",
      `add ${certFile === "" ? "--cert-file" : "--key-file"}`,
    );
  }
  if (settings.boolean("client-cert-auth") && trustedCaFile === "") {
    throw new UsageError(
      "--client-cert-auth needs the CA that signs the clients' certificates",
      "add --trusted-ca-file",
    );
  }
  const secureClient = [...topology.clientListeners, ...topology.clientHttpListeners].find((at) => at.isTls);
  const secureMetrics = topology.metricsListeners.find((at) => at.isTls);
  if (certFile !== "") {
    if (secureClient === undefined && secureMetrics === undefined) {
      warnings.push("a certificate is given but no URL to listen on has https: traffic is not encrypted");
      return undefined;
    }
    return { certFile, keyFile, trustedCaFile: trustedCaFile === "" ? undefined : trustedCaFile };
  }
  if (secureClient !== undefined) {
    throw new UsageError(
      `TLS key/cert (--cert-file, --key-file) must be provided for client url ${secureClient.url} with HTTPS scheme`,
      "add --cert-file and --key-file, or listen on http://",
    );
  }
  if (secureMetrics !== undefined) {
    throw new UsageError(
      "client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url " +
        secureMetrics.url,
      "add --cert-file and --key-file, or listen on http://",
    );
  }
  return undefined;
}

function logOf(settings: Settings): LogConfig {
  const level = settings.choice("log-level");
  const outputs = settings.list("log-outputs").map((output) => (output === "default" ? "stderr" : output));
  return {
    level: level === "debug" || level === "info" || level === "warn" ? level : "error",
    format: settings.choice("log-format") === "console" ? "console" : "json",
    outputs: outputs.length === 0 ? ["stderr"] : [...new Set(outputs)],
  };
}
