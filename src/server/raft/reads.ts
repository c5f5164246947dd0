import { broadcastHeartbeat } from "./replication.ts";
import type { RaftState } from "./state.ts";
import { type Message, messageType, NONE } from "./types.ts";

/** Reads that a leader confirms (raft-core-spec section 11). */

export function requestRead(raft: RaftState, request: Message): void {
  // An earlier leader may have committed more than this one knows; alone too, after a restart.
  if (raft.hasCommittedInTerm()) confirmRead(raft, request);
  else raft.pendingReads.push(request);
}

/** Asks a quorum whether this member still leads, unless there is nobody to ask or the lease says so. */
function confirmRead(raft: RaftState, request: Message): void {
  const { reads, tracker, log } = raft;
  if (tracker.isSingleton || !reads.isSafe) {
    respondToRead(raft, request, log.committed);
    return;
  }
  reads.add({ request, index: log.committed });
  reads.acknowledge(raft.id, reads.heartbeatContext());
  broadcastHeartbeat(raft);
}

/** The first entry of the term is committed: what waited for it goes on. */
export function releasePendingReads(raft: RaftState): void {
  if (raft.pendingReads.length === 0) return;
  const requests = raft.pendingReads;
  raft.pendingReads = [];
  for (const request of requests) confirmRead(raft, request);
}

/** A peer has answered a heartbeat. */
export function acknowledgeReads(raft: RaftState, from: bigint, context: Uint8Array): void {
  if (!raft.reads.isSafe || context.length === 0) return;
  raft.reads.acknowledge(from, context);
  for (const { request, index } of raft.reads.takeConfirmed(raft.tracker.config)) {
    respondToRead(raft, request, index);
  }
}

function respondToRead(raft: RaftState, request: Message, index: number): void {
  if (request.from === NONE || request.from === raft.id) {
    raft.readStates.push({ index, context: request.entries[0]!.data });
  } else {
    raft.send({ type: messageType.readIndexResp, to: request.from, index, entries: request.entries });
  }
}
