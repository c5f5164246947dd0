import { UsageError } from "../lib/errors.ts";
import { type PeerConfig, peerConfigOf } from "./config-peers.ts";
import type { Settings } from "./config-settings.ts";
import {
  isWildcard,
  type ListenAddress,
  parseAdvertiseUrls,
  parseHostPort,
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
  /** The other members and the way to them. */
  readonly peers: PeerConfig;
}

const localhost = "127.0.0.1";

/** Throws UsageError for what contradicts itself. */
export function topologyOf(settings: Settings, warnings: string[]): Topology {
  const peers = peerConfigOf(settings, warnings);
  const clientListeners = clientListenersOf(settings);
  return {
    name: peers.self.name,
    clientListeners,
    clientHttpListeners: parseListenUrls(settings.raw("listen-client-http-urls")),
    keyApiListener: settings.isSet("port") ? parseHostPort(settings.raw("port"), localhost) : undefined,
    metricsListeners: parseListenUrls(settings.raw("listen-metrics-urls")),
    advertiseClientUrls: advertisedClientUrls(settings, clientListeners, warnings),
    isAdvertiseGiven: settings.isSet("advertise-client-urls"),
    peers,
  };
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
