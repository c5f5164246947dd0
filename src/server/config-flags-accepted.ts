import type { FlagSpec, FlagSupport, FlagType } from "./flag-spec.ts";

function flag(
  support: FlagSupport,
  group: FlagSpec["group"],
  name: string,
  type: FlagType,
  fallback: string,
  help: string,
  reason: string,
): FlagSpec {
  return { name, family: "etcd", type, default: fallback, help, group, support, reason };
}

const ownPeerTimeouts = "connections of members have time-outs of their own here";
const noComparison = "members do not compare their content while they run";
const onePeerCert = "a member presents its --peer-cert-file to those that it dials, too";
const noTracing = "traces are not exported by this version";
const noAuth = "users and roles are not served by this version";
const noDiscovery = "discovery is not served: name the members in --initial-cluster";
const noBolt = "the storage engine is not bbolt";
const noGateway = "the JSON gateway is not served by this version";

const inert = (
  group: FlagSpec["group"],
  name: string,
  type: FlagType,
  fallback: string,
  help: string,
  reason: string,
): FlagSpec => flag("inert", group, name, type, fallback, help, reason);

const refused = (
  group: FlagSpec["group"],
  name: string,
  type: FlagType,
  fallback: string,
  help: string,
  reason: string,
): FlagSpec => flag("refused", group, name, type, fallback, help, reason);

const inertFlags: readonly FlagSpec[] = [
  inert(
    "STORAGE",
    "max-wals",
    "integer",
    "5",
    "Log files to keep.",
    "log files go when a snapshot covers them",
  ),
  inert("STORAGE", "unsafe-no-fsync", "boolean", "false", "Do not sync.", "writes are always synced here"),
  inert("STORAGE", "memory-mlock", "boolean", "false", "Lock memory.", "Node cannot lock its memory"),
  inert("STORAGE", "backend-bbolt-freelist-type", "string", "map", "Free list of bbolt.", noBolt),
  inert("STORAGE", "backend-batch-interval", "duration", "0s", "Commit interval of bbolt.", noBolt),
  inert("STORAGE", "backend-batch-limit", "integer", "0", "Commit batch of bbolt.", noBolt),
  inert(
    "STORAGE",
    "bootstrap-defrag-threshold-megabytes",
    "integer",
    "0",
    "Defragment at start when that frees so much.",
    "the memory engine has nothing to defragment",
  ),
  inert(
    "STORAGE",
    "compaction-batch-limit",
    "integer",
    "0",
    "Records per bite.",
    "bites are bounded by time",
  ),
  inert(
    "STORAGE",
    "compaction-sleep-interval",
    "duration",
    "0s",
    "Pause of bites.",
    "bites are bounded by time",
  ),
  inert(
    "STORAGE",
    "corrupt-check-time",
    "duration",
    "0s",
    "Time between comparisons of members.",
    noComparison,
  ),
  inert(
    "STORAGE",
    "compact-hash-check-time",
    "duration",
    "1m",
    "Time between hash comparisons.",
    noComparison,
  ),
  inert("CLUSTER", "raft-read-timeout", "duration", "5s", "Read time-out of peers.", ownPeerTimeouts),
  inert("CLUSTER", "raft-write-timeout", "duration", "5s", "Write time-out of peers.", ownPeerTimeouts),
  inert(
    "CLUSTER",
    "downgrade-check-time",
    "duration",
    "5s",
    "Time between downgrade checks.",
    "downgrades are not served by this version",
  ),
  inert(
    "SECURITY",
    "peer-skip-client-san-verification",
    "boolean",
    "false",
    "Skip SANs of peers.",
    "a peer's address is not compared with its certificate anyway",
  ),
  inert("SECURITY", "client-cert-file", "string", "", "Certificate of the gateway.", noGateway),
  inert("SECURITY", "client-key-file", "string", "", "Key of the gateway.", noGateway),
  inert("SECURITY", "self-signed-cert-validity", "integer", "1", "Years.", "certificates are not made here"),
  inert("SECURITY", "bcrypt-cost", "integer", "10", "Cost of password hashes.", noAuth),
  inert("SECURITY", "auth-token-ttl", "integer", "300", "Seconds a token lives.", noAuth),
  inert("LIMITS", "enable-grpc-gateway", "boolean", "false", "Serve the JSON gateway.", noGateway),
  inert("LIMITS", "socket-reuse-port", "boolean", "false", "SO_REUSEPORT.", "Node 20 does not offer it"),
  inert("LIMITS", "socket-reuse-address", "boolean", "false", "SO_REUSEADDR.", "Node always sets it"),
  inert(
    "LIMITS",
    "feature-gates",
    "list",
    "",
    "Features of etcd to switch.",
    "etcd's feature gates mean nothing here",
  ),
  inert("LOGGING", "logger", "string", "zap", "Name of the logger.", "there is one logger"),
  inert(
    "LOGGING",
    "enable-pprof",
    "boolean",
    "false",
    "Serve /debug/pprof.",
    "Go's profiles do not exist in Node",
  ),
  inert(
    "LOGGING",
    "enable-log-rotation",
    "boolean",
    "false",
    "Rotate log files.",
    "logs are not rotated here",
  ),
  inert("LOGGING", "log-rotation-config-json", "string", "", "Log rotation.", "logs are not rotated here"),
  inert(
    "LOGGING",
    "warning-unary-request-duration",
    "duration",
    "300ms",
    "Log slower requests.",
    "slow requests are not logged by this version",
  ),
  inert("LOGGING", "enable-distributed-tracing", "boolean", "false", "Export traces.", noTracing),
  inert("LOGGING", "distributed-tracing-address", "string", "localhost:4317", "Collector.", noTracing),
  inert(
    "LOGGING",
    "distributed-tracing-service-name",
    "string",
    "etcd",
    "Service name of traces.",
    noTracing,
  ),
  inert("LOGGING", "distributed-tracing-instance-id", "string", "", "Instance id of traces.", noTracing),
  inert("LOGGING", "distributed-tracing-sampling-rate", "integer", "0", "Traces per million.", noTracing),
];

