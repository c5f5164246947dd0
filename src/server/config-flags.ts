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
    "Peer URLs of all members, comma-separated; the n-th is that of member n.",
  ),
  served(
    "metastore",
    "MEMBER",
    "port",
    "string",
    "",
    "Port, or HOST:PORT, of the plain HTTP API: PUT, GET and DELETE /KEY; POST /N with a peer URL adds member N, DELETE /N removes it. A bare port is bound to 127.0.0.1; off when not given.",
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
  served(
    "metastore",
    "CLUSTER",
    "join",
    "boolean",
    "false",
    "Join the cluster as a member that was added to it; --cluster names all members, this one too.",
  ),
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
    "URLs to listen on for the other members; those of --initial-advertise-peer-urls when not given.",
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
    "All members as NAME=URL,... (a name may repeat); NAME with its own peer URLs when not given.",
  ),
  served(
    "etcd",
    "CLUSTER",
    "initial-cluster-state",
    "choice",
    "new",
    "new: all members of --initial-cluster start now; existing: this member was added. Ignored on a restart.",
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

const consensusFlags: readonly FlagSpec[] = [
  served("etcd", "CLUSTER", "pre-vote", "boolean", "true", "Ask before an election whether it can be won."),
  served(
    "etcd",
    "CLUSTER",
    "initial-election-tick-advance",
    "boolean",
    "true",
    "At start wait for a leader only a moment instead of a whole election time-out.",
  ),
  served(
    "etcd",
    "CLUSTER",
    "strict-reconfig-check",
    "boolean",
    "true",
    "Refuse changes of members that would leave the cluster without a quorum.",
  ),
  served("etcd", "CLUSTER", "max-learners", "integer", "1", "Learners that the cluster may have at a time."),
  served(
    "etcd",
    "STORAGE",
    "snapshot-catchup-entries",
    "integer",
    "5000",
    "Log entries kept behind a snapshot, for members that are a little behind.",
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
  served("etcd", "SECURITY", "peer-cert-file", "string", "", "Certificate (PEM) for https peer URLs."),
  served("etcd", "SECURITY", "peer-key-file", "string", "", "Key of the peer certificate (PEM)."),
  served(
    "etcd",
    "SECURITY",
    "peer-trusted-ca-file",
    "string",
    "",
    "CA of the members' certificates (PEM); when given, members must present one.",
  ),
  served("etcd", "SECURITY", "peer-client-cert-auth", "boolean", "false", "Require certificates of members."),
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
  ...consensusFlags,
  ...limitFlags,
  ...securityFlags,
  ...acceptedFlags,
];
