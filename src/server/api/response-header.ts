import type { ResponseHeader } from "../../codec/index.ts";
import type { ServerNode } from "../node/index.ts";

/** What every header says of the member that answers. */
export type HeaderSource = Pick<ServerNode, "clusterId" | "memberId" | "term">;

/** A complete header: the member that answers, its term, and `revision` (0 for Cluster.*). */
export function headerAt(revision: number, node: HeaderSource): ResponseHeader {
  return { clusterId: node.clusterId, memberId: node.memberId, revision, raftTerm: node.term };
}

/**
 * Fills what apply and the store leave open of the outermost header; inner headers of a transaction stay as they
 * are (semantics-kv-mvcc 5.5).
 */
export function completeHeader(response: { header: ResponseHeader | undefined }, node: ServerNode): void {
  const { header } = response;
  if (header === undefined) {
    response.header = headerAt(node.kv.currentRevision, node);
    return;
  }
  header.clusterId = node.clusterId;
  header.memberId = node.memberId;
  header.raftTerm = node.term;
}
