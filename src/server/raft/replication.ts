import { assert } from "../../lib/assert.ts";
import { describeProgress, hex } from "./description.ts";
import { payloadBytes } from "./entry-run.ts";
import { type Progress, progressState } from "./progress.ts";
import type { RaftState } from "./state.ts";
import { type Entry, messageType } from "./types.ts";

/** What a leader sends to keep its peers' logs like its own (raft-core-spec 10.8). */

/** One append to the peer, or a snapshot where entries are gone. False: nothing was sent. */
export function maybeSendAppend(raft: RaftState, peer: Progress, sendIfEmpty: boolean): boolean {
  if (peer.isPaused) return false;
  const { log, settings } = raft;
  const prevIndex = peer.next - 1;
  const prevTerm = log.term(prevIndex);
  if (prevTerm === undefined) return maybeSendSnapshot(raft, peer);
  let entries: readonly Entry[] = [];
  // With the window full an empty append still goes out: it keeps a stream alive whose messages were all lost.
  if (peer.state !== progressState.replicate || !peer.inflights.isFull) {
    entries = log.entriesFrom(peer.next, settings.maxSizePerMessage);
  }
  if (entries.length === 0 && !sendIfEmpty) return false;
  raft.send({
    type: messageType.app,
    to: peer.id,
    index: prevIndex,
    logTerm: prevTerm,
    entries,
    commit: log.committed,
  });
  peer.sentEntries(entries.length, payloadBytes(entries));
  peer.sentCommit = log.committed;
  return true;
}

function maybeSendSnapshot(raft: RaftState, peer: Progress): boolean {
  const { log, logger } = raft;
  if (!peer.isRecentlyActive) {
    logger.debug(() => `ignore sending snapshot to ${hex(peer.id)} since it is not recently active`);
    return false;
  }
  const snapshot = log.snapshot();
  if (snapshot === undefined) {
    logger.debug(
      () =>
        `${hex(raft.id)} failed to send snapshot to ${hex(peer.id)} because snapshot is temporarily unavailable`,
    );
    return false;
  }
  const { index, term } = snapshot.metadata;
  assert(index > 0, "need non-empty snapshot");
  logger.debug(
    () =>
      `${hex(raft.id)} [firstindex: ${log.firstIndex()}, commit: ${log.committed}] sent snapshot[index: ${index}, term: ${term}] to ${hex(peer.id)} [${describeProgress(peer)}]`,
  );
  peer.becomeSnapshot(index);
  logger.debug(
    () =>
      `${hex(raft.id)} paused sending replication messages to ${hex(peer.id)} [${describeProgress(peer)}]`,
  );
  raft.send({ type: messageType.snap, to: peer.id, snapshot });
  return true;
}

/** Every peer is to hear of new entries or a new commit index: at once, or with the next Ready. */
export function broadcastAppend(raft: RaftState): void {
  if (raft.settings.coalesceAppends) {
    raft.isBroadcastDue = true;
    return;
  }
  for (const peer of raft.tracker.peers) {
    if (peer.id !== raft.id) maybeSendAppend(raft, peer, true);
  }
}

/** Sends what broadcastAppend has put off; the caller is about to hand out a Ready. */
export function flushAppends(raft: RaftState): void {
  if (raft.isSelfAckDue) {
    raft.isSelfAckDue = false;
    raft.send({ type: messageType.appResp, to: raft.id, index: raft.log.lastIndex() });
  }
  if (!raft.isBroadcastDue) return;
  raft.isBroadcastDue = false;
  for (const peer of raft.tracker.peers) {
    if (peer.id === raft.id) continue;
    sendAppends(raft, peer);
    if (peer.canBumpCommit(raft.log.committed)) maybeSendAppend(raft, peer, true);
  }
}

/** All that the peer does not have, as far as it may be sent now. */
export function sendAppends(raft: RaftState, peer: Progress): void {
  while (maybeSendAppend(raft, peer, false)) {}
}

/** Every peer hears that this member leads, and of the reads that wait. Nothing pauses a heartbeat. */
export function broadcastHeartbeat(raft: RaftState): void {
  const context = raft.reads.heartbeatContext();
  for (const peer of raft.tracker.peers) {
    if (peer.id === raft.id) continue;
    // A peer must not commit what it may not have.
    const commit = Math.min(peer.match, raft.log.committed);
    raft.send({ type: messageType.heartbeat, to: peer.id, commit, context });
    peer.sentCommit = commit;
  }
}
