import { isIP } from "node:net";
import { RequestError } from "../../lib/errors.ts";

const peerUrlPattern = /^(https?):\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/;

/**
 * The peer URLs of a member to be: http or https, host and port, no path; at least one, none twice (semantics-cluster
 * A3). Sorted, as every member keeps them. Unix sockets, which etcd takes, are no way to a member here.
 *
 * Throws RequestError memberUrlsInvalid.
 */
export function parsePeerUrls(urls: readonly string[]): string[] {
  const parsed = urls.map((url) => url.trim());
  const isDistinct = new Set(parsed.map((url) => url.toLowerCase())).size === parsed.length;
  if (parsed.length === 0 || !isDistinct || !parsed.every(isPeerUrl)) {
    throw new RequestError("memberUrlsInvalid");
  }
  return parsed.sort();
}

function isPeerUrl(url: string): boolean {
  const [, , host = "", port = ""] = peerUrlPattern.exec(url) ?? [];
  const isHost = host.startsWith("[") ? isIP(host.slice(1, -1)) === 6 : host !== "";
  return isHost && Number(port) >= 1 && Number(port) <= 65_535;
}
