import { UsageError } from "../lib/errors.ts";
import type { Settings } from "./config-settings.ts";
import {
  isWildcard,
  type ListenAddress,
  parseAdvertiseUrls,
  parseHostPort,
  parseInitialCluster,
  parseListenUrls,
} from "./config-urls.ts";

/** Who this member is, who the others are, and where it listens. */
export interface Topology {
  readonly name: string;
  /** gRPC, with HTTP beside it unless `clientHttpListeners` has entries. */
  readonly clientListeners: readonly ListenAddress[];
  /** HTTP alone (--listen-client-http-urls). */
  readonly clientHttpListeners: readonly ListenAddress[];
  /** The plain key API (--port). */
  readonly keyApiListener: ListenAddress | undefined;
  readonly metricsListeners: readonly ListenAddress[];
  readonly advertiseClientUrls: readonly string[];
  /** False: advertiseClientUrls follow from the listeners, and a port 0 in them from what the system chooses. */
  readonly isAdvertiseGiven: boolean;
  readonly peerListeners: readonly ListenAddress[];
  readonly advertisePeerUrls: readonly string[];
  /** Name to peer URLs; one member in this version. */
  readonly initialCluster: ReadonlyMap<string, readonly string[]>;
  readonly initialClusterState: "new" | "existing";
  readonly initialClusterToken: string;
}

const localhost = "127.0.0.1";

/** Throws UsageError for what contradicts itself, and for clusters, which this version does not serve. */
export function topologyOf(settings: Settings, warnings: string[]): Topology {
  const { name, advertisePeerUrls, initialCluster } = membersOf(settings);
  const clientListeners = clientListenersOf(settings);
  return {
    name,
    clientListeners,
    clientHttpListeners: parseListenUrls(settings.raw("listen-client-http-urls")),
    keyApiListener: settings.isSet("port") ? parseHostPort(settings.raw("port"), localhost) : undefined,
    metricsListeners: parseListenUrls(settings.raw("listen-metrics-urls")),
    advertiseClientUrls: advertisedClientUrls(settings, clientListeners, warnings),
    isAdvertiseGiven: settings.isSet("advertise-client-urls"),
    peerListeners: parseListenUrls(settings.raw("listen-peer-urls")),
    advertisePeerUrls,
    initialCluster,
    initialClusterState: settings.choice("initial-cluster-state") === "existing" ? "existing" : "new",
    initialClusterToken: settings.text("initial-cluster-token"),
  };
}

interface Members {
  readonly name: string;
  readonly advertisePeerUrls: string[];
  readonly initialCluster: Map<string, string[]>;
}

function membersOf(settings: Settings): Members {
  const number = settings.isSet("id") ? settings.integer("id", { min: 1, max: 65_535 }) : undefined;
  const name = settings.isSet("name") || number === undefined ? settings.text("name") : String(number);
  const members = settings.isSet("cluster")
    ? membersByNumber(settings, name, number ?? 1)
    : membersByName(settings, name);
  if (members.initialCluster.size > 1) {
    throw new UsageError(
      `${settings.isSet("cluster") ? "--cluster" : "--initial-cluster"} names ` +
        `${members.initialCluster.size} members: clusters come with a later version`,
      "start one member: leave the flag out, or name one peer URL",
    );
  }
  return members;
}

/** --cluster: the n-th URL is member n, and its name is n unless it is this member and has a --name. */
function membersByNumber(settings: Settings, name: string, number: number): Members {
  for (const other of ["initial-cluster", "initial-advertise-peer-urls"]) {
    if (settings.isSet(other)) {
      throw new UsageError(
        `--cluster and ${settings.raw(other).source} say the same thing twice`,
        "use one of them",
      );
    }
  }
  const urls = parseAdvertiseUrls(settings.raw("cluster"));
  const own = urls[number - 1];
  if (own === undefined) {
    throw new UsageError(
      `--id=${number} is not in --cluster, which has ${urls.length} ${urls.length === 1 ? "URL" : "URLs"}`,
      "the n-th URL of --cluster is member n",
    );
  }
  const initialCluster = new Map(urls.map((url, i) => [i === number - 1 ? name : String(i + 1), [url]]));
  return { name, advertisePeerUrls: [own], initialCluster };
}

function membersByName(settings: Settings, name: string): Members {
  const advertisePeerUrls = parseAdvertiseUrls(settings.raw("initial-advertise-peer-urls"));
  if (!settings.isSet("initial-cluster")) {
    return { name, advertisePeerUrls, initialCluster: new Map([[name, advertisePeerUrls]]) };
  }
  const initialCluster = parseInitialCluster(settings.raw("initial-cluster"));
  const own = initialCluster.get(name);
  if (own === undefined) {
    throw new UsageError(
      `couldn't find local name ${JSON.stringify(name)} in the initial cluster configuration`,
      `add ${name}=${advertisePeerUrls[0] ?? "URL"} to --initial-cluster, or change --name`,
    );
  }
  if ([...own].sort().join() !== [...advertisePeerUrls].sort().join()) {
    throw new UsageError(
      `--initial-cluster has ${name}=${own.join(",")} but --initial-advertise-peer-urls is ` +
        advertisePeerUrls.join(","),
      "give both the same URLs",
    );
  }
  return { name, advertisePeerUrls, initialCluster };
}

function clientListenersOf(settings: Settings): ListenAddress[] {
  if (!settings.isSet("grpc-addr")) {
    const listeners = parseListenUrls(settings.raw("listen-client-urls"));
    if (listeners.length > 0) return listeners;
    throw new UsageError(
      "--listen-client-urls names no URL",
      "write --listen-client-urls=http://localhost:2379",
    );
  }
  if (settings.isSet("listen-client-urls")) {
    throw new UsageError(
      `--grpc-addr and ${settings.raw("listen-client-urls").source} say the same thing twice`,
      "use one of them",
    );
  }
  const address = parseHostPort(settings.raw("grpc-addr"), undefined);
  const secured = { ...address, isTls: settings.text("cert-file") !== "" };
  return [{ ...secured, url: urlOf(secured) }];
}

/**
 * etcd refuses --listen-client-urls without --advertise-client-urls. Here the listening URLs are advertised, which is
 * what everybody writes; only a wildcard has to be spelled out, since no client could connect to it.
 */
function advertisedClientUrls(
  settings: Settings,
  listeners: readonly ListenAddress[],
  warnings: string[],
): string[] {
  if (settings.isSet("advertise-client-urls"))
    return parseAdvertiseUrls(settings.raw("advertise-client-urls"));
  if (listeners.some((address) => !isWildcard(address))) return clientUrlsOf(listeners);
  if (settings.isSet("grpc-addr")) {
    warnings.push(
      "clients are told that this member is on localhost; add --advertise-client-urls when some run on other computers",
    );
    return clientUrlsOf(listeners);
  }
  throw new UsageError(
    "--advertise-client-urls is required when --listen-client-urls listens on all interfaces only",
    "add --advertise-client-urls=http://THIS-HOST:2379",
  );
}

/** The URLs of those listeners that a client could be told; when all are wildcards, as if they were on localhost. */
export function clientUrlsOf(listeners: readonly ListenAddress[]): string[] {
  const concrete = listeners.filter((address) => !isWildcard(address));
  if (concrete.length > 0) return concrete.map(urlOf);
  return listeners.map(({ port, isTls }) => urlOf({ host: "localhost", port, isTls }));
}

function urlOf({ host, port, isTls }: Omit<ListenAddress, "url">): string {
  return `${isTls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
