import { isIP } from "node:net";
import { UsageError } from "../lib/errors.ts";
import { parseList, type RawValue } from "./config-values.ts";

/** One address to listen on. `host` is an IP address, "localhost", or "0.0.0.0" for all IPv4 interfaces. */
export interface ListenAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly isTls: boolean;
  /** As given, for logs. */
  readonly url: string;
}

interface UrlParts {
  readonly scheme: "http" | "https";
  readonly host: string;
  readonly port: number;
  readonly url: string;
}

const urlPattern = /^([a-z]+):\/\/(\[[0-9a-fA-F:.%\w]+\]|[^:/?#@[\]]*)(?::(\d{1,5}))?\/?$/;

/** URLs to listen on: an IP address or localhost, and a port (etcd flags.md section 1). Throws UsageError. */
export function parseListenUrls(value: RawValue): ListenAddress[] {
  const addresses = parseList(value).map((url) => {
    const { scheme, host, port } = parseUrl(url, value.source);
    if (host !== "localhost" && isIP(host) === 0) {
      throw new UsageError(
        `${value.source}: expected an IP address in the URL to listen on, not ${JSON.stringify(host)} (${url})`,
        `write ${scheme}://0.0.0.0:${port} for all interfaces, or the address of one`,
      );
    }
    return { host, port, isTls: scheme === "https", url };
  });
  refuseDuplicates(
    addresses.filter(({ port }) => port !== 0).map(({ host, port }) => `${host}:${port}`),
    value.source,
  );
  return addresses;
}

/** URLs that others are told: scheme, host and port. Throws UsageError. */
export function parseAdvertiseUrls(value: RawValue): string[] {
  const urls = parseList(value).map((url) => {
    const { scheme, host, port } = parseUrl(url, value.source);
    return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  });
  refuseDuplicates(urls, value.source);
  return urls;
}

/**
 * Where to listen for those who come to `advertised`: the same address, or all interfaces when a name stands there,
 * since it may mean another address to others.
 */
export function parseAdvertisedListeners(advertised: readonly string[]): ListenAddress[] {
  const addresses = advertised.map((url) => {
    const { scheme, host, port } = parseUrl(url, "peer URL");
    const isAddress = host === "localhost" || isIP(host) !== 0;
    return {
      host: isAddress ? host : "0.0.0.0",
      port,
      isTls: scheme === "https",
      url: isAddress ? url : `${scheme}://0.0.0.0:${port}`,
    };
  });
  // Several names for one port need one listener.
  return addresses.filter(({ url }, i) => addresses.findIndex((other) => other.url === url) === i);
}

/** A peer URL in the notation in which equal ones compare equal: host names have no case. */
export function comparableUrl(url: string): string {
  return url.toLowerCase().replace(/\/$/, "");
}

/**
 * "PORT", "HOST:PORT" or ":PORT" (all interfaces). `bareHost` is the host of a bare port; undefined refuses one.
 * Throws UsageError.
 */
export function parseHostPort({ text, source }: RawValue, bareHost: string | undefined): ListenAddress {
  const match = /^(?:(\[[^\]]+\]|[^:]*):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2] ?? Number.NaN);
  if (match === null || port > 65_535 || (match[1] === undefined && bareHost === undefined)) {
    throw new UsageError(
      `${source}: ${JSON.stringify(text)} is no ${bareHost === undefined ? "HOST:PORT" : "PORT or HOST:PORT"}`,
      `write ${source}=127.0.0.1:2379, or ${source}=:2379 for all interfaces`,
    );
  }
  const given = match[1]?.replace(/^\[|\]$/g, "");
  const host = given === undefined ? (bareHost ?? "") : given === "" ? "0.0.0.0" : given;
  if (host !== "localhost" && isIP(host) === 0) {
    throw new UsageError(
      `${source}: ${JSON.stringify(host)} is neither an IP address nor localhost`,
      `write ${source}=:${port} for all interfaces`,
    );
  }
  return {
    host,
    port,
    isTls: false,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
  };
}

/** Whether the address stands for all interfaces, and so for none that a client could be told. */
export function isWildcard({ host }: ListenAddress): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** "NAME=URL,NAME=URL": the URLs of each name, in order. A name may repeat. Throws UsageError. */
export function parseInitialCluster(value: RawValue): Map<string, string[]> {
  const members = new Map<string, string[]>();
  for (const item of parseList(value)) {
    const equals = item.indexOf("=");
    if (equals <= 0) {
      throw new UsageError(
        `${value.source}: ${JSON.stringify(item)} has no member name`,
        "write NAME=URL, comma-separated: default=http://localhost:2380",
      );
    }
    const name = item.slice(0, equals);
    const urls = parseAdvertiseUrls({ text: item.slice(equals + 1), source: value.source });
    members.set(name, [...(members.get(name) ?? []), ...urls]);
  }
  const urls = [...members.values()].flat().map(comparableUrl);
  const twice = urls.find((url, i) => urls.indexOf(url) !== i);
  if (twice !== undefined) {
    throw new UsageError(
      `${value.source}: initial cluster ${value.text} has duplicated url ${twice}`,
      "each member has peer URLs of its own",
    );
  }
  return members;
}

function parseUrl(url: string, source: string): UrlParts {
  const match = urlPattern.exec(url);
  const scheme = match?.[1];
  if (scheme === "unix" || scheme === "unixs" || /^unixs?:\/\//.test(url)) {
    throw new UsageError(
      `${source}: unix sockets are not served by this version (${url})`,
      "use http://127.0.0.1:PORT for programs on this computer",
    );
  }
  if (match === null || (scheme !== "http" && scheme !== "https")) {
    throw new UsageError(
      `${source}: ${JSON.stringify(url)} is no URL of the form http://HOST:PORT`,
      "write http:// or https://, a host, a colon and a port, and no path",
    );
  }
  const host = (match[2] ?? "").replace(/^\[|\]$/g, "");
  if (match[3] === undefined || host === "") {
    throw new UsageError(
      `${source}: URL address does not have the form "host:port": ${url}`,
      `write ${scheme}://${host === "" ? "127.0.0.1" : host}:2379`,
    );
  }
  const port = Number(match[3]);
  if (port > 65_535) {
    throw new UsageError(`${source}: ${port} is no port (${url})`, "ports go from 0 to 65535");
  }
  return { scheme, host, port, url };
}

function refuseDuplicates(items: readonly string[], source: string): void {
  const twice = items.find((item, i) => items.indexOf(item) !== i);
  if (twice !== undefined)
    throw new UsageError(`${source}: ${twice} is named twice`, "name each address once");
}
