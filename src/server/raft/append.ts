import { hex } from "./description.ts";
import type { RaftState } from "./state.ts";
import { type Entry, messageType } from "./types.ts";

/** What a leader adds to its own log (raft-core-spec 10.3, appendEntry). */

/** Counts `bytes` of proposed data toward the quota. False: there is too much already, the proposal is dropped. */
export function takeQuota(raft: RaftState, bytes: number): boolean {
  const { uncommittedBytes, settings } = raft;
  // The first on an empty tail always passes, whatever its size; so do empty entries, or no leader could begin.
  if (bytes > 0 && uncommittedBytes > 0 && uncommittedBytes + bytes > settings.uncommittedBytesMax) {
    raft.logger.warn(
      () =>
        `${hex(raft.id)} appending new entries to log would exceed uncommitted entry size limit; dropping proposal`,
    );
    return false;
  }
  raft.uncommittedBytes += bytes;
  return true;
}

/** Adds one entry with the next index; acknowledgeOwn must follow. */
export function pushEntry(raft: RaftState, type: Entry["type"], data: Uint8Array): void {
  raft.log.push({ term: raft.term, index: raft.log.lastIndex() + 1, type, data });
}

/** The leader's own acknowledgement is a message like any other's, stepped once its write is durable. */
export function acknowledgeOwn(raft: RaftState): void {
  if (raft.settings.coalesceAppends) raft.isSelfAckDue = true;
  else raft.send({ type: messageType.appResp, to: raft.id, index: raft.log.lastIndex() });
}
