import { UsageError } from "../lib/errors.ts";

/** One server address. */
export interface Endpoint {
  /** As people write it and as errors name it: host:port, without a scheme. */
  readonly name: string;
  /** What gRPC dials. */
  readonly target: string;
  /** True for https:// and unixs://, false for http:// and unix://, undefined when the address does not say. */
  readonly secure: boolean | undefined;
}

const schemes = new Map([
  ["http", { secure: false, socket: false }],
  ["https", { secure: true, socket: false }],
  ["unix", { secure: false, socket: true }],
  ["unixs", { secure: true, socket: true }],
]);
const defaultPort = "2379";

/**
 * Reads `host`, `host:port`, `[v6]:port`, `http(s)://host:port` or `unix(s)://path`; the port is 2379 when absent.
 *
 * @throws UsageError when the text is none of these
 */
export function parseEndpoint(text: string): Endpoint {
  const trimmed = text.trim();
  const match = /^([a-z]+):\/\/(.*)$/i.exec(trimmed);
  const scheme = match ? schemes.get(match[1]!.toLowerCase()) : undefined;
  if (match && !scheme) throw invalidEndpoint(text, "the scheme must be http, https, unix or unixs");
  const rest = match ? match[2]! : trimmed;
  if (scheme?.socket) return { name: trimmed, target: `unix:${rest}`, secure: scheme.secure };
  const address = /^(\[[0-9a-f:.%]+\]|[^:/\s[\]]+)(?::(\d{1,5}))?\/?$/i.exec(rest);
  if (!address) throw invalidEndpoint(text, "write it as host:port");
  const port = address[2] ?? defaultPort;
  if (Number(port) > 65_535 || Number(port) === 0)
    throw invalidEndpoint(text, "the port must be from 1 to 65535");
  const name = `${address[1]}:${port}`;
  return { name, target: `dns:${name}`, secure: scheme?.secure };
}

/**
 * Reads one comma-separated text or a list of addresses.
 *
 * @throws UsageError when one is invalid or there is none
 */
export function parseEndpoints(endpoints: string | readonly string[]): Endpoint[] {
  const texts = typeof endpoints === "string" ? endpoints.split(",") : endpoints;
  const parsed = texts.filter((text) => text.trim() !== "").map(parseEndpoint);
  if (parsed.length === 0)
    throw new UsageError("no endpoint given", "name at least one server, such as 127.0.0.1:2379");
  return parsed;
}

function invalidEndpoint(text: string, hint: string): UsageError {
  return new UsageError(`invalid endpoint ${JSON.stringify(text)}`, hint);
}
