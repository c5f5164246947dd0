import { describeMessageType, hex } from "./description.ts";
import { broadcastAppend } from "./replication.ts";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { votersOf } from "./tracker.ts";
import { type Message, messageType, NONE, role } from "./types.ts";

/** Elections (raft-core-spec 9.3, 10.2, 10.4). */

/** transfer: the leader asked for it, so no lease keeps the others from voting. */
export type CampaignKind = "preElection" | "election" | "transfer";

/** In the context of votes of a transfer. */
const TRANSFER_CONTEXT = new TextEncoder().encode("CampaignTransfer");

export function isTransferVote(message: Message): boolean {
  const { context } = message;
  return (
    context.length === TRANSFER_CONTEXT.length && context.every((byte, i) => byte === TRANSFER_CONTEXT[i])
  );
}

/** Starts an election, unless this member may not lead or has a membership change to apply first. */
export function hup(raft: RaftState, kind: CampaignKind): void {
  const { log, logger } = raft;
  if (raft.role === role.leader) {
    logger.debug(() => `${hex(raft.id)} ignoring MsgHup because already leader`);
    return;
  }
  if (!raft.isPromotable()) {
    logger.warn(() => `${hex(raft.id)} is unpromotable and can not campaign`);
    return;
  }
  if (log.hasConfChange(log.applied + 1, log.committed + 1)) {
    logger.warn(
      () =>
        `${hex(raft.id)} cannot campaign at term ${raft.term} since there are still pending configuration changes to apply`,
    );
    return;
  }
  logger.info(() => `${hex(raft.id)} is starting a new election at term ${raft.term}`);
  campaign(raft, kind);
}

function campaign(raft: RaftState, kind: CampaignKind): void {
  const isPre = kind === "preElection";
  if (isPre) becomePreCandidate(raft);
  else becomeCandidate(raft);
  // A pre-candidate asks about the term that it does not enter yet.
  const term = isPre ? raft.term + 1 : raft.term;
  const type = isPre ? messageType.preVote : messageType.vote;
  const index = raft.log.lastIndex();
  const logTerm = raft.log.lastTerm();
  for (const id of votersOf(raft.tracker.config)) {
    if (id === raft.id) {
      // Its own vote counts once it is durable, like any other.
      raft.send({ type: isPre ? messageType.preVoteResp : messageType.voteResp, to: id, term });
      continue;
    }
    raft.logger.info(
      () =>
        `${hex(raft.id)} [logterm: ${logTerm}, index: ${index}] sent ${describeMessageType(type)} request to ${hex(id)} at term ${raft.term}`,
    );
    const context = kind === "transfer" ? { context: TRANSFER_CONTEXT } : {};
    raft.send({ type, to: id, term, index, logTerm, ...context });
  }
}

/** A vote or pre-vote is asked of this member, whatever its role. */
export function answerVote(raft: RaftState, message: Message): void {
  const { log, vote } = raft;
  const { from, type } = message;
  const isPre = type === messageType.preVote;
  const responseType = isPre ? messageType.preVoteResp : messageType.voteResp;
  const canVote =
    vote === from || (vote === NONE && raft.leader === NONE) || (isPre && message.term > raft.term);
  const isGranted = canVote && log.isUpToDate(message.index, message.logTerm);
  raft.logger.info(
    () =>
      `${hex(raft.id)} [logterm: ${log.lastTerm()}, index: ${log.lastIndex()}, vote: ${hex(vote)}] ${isGranted ? "cast" : "rejected"} ${describeMessageType(type)} ${isGranted ? "for" : "from"} ${hex(from)} [logterm: ${message.logTerm}, index: ${message.index}] at term ${raft.term}`,
  );
  if (!isGranted) {
    raft.send({ type: responseType, to: from, term: raft.term, reject: true });
    return;
  }
  // The term of the request: a pre-vote is for a term that nobody is in yet.
  raft.send({ type: responseType, to: from, term: message.term });
  if (isPre) return;
  raft.electionElapsed = 0;
  raft.vote = from;
}

/** An answer to this candidate's or pre-candidate's request. */
export function receiveVote(raft: RaftState, message: Message): void {
  const { tracker, logger } = raft;
  const name = describeMessageType(message.type);
  logger.info(
    () =>
      `${hex(raft.id)} received ${name}${message.reject ? " rejection" : ""} from ${hex(message.from)} at term ${raft.term}`,
  );
  tracker.recordVote(message.from, !message.reject);
  const { granted, rejected, result } = tracker.tallyVotes();
  logger.info(() => `${hex(raft.id)} has received ${granted} ${name} votes and ${rejected} vote rejections`);
  if (result === "lost") {
    // A pre-candidate's lost question says nothing of the term it asked about, so it stays in its own.
    becomeFollower(raft, raft.term, NONE);
  } else if (result === "won") {
    if (raft.role === role.preCandidate) {
      campaign(raft, "election");
    } else {
      becomeLeader(raft);
      broadcastAppend(raft);
    }
  }
}
