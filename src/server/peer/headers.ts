import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { PeerIdentity } from "./types.ts";

/** The protocol that a stream is upgraded to. */
export const STREAM_PROTOCOL = "metastore-raft";
export const paths = { stream: "/raft/stream", snapshot: "/raft/snapshot", call: "/raft/call/" } as const;
/** "urgent" or "bulk". */
export const CHANNEL_HEADER = "x-raft-stream";
/** The row of errorTable that a call was answered with. */
export const ERROR_HEADER = "x-metastore-error";
export const CLUSTER_HEADER = "x-etcd-cluster-id";

const PEER_URLS_BYTES_MAX = 1_024;
const idPattern = /^[0-9a-f]{1,16}$/;

export function hexId(id: bigint): string {
  return id.toString(16);
}

/** An id in lower-case hexadecimal, as headers carry it; undefined when the text is none. */
export function parseHexId(text: unknown): bigint | undefined {
  return typeof text === "string" && idPattern.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** Who asks whom: the headers of every request between members (etcd http.md section 6, and X-Raft-To for all). */
export function requestHeaders(
  identity: PeerIdentity,
  to: bigint,
  serverVersion: string,
  peerUrls: readonly string[],
): OutgoingHttpHeaders {
  return {
    "X-Etcd-Cluster-ID": hexId(identity.clusterId),
    "X-Server-From": hexId(identity.memberId),
    "X-Raft-To": hexId(to),
    "X-Server-Version": serverVersion,
    "X-Peer-URLs": headerText(peerUrls),
  };
}

export interface RequestIdentity {
  readonly clusterId: bigint | undefined;
  readonly from: bigint | undefined;
  readonly to: bigint | undefined;
  readonly version: string;
  readonly peerUrls: string;
}

export function readIdentity(headers: IncomingHttpHeaders): RequestIdentity {
  return {
    clusterId: parseHexId(headers[CLUSTER_HEADER]),
    from: parseHexId(headers["x-server-from"]),
    to: parseHexId(headers["x-raft-to"]),
    version: String(headers["x-server-version"] ?? ""),
    peerUrls: String(headers["x-peer-urls"] ?? ""),
  };
}

/** The http and https URLs of an X-Peer-URLs header; other text in it is passed over. */
export function parsePeerUrls(header: string): string[] {
  return header.split(",").filter((url) => /^https?:\/\/[^/\s]+$/.test(url) && URL.canParse(url));
}

/** Members are told any URLs by MemberUpdate: what a header cannot hold is left out. */
function headerText(urls: readonly string[]): string {
  const text = urls.filter((url) => /^[\x21-\x7e]+$/.test(url)).join(",");
  return text.length <= PEER_URLS_BYTES_MAX ? text : "";
}
