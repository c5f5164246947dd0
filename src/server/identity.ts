import { createHash } from "node:crypto";

/**
 * Member and cluster ids, derived from what all members are started with, so that each computes the same ones
 * (etcd: membership of a new cluster). The first 8 bytes of a SHA-1 serve as the id; nothing secret rests on it.
 */
export function memberIdOf(peerUrls: readonly string[], clusterToken: string): bigint {
  return digest([...peerUrls].sort().join("") + clusterToken);
}

/** Of a member that is added to a running cluster: the time keeps it apart from one that had the URLs before. */
export function runtimeMemberIdOf(peerUrls: readonly string[], wallSeconds: number): bigint {
  return memberIdOf(peerUrls, String(wallSeconds));
}

export function clusterIdOf(memberIds: readonly bigint[]): bigint {
  const bytes = Buffer.alloc(8 * memberIds.length);
  const sorted = [...memberIds].sort((left, right) => (left < right ? -1 : 1));
  for (const [i, id] of sorted.entries()) bytes.writeBigUInt64BE(id, i * 8);
  return digest(bytes);
}

function digest(content: string | Buffer): bigint {
  return createHash("sha1").update(content).digest().readBigUInt64BE(0);
}
