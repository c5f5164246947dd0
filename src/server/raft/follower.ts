import { describeMessageType, hex } from "./description.ts";
import { hup } from "./election.ts";
import { handleSnapshot } from "./snapshots.ts";
import type { RaftState } from "./state.ts";
import { type Entry, type Message, messageType, NONE } from "./types.ts";

/** More of them are a message of their own: it is lost as a whole. */
const FORWARDED_ENTRIES_MAX = 64;

/** Messages to a follower (raft-core-spec 10.5 and 10.6). False: a proposal was dropped. */
export function stepFollower(raft: RaftState, message: Message): boolean {
  const { logger } = raft;
  switch (message.type) {
    case messageType.prop:
      return forwardProposal(raft, message);
    case messageType.app:
    case messageType.heartbeat:
    case messageType.snap:
      raft.electionElapsed = 0;
      raft.leader = message.from;
      followLeader(raft, message);
      return true;
    case messageType.transferLeader:
      forward(raft, message, "leader transfer msg");
      return true;
    case messageType.readIndex:
      forward(raft, message, "index reading msg");
      return true;
    case messageType.forgetLeader:
      forgetLeader(raft);
      return true;
    case messageType.timeoutNow:
      logger.info(
        () =>
          `${hex(raft.id)} [term ${raft.term}] received MsgTimeoutNow from ${hex(message.from)} and starts an election to get leadership.`,
      );
      hup(raft, "transfer");
      return true;
    case messageType.readIndexResp:
      receiveReadIndex(raft, message);
      return true;
    default:
      return true;
  }
}

/** An append, a heartbeat or a snapshot from the leader. */
export function followLeader(raft: RaftState, message: Message): void {
  if (message.type === messageType.app) handleAppend(raft, message);
  else if (message.type === messageType.heartbeat) handleHeartbeat(raft, message);
  else handleSnapshot(raft, message);
}

function handleAppend(raft: RaftState, message: Message): void {
  const { log } = raft;
  const { index, logTerm, from } = message;
  if (index < log.committed) {
    // Out of date; what is committed matches for certain.
    raft.send({ type: messageType.appResp, to: from, index: log.committed });
    return;
  }
  const last = log.maybeAppend(index, logTerm, message.entries, message.commit);
  if (last !== undefined) {
    raft.send({ type: messageType.appResp, to: from, index: last });
    return;
  }
  raft.logger.debug(
    () =>
      `${hex(raft.id)} [logterm: ${log.term(index) ?? 0}, index: ${index}] rejected MsgApp [logterm: ${logTerm}, index: ${index}] from ${hex(from)}`,
  );
  // The leader skips at once what cannot match: all entries of terms above its own at that place.
  const hint = log.findConflictByTerm(Math.min(index, log.lastIndex()), logTerm);
  raft.send({
    type: messageType.appResp,
    to: from,
    index,
    reject: true,
    rejectHint: hint.index,
    logTerm: hint.term,
  });
}

function handleHeartbeat(raft: RaftState, message: Message): void {
  raft.log.commitTo(message.commit);
  raft.send({ type: messageType.heartbeatResp, to: message.from, context: message.context });
}

function forwardProposal(raft: RaftState, message: Message): boolean {
  const { logger, leader } = raft;
  if (leader === NONE) {
    logger.info(() => `${hex(raft.id)} no leader at term ${raft.term}; dropping proposal`);
    return false;
  }
  if (raft.settings.disableProposalForwarding) {
    logger.info(
      () => `${hex(raft.id)} not forwarding to leader ${hex(leader)} at term ${raft.term}; dropping proposal`,
    );
    return false;
  }
  if (!joinForwarded(raft, message)) {
    // A list of its own, for more may join it.
    raft.send({ type: messageType.prop, to: leader, from: message.from, entries: [...message.entries] });
  }
  return true;
}

/** Adds what is proposed to the proposal that leaves with the next Ready already (coalesceAppends). */
function joinForwarded({ settings, messages, leader }: RaftState, { from, entries }: Message): boolean {
  const last = messages[messages.length - 1];
  if (!settings.coalesceAppends || last?.type !== messageType.prop) return false;
  if (last.to !== leader || last.from !== from || last.entries.length >= FORWARDED_ENTRIES_MAX) return false;
  (last.entries as Entry[]).push(...entries);
  return true;
}

/** Passes the request on to the leader as it came. */
function forward(raft: RaftState, message: Message, name: string): void {
  if (raft.leader === NONE) {
    raft.logger.info(() => `${hex(raft.id)} no leader at term ${raft.term}; dropping ${name}`);
    return;
  }
  raft.send({ type: message.type, to: raft.leader, from: message.from, entries: message.entries });
}

/** Forgets whom it follows, so that it votes for another at once; its timers go on. */
function forgetLeader(raft: RaftState): void {
  const { logger, leader } = raft;
  if (!raft.reads.isSafe) {
    logger.error(() => "ignoring MsgForgetLeader due to ReadOnlyLeaseBased");
    return;
  }
  if (leader === NONE) return;
  logger.info(() => `${hex(raft.id)} forgetting leader ${hex(leader)} at term ${raft.term}`);
  raft.leader = NONE;
}

function receiveReadIndex(raft: RaftState, message: Message): void {
  const [entry] = message.entries;
  if (entry === undefined || message.entries.length !== 1) {
    raft.logger.error(
      () =>
        `${hex(raft.id)} invalid format of ${describeMessageType(message.type)} from ${hex(message.from)}, entries count: ${message.entries.length}`,
    );
    return;
  }
  raft.readStates.push({ index: message.index, context: entry.data });
}
