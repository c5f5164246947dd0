import type { ResponseHeader } from "../../codec/index.ts";
import { RequestError } from "../../lib/errors.ts";

/** Revision of an empty store: the first write makes 2 (semantics-kv-mvcc 1). */
export const FIRST_REVISION = 1;
/** The compact revision of a store that was never compacted. */
export const NEVER_COMPACTED = -1;

/** What bounds the revisions a request may name. */
export interface RevisionWindow {
  readonly currentRevision: number;
  readonly compactRevision: number;
}

/** Throws futureRevision or compacted when history at `revision` cannot be read; reading at the compact revision can. */
export function assertReadable(revision: number, window: RevisionWindow): void {
  if (revision > window.currentRevision) throw new RequestError("futureRevision");
  if (revision < window.compactRevision) throw new RequestError("compacted");
}

/** The store knows only the revision; the services fill in the rest. */
export function headerAt(revision: number): ResponseHeader {
  return { clusterId: 0n, memberId: 0n, revision, raftTerm: 0 };
}
