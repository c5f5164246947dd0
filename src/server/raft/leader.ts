import { describeProgress, hex } from "./description.ts";
import { type Progress, progressState } from "./progress.ts";
import { propose } from "./proposals.ts";
import { acknowledgeReads, releasePendingReads, requestRead } from "./reads.ts";
import { broadcastAppend, broadcastHeartbeat, maybeSendAppend, sendAppends } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { type Message, messageType, NONE } from "./types.ts";

/** Messages to a leader (raft-core-spec 10.3). False: a proposal was dropped. */
export function stepLeader(raft: RaftState, message: Message): boolean {
  switch (message.type) {
    case messageType.beat:
      broadcastHeartbeat(raft);
      return true;
    case messageType.checkQuorum:
      checkQuorum(raft);
      return true;
    case messageType.prop:
      return propose(raft, message.entries);
    case messageType.readIndex:
      requestRead(raft, message);
      return true;
    case messageType.forgetLeader:
      return true;
  }
  const peer = raft.tracker.get(message.from);
  if (peer === undefined) {
    raft.logger.debug(() => `${hex(raft.id)} no progress available for ${hex(message.from)}`);
    return true;
  }
  switch (message.type) {
    case messageType.appResp:
      peer.isRecentlyActive = true;
      if (message.reject) rejected(raft, peer, message);
      else accepted(raft, peer, message.index);
      return true;
    case messageType.heartbeatResp:
      peer.isRecentlyActive = true;
      peer.isFlowPaused = false;
      if (peer.match < raft.log.lastIndex() || peer.state === progressState.probe) {
        maybeSendAppend(raft, peer, true);
      }
      acknowledgeReads(raft, peer.id, message.context);
      return true;
    case messageType.snapStatus:
      snapshotEnded(raft, peer, !message.reject);
      return true;
    case messageType.unreachable:
      // Appends ahead of their answers were probably lost.
      if (peer.state === progressState.replicate) peer.becomeProbe();
      raft.logger.debug(
        () =>
          `${hex(raft.id)} failed to send message to ${hex(peer.id)} because it is unreachable [${describeProgress(peer)}]`,
      );
      return true;
    case messageType.transferLeader:
      transferLeader(raft, peer);
      return true;
    default:
      return true;
  }
}

/** A leader that no quorum was heard of since the last check leads nobody. */
function checkQuorum(raft: RaftState): void {
  if (!raft.tracker.isQuorumActive()) {
    raft.logger.warn(() => `${hex(raft.id)} stepped down to follower since quorum is not active`);
    becomeFollower(raft, raft.term, NONE);
  }
  for (const peer of raft.tracker.peers) if (peer.id !== raft.id) peer.isRecentlyActive = false;
}

/** The peer's log does not match at the index that an append was for. */
function rejected(raft: RaftState, peer: Progress, message: Message): void {
  const { log, logger } = raft;
  const { index, rejectHint, logTerm } = message;
  logger.debug(
    () =>
      `${hex(raft.id)} received MsgAppResp(rejected, hint: (index ${rejectHint}, term ${logTerm})) from ${hex(peer.id)} for index ${index}`,
  );
  // With the peer's term there, all of this log that is above it is skipped at once.
  const next = logTerm > 0 ? log.findConflictByTerm(rejectHint, logTerm).index : rejectHint;
  if (!peer.maybeDecreaseTo(index, next)) return;
  logger.debug(() => `${hex(raft.id)} decreased progress of ${hex(peer.id)} to [${describeProgress(peer)}]`);
  if (peer.state === progressState.replicate) peer.becomeProbe();
  maybeSendAppend(raft, peer, true);
}

/** The peer has all entries up to `index`. */
function accepted(raft: RaftState, peer: Progress, index: number): void {
  const { log, logger } = raft;
  const isNews = peer.maybeUpdate(index);
  if (!isNews && !(peer.match === index && peer.state === progressState.probe)) return;
  if (peer.state === progressState.probe) {
    peer.becomeReplicate();
  } else if (peer.state === progressState.replicate) {
    peer.inflights.freeThrough(index);
  } else if (peer.match + 1 >= log.firstIndex()) {
    // Whatever snapshot it has got, the log goes on from there.
    logger.debug(
      () =>
        `${hex(raft.id)} recovered from needing snapshot, resumed sending replication messages to ${hex(peer.id)} [${describeProgress(peer)}]`,
    );
    peer.becomeProbe();
    peer.becomeReplicate();
  }
  if (raft.maybeCommit()) {
    releasePendingReads(raft);
    broadcastAppend(raft);
  } else if (peer.id !== raft.id && peer.canBumpCommit(log.committed)) {
    // Its appends were held back, and the commit index with them.
    maybeSendAppend(raft, peer, true);
  }
  if (peer.id === raft.id) return;
  sendAppends(raft, peer);
  if (peer.id === raft.leadTransferee && peer.match === log.lastIndex()) {
    logger.info(() => `${hex(raft.id)} sent MsgTimeoutNow to ${hex(peer.id)} after received MsgAppResp`);
    raft.send({ type: messageType.timeoutNow, to: peer.id });
  }
}

/** The caller reports how sending a snapshot ended; the peer's own answer, or a heartbeat's, resumes appends. */
function snapshotEnded(raft: RaftState, peer: Progress, succeeded: boolean): void {
  if (peer.state !== progressState.snapshot) return;
  // Without a snapshot the peer is where it was.
  if (!succeeded) peer.pendingSnapshot = 0;
  peer.becomeProbe();
  raft.logger.debug(
    () =>
      `${hex(raft.id)} snapshot ${succeeded ? "succeeded" : "failed"}, resumed sending replication messages to ${hex(peer.id)} [${describeProgress(peer)}]`,
  );
  peer.isFlowPaused = true;
}

/** Hands leadership to the peer as soon as it has the whole log. */
function transferLeader(raft: RaftState, peer: Progress): void {
  const { id, logger, term } = raft;
  if (peer.isLearner) {
    logger.debug(() => `${hex(id)} is learner. Ignored transferring leadership`);
    return;
  }
  const before = raft.leadTransferee;
  if (before !== NONE) {
    if (before === peer.id) {
      logger.info(
        () =>
          `${hex(id)} [term ${term}] transfer leadership to ${hex(peer.id)} is in progress, ignores request to same node ${hex(peer.id)}`,
      );
      return;
    }
    raft.leadTransferee = NONE;
    logger.info(() => `${hex(id)} [term ${term}] abort previous transferring leadership to ${hex(before)}`);
  }
  if (peer.id === id) {
    logger.debug(() => `${hex(id)} is already leader. Ignored transferring leadership to self`);
    return;
  }
  logger.info(() => `${hex(id)} [term ${term}] starts to transfer leadership to ${hex(peer.id)}`);
  // It should be over within one election timeout; after that the transfer is given up.
  raft.electionElapsed = 0;
  raft.leadTransferee = peer.id;
  if (peer.match === raft.log.lastIndex()) {
    raft.send({ type: messageType.timeoutNow, to: peer.id });
    logger.info(
      () =>
        `${hex(id)} sends MsgTimeoutNow to ${hex(peer.id)} immediately as ${hex(peer.id)} already has up-to-date log`,
    );
  } else {
    maybeSendAppend(raft, peer, true);
  }
}
