import { limits } from "../lib/limits.ts";
import { acceptedFlags } from "./config-flags-accepted.ts";
import type { FlagSpec, FlagType } from "./flag-spec.ts";

function served(
  family: FlagSpec["family"],
  group: FlagSpec["group"],
  name: string,
  type: FlagType,
  fallback: string,
  help: string,
  choices?: readonly string[],
): FlagSpec {
  const spec = { name, family, type, default: fallback, help, group, support: "served" } as const;
  return choices === undefined ? spec : { ...spec, choices };
}

const shortFlags: readonly FlagSpec[] = [
  served(
    "metastore",
    "MEMBER",
    "id",
    "integer",
    "",
    "Number of this member in --cluster, from 1; also its name.",
  ),
  served(
    "metastore",
    "CLUSTER",
    "cluster",
    "urls",
    "",
    "Peer URLs of all members, comma-separated; the n-th is that of member n. One member in this version.",
  ),
  served(
    "metastore",
    "MEMBER",
    "port",
    "string",
    "",
    "Port, or HOST:PORT, of the plain HTTP key API (curl). A bare port is bound to 127.0.0.1; off when not given.",
  ),
  served(
    "metastore",
    "MEMBER",
    "grpc-addr",
    "string",
    "",
    "HOST:PORT of the etcd API; :2379 listens on all interfaces. Short for --listen-client-urls.",
  ),
  served("metastore", "STORAGE", "storage", "choice", "memory", "Storage engine under the log.", ["memory"]),
  {
    name: "join",
    family: "metastore",
    type: "boolean",
    default: "false",
    help: "Join the cluster named by --cluster instead of starting a new one.",
    group: "CLUSTER",
    support: "refused",
    reason: "clusters come with a later version",
  },
];

const memberFlags: readonly FlagSpec[] = [
  served("etcd", "MEMBER", "name", "string", "default", "Name of this member."),
  served("etcd", "STORAGE", "data-dir", "string", "", "Data directory; NAME.metastore when not given."),
  served(
    "etcd",
    "MEMBER",
    "listen-client-urls",
    "urls",
    "http://localhost:2379",
    "URLs to listen on for the etcd API: gRPC, and health, version and metrics over HTTP.",
  ),
  served(
    "etcd",
    "MEMBER",
    "listen-client-http-urls",
    "urls",
    "",
    "URLs for HTTP alone; --listen-client-urls then serves gRPC alone.",
  ),
  served(
    "etcd",
    "MEMBER",
    "advertise-client-urls",
    "urls",
    "http://localhost:2379",
    "URLs that clients are told; those of --listen-client-urls when not given.",
  ),
  served("etcd", "MEMBER", "listen-metrics-urls", "urls", "", "Further URLs for health and metrics alone."),
  served("etcd", "MEMBER", "config-file", "string", "", "YAML file with etcd's flag names as keys."),
  served(
    "etcd",
    "CLUSTER",
    "listen-peer-urls",
    "urls",
    "http://localhost:2380",
    "URLs for members. One member has no peers: nothing is listened on in this version.",
  ),
  served(
    "etcd",
    "CLUSTER",
    "initial-advertise-peer-urls",
    "urls",
    "http://localhost:2380",
    "Peer URLs that this member tells the others.",
  ),
  served(
    "etcd",
    "CLUSTER",
    "initial-cluster",
    "list",
    "",
    "Members of a new cluster as NAME=URL,...; NAME with its own peer URLs when not given.",
  ),
  served(
    "etcd",
    "CLUSTER",
    "initial-cluster-state",
    "choice",
    "new",
    "Whether the cluster is new or exists.",
    ["new", "existing"],
  ),
  served("etcd", "CLUSTER", "initial-cluster-token", "string", "etcd-cluster", "Goes into the cluster id."),
  served(
    "etcd",
    "CLUSTER",
    "heartbeat-interval",
    "integer",
    "100",
    "Heartbeat of the leader, in milliseconds.",
  ),
  served(
    "etcd",
    "CLUSTER",
    "election-timeout",
    "integer",
    "1000",
    "Silence of the leader before an election, in milliseconds; 5 heartbeats to 50000.",
  ),
];