const refusedFlags: readonly FlagSpec[] = [
  refused("STORAGE", "wal-dir", "string", "", "Directory of the log.", "the log lives in the data directory"),
  refused(
    "STORAGE",
    "force-new-cluster",
    "boolean",
    "false",
    "Restart as one member.",
    "a cluster that lost its quorum is not rebuilt by this version",
  ),
  refused("CLUSTER", "discovery-token", "string", "", "Discovery.", noDiscovery),
  refused("CLUSTER", "discovery-endpoints", "list", "", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-dial-timeout", "duration", "2s", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-request-timeout", "duration", "5s", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-keepalive-time", "duration", "2s", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-keepalive-timeout", "duration", "6s", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-insecure-transport", "boolean", "true", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-insecure-skip-tls-verify", "boolean", "false", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-cert", "string", "", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-key", "string", "", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-cacert", "string", "", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-user", "string", "", "Discovery.", noDiscovery),
  inert("CLUSTER", "discovery-password", "string", "", "Discovery.", noDiscovery),
  refused("CLUSTER", "discovery-srv", "string", "", "DNS discovery.", noDiscovery),
  inert("CLUSTER", "discovery-srv-name", "string", "", "DNS discovery.", noDiscovery),
  inert("CLUSTER", "discovery-fallback", "string", "exit", "When discovery fails.", noDiscovery),
  refused(
    "SECURITY",
    "auto-tls",
    "boolean",
    "false",
    "Self-signed certificate.",
    "certificates are not made here",
  ),
  refused(
    "SECURITY",
    "client-crl-file",
    "string",
    "",
    "Revoked client certificates.",
    "they would be let in",
  ),
  refused(
    "SECURITY",
    "client-cert-allowed-hostname",
    "list",
    "",
    "Allowed hosts of client certificates.",
    "all hosts would be let in",
  ),
  refused(
    "SECURITY",
    "peer-auto-tls",
    "boolean",
    "false",
    "Self-signed certificates of peers.",
    "certificates are not made here",
  ),
  refused("SECURITY", "peer-client-cert-file", "string", "", "Client certificate for peers.", onePeerCert),
  refused("SECURITY", "peer-client-key-file", "string", "", "Client key for peers.", onePeerCert),
  refused("SECURITY", "peer-crl-file", "string", "", "Revoked peer certificates.", "they would be let in"),
  refused(
    "SECURITY",
    "peer-cert-allowed-cn",
    "list",
    "",
    "Allowed names of peer certificates.",
    "all names would be let in",
  ),
  refused(
    "SECURITY",
    "peer-cert-allowed-hostname",
    "list",
    "",
    "Allowed hosts of peer certificates.",
    "all hosts would be let in",
  ),
  refused("SECURITY", "cipher-suites", "list", "", "Allowed ciphers.", "Node's own list would be used"),
  refused("SECURITY", "tls-min-version", "string", "TLS1.2", "Oldest TLS.", "TLS 1.2 and 1.3 are served"),
  refused("SECURITY", "tls-max-version", "string", "", "Newest TLS.", "TLS 1.2 and 1.3 are served"),
  refused("SECURITY", "auth-token", "string", "simple", "Kind of tokens.", noAuth),
];

/** Flags that etcd itself accepts and ignores (etcd flags.md section 1). */
const legacyNames = [
  "cluster-active-size",
  "cluster-remove-delay",
  "cluster-sync-interval",
  "config",
  "force",
  "max-result-buffer",
  "max-retry-attempts",
  "peer-heartbeat-interval",
  "peer-election-timeout",
  "retry-interval",
  "snapshot",
  "v",
  "vv",
];

const legacyFlags: readonly FlagSpec[] = legacyNames.map((name) =>
  flag("legacy", "LIMITS", name, "string", "", "Ignored, as etcd does.", "etcd ignores it too"),
);

/** etcd's flags that are known here and not served. */
export const acceptedFlags: readonly FlagSpec[] = [...inertFlags, ...refusedFlags, ...legacyFlags];