const limitFlags: readonly FlagSpec[] = [
  served(
    "etcd",
    "STORAGE",
    "snapshot-count",
    "integer",
    "10000",
    "Applied log entries between two snapshots.",
  ),
  served(
    "etcd",
    "STORAGE",
    "quota-backend-bytes",
    "integer",
    "0",
    `Storage quota in bytes; 0 = ${limits.quotaBytes}, negative = none.`,
  ),
  served(
    "etcd",
    "STORAGE",
    "auto-compaction-mode",
    "choice",
    "periodic",
    "Whether --auto-compaction-retention is a time or a number of revisions.",
    ["periodic", "revision"],
  ),
  served(
    "etcd",
    "STORAGE",
    "auto-compaction-retention",
    "string",
    "0",
    "History to keep: hours or a duration (periodic), or revisions; 0 = no automatic compaction.",
  ),
  served(
    "etcd",
    "LIMITS",
    "max-txn-ops",
    "integer",
    String(limits.txnOpsMax),
    "Operations in one transaction.",
  ),
  served(
    "etcd",
    "LIMITS",
    "max-request-bytes",
    "integer",
    String(limits.requestSizeBytesMax),
    "Largest request, in bytes.",
  ),
  served(
    "etcd",
    "LIMITS",
    "max-concurrent-streams",
    "integer",
    "65536",
    "Concurrent calls on one connection (etcd: no limit).",
  ),
  served(
    "etcd",
    "LIMITS",
    "grpc-keepalive-min-time",
    "duration",
    "5s",
    "Shortest time between a client's pings.",
  ),
  served("etcd", "LIMITS", "grpc-keepalive-interval", "duration", "2h", "Time between the server's pings."),
  served("etcd", "LIMITS", "grpc-keepalive-timeout", "duration", "20s", "Time for the answer to a ping."),
  served(
    "etcd",
    "LIMITS",
    "watch-progress-notify-interval",
    "duration",
    "0s",
    "Time between progress notices of idle watches, at least 100ms; 0 = 10m.",
  ),
];

const securityFlags: readonly FlagSpec[] = [
  served("etcd", "SECURITY", "cert-file", "string", "", "Server certificate (PEM) for https URLs."),
  served("etcd", "SECURITY", "key-file", "string", "", "Key of the server certificate (PEM)."),
  served(
    "etcd",
    "SECURITY",
    "trusted-ca-file",
    "string",
    "",
    "CA of client certificates (PEM); when given, clients must present one.",
  ),
  served("etcd", "SECURITY", "client-cert-auth", "boolean", "false", "Require client certificates."),
  served(
    "etcd",
    "SECURITY",
    "cors",
    "list",
    "*",
    "Origins of web pages that may call the HTTP endpoints; for the key API on --port only when set.",
  ),
  served("etcd", "SECURITY", "host-whitelist", "list", "*", "Host names that plain HTTP requests may name."),
  served("etcd", "LOGGING", "log-level", "choice", "info", "Least severe messages to log.", [
    "debug",
    "info",
    "warn",
    "error",
    "panic",
    "fatal",
  ]),
  served("etcd", "LOGGING", "log-format", "choice", "json", "JSON lines, or columns for people.", [
    "json",
    "console",
  ]),
  served(
    "etcd",
    "LOGGING",
    "log-outputs",
    "list",
    "default",
    "Where to log: stderr (default), stdout, or paths of files.",
  ),
  served(
    "etcd",
    "LOGGING",
    "warning-apply-duration",
    "duration",
    "100ms",
    "Log commands that take longer to apply.",
  ),
  served("etcd", "LOGGING", "metrics", "choice", "basic", "extensive adds histograms of call durations.", [
    "basic",
    "extensive",
  ]),
];

/**
 * Every flag of `metastore serve`: the short ones, then etcd's (etcd flags.md section 2). The command line, the
 * environment and the configuration file are all read through this table.
 */
export const serveFlags: readonly FlagSpec[] = [
  ...shortFlags,
  ...memberFlags,
  ...limitFlags,
  ...securityFlags,
  ...acceptedFlags,
];
