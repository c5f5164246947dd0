import { assert } from "../../lib/assert.ts";
import { stepCandidate } from "./candidate.ts";
import { type ConfChange, type ConfChangeV2, encodeConfChange } from "./conf-change.ts";
import type { RaftConfig } from "./config.ts";
import { describeConfig, describeMessageType, hex } from "./description.ts";
import { answerVote, hup, isTransferVote } from "./election.ts";
import { entriesBytes, payloadBytes } from "./entry-run.ts";
import { stepFollower } from "./follower.ts";
import { stepLeader } from "./leader.ts";
import { restoreMembership } from "./membership.ts";
import { makeMessage } from "./messages.ts";
import { propose, proposeData } from "./proposals.ts";
import { applyConfChange, switchMembership } from "./reconfiguration.ts";
import { becomeFollower } from "./roles.ts";
import { RaftState } from "./state.ts";
import { votersOf } from "./tracker.ts";
import {
  type ConfState,
  type Entry,
  entryType,
  type Message,
  messageType,
  NONE,
  role,
  type Snapshot,
} from "./types.ts";

const NO_DATA = new Uint8Array(0);

/**
 * The consensus state machine (raft-core-spec sections 9 to 11): messages and ticks in; what comes of them gathers in
 * `state` until RawNode hands it out.
 */
export class Raft {
  readonly state: RaftState;

  constructor(config: RaftConfig) {
    const state = new RaftState(config);
    this.state = state;
    const { log, settings, id, logger } = state;
    const { hardState } = settings;
    switchMembership(state, restoreMembership(settings.confState, log.lastIndex(), settings));
    // A commit index below the snapshot is no contradiction: the snapshot itself says that more was committed.
    assert(
      hardState.commit <= log.lastIndex(),
      `hard state commits ${hardState.commit}, the log ends at ${log.lastIndex()}: entries were lost`,
    );
    log.commitTo(hardState.commit);
    state.term = hardState.term;
    state.vote = hardState.vote;
    if (settings.applied > log.applied) log.appliedTo(settings.applied, 0);
    becomeFollower(state, state.term, NONE);
    logger.info(
      () =>
        `newRaft ${hex(id)} [peers: [${votersOf(state.tracker.config).map(hex).join(",")}], term: ${state.term}, commit: ${log.committed}, applied: ${log.applied}, lastindex: ${log.lastIndex()}, lastterm: ${log.lastTerm()}]`,
    );
  }

  tick(): void {
    if (this.state.role === role.leader) this.#tickHeartbeat();
    else this.#tickElection();
  }

  #tickElection(): void {
    const { state } = this;
    state.electionElapsed++;
    if (state.electionElapsed < state.randomizedElectionTimeout || !state.isPromotable()) return;
    state.electionElapsed = 0;
    this.campaign();
  }

  #tickHeartbeat(): void {
    const { state } = this;
    const { settings } = state;
    state.heartbeatElapsed++;
    state.electionElapsed++;
    if (state.electionElapsed >= settings.electionTicks) {
      state.electionElapsed = 0;
      if (settings.checkQuorum) this.#stepLocal(messageType.checkQuorum);
      // A transfer that took an election timeout has failed: proposals are taken again.
      if (state.role === role.leader) state.leadTransferee = NONE;
    }
    if (state.role !== role.leader || state.heartbeatElapsed < settings.heartbeatTicks) return;
    state.heartbeatElapsed = 0;
    this.#stepLocal(messageType.beat);
  }

  #stepLocal(type: Message["type"]): void {
    this.step(makeMessage({ type, from: this.state.id }));
  }

  campaign(): void {
    hup(this.state, this.state.settings.preVote ? "preElection" : "election");
  }

  /** False: dropped, nothing was appended. */
  propose(data: Uint8Array): boolean {
    if (this.state.role === role.leader) return proposeData(this.state, data);
    return this.#proposeEntry(entryType.normal, data);
  }

  /** False: dropped. True does not mean that the change fits: one that does not becomes an empty entry. */
  proposeConfChange(type: Entry["type"], data: Uint8Array): boolean {
    return this.#proposeEntry(type, data);
  }

  #proposeEntry(type: Entry["type"], data: Uint8Array): boolean {
    const entries: Entry[] = [{ term: 0, index: 0, type, data }];
    return this.step(makeMessage({ type: messageType.prop, from: this.state.id, entries }));
  }

  /** Asks for a read index; its ReadState carries `context`. False: no leader known. */
  readIndex(context: Uint8Array): boolean {
    const { state } = this;
    if (state.role !== role.leader && state.leader === NONE) return false;
    const entries: Entry[] = [{ term: 0, index: 0, type: entryType.normal, data: context }];
    this.step(makeMessage({ type: messageType.readIndex, entries }));
    return true;
  }

  /** False: a proposal was dropped. */
  step(message: Message): boolean {
    const { state } = this;
    if (message.term > state.term) {
      if (!this.#meetsHigherTerm(message)) return true;
    } else if (message.term !== 0 && message.term < state.term) {
      this.#answerLowerTerm(message);
      return true;
    }
    switch (message.type) {
      case messageType.storageAppendResp:
        if (message.index !== 0) state.log.unstable.stableTo(message.logTerm, message.index);
        this.#snapshotInstalled(message.snapshot);
        return true;
      case messageType.storageApplyResp:
        this.#entriesApplied(message.entries);
        return true;
      case messageType.vote:
      case messageType.preVote:
        answerVote(state, message);
        return true;
    }
    if (state.role === role.leader) return stepLeader(state, message);
    if (state.role === role.follower) return stepFollower(state, message);
    return stepCandidate(state, message);
  }

  /** False: the message is ignored (raft-core-spec 10.1). */
  #meetsHigherTerm(message: Message): boolean {
    const { state } = this;
    const { type, from, term } = message;
    const name = describeMessageType(type);
    const isVoteRequest = type === messageType.vote || type === messageType.preVote;
    if (isVoteRequest && !isTransferVote(message) && this.#isInLease()) {
      // It has a leader and heard of it lately: who asks was cut off, or was removed and does not know it.
      const { log, settings } = state;
      state.logger.info(
        () =>
          `${hex(state.id)} [logterm: ${log.lastTerm()}, index: ${log.lastIndex()}, vote: ${hex(state.vote)}] ignored ${name} from ${hex(from)} [logterm: ${message.logTerm}, index: ${message.index}] at term ${state.term}: lease is not expired (remaining ticks: ${settings.electionTicks - state.electionElapsed})`,
      );
      return false;
    }
    // Nobody enters a term because of a question about it, or because the answer was yes.
    const isAboutFuture =
      type === messageType.preVote || (type === messageType.preVoteResp && !message.reject);
    if (isAboutFuture) return true;
    state.logger.info(
      () =>
        `${hex(state.id)} [term: ${state.term}] received a ${name} message with higher term from ${hex(from)} [term: ${term}]`,
    );
    const isFromLeader =
      type === messageType.app || type === messageType.heartbeat || type === messageType.snap;
    becomeFollower(state, term, isFromLeader ? from : NONE);
    return true;
  }

  #isInLease(): boolean {
    const { settings, leader, electionElapsed } = this.state;
    return settings.checkQuorum && leader !== NONE && electionElapsed < settings.electionTicks;
  }

  #answerLowerTerm(message: Message): void {
    const { state } = this;
    const { log, logger, settings } = state;
    const { type, from, term } = message;
    const name = describeMessageType(type);
    if (
      (settings.checkQuorum || settings.preVote) &&
      (type === messageType.heartbeat || type === messageType.app)
    ) {
      // The leader of an old term learns of the new one from this; it may never hear of it otherwise, because a
      // lease or a pre-vote keeps this member's elections from it.
      state.send({ type: messageType.appResp, to: from });
    } else if (type === messageType.preVote) {
      logger.info(
        () =>
          `${hex(state.id)} [logterm: ${log.lastTerm()}, index: ${log.lastIndex()}, vote: ${hex(state.vote)}] rejected ${name} from ${hex(from)} [logterm: ${message.logTerm}, index: ${message.index}] at term ${state.term}`,
      );
      state.send({ type: messageType.preVoteResp, to: from, term: state.term, reject: true });
    } else if (type === messageType.storageAppendResp) {
      // The entries may have been replaced since and replaced back; a write of the new term will say.
      if (message.index !== 0) {
        logger.info(
          () =>
            `${hex(state.id)} [term: ${state.term}] ignored entry appends from a ${name} message with lower term [term: ${term}]`,
        );
      }
      this.#snapshotInstalled(message.snapshot);
    } else {
      logger.info(
        () =>
          `${hex(state.id)} [term: ${state.term}] ignored a ${name} message with lower term from ${hex(from)} [term: ${term}]`,
      );
    }
  }

  #snapshotInstalled(snapshot: Snapshot | undefined): void {
    if (snapshot === undefined) return;
    const { index } = snapshot.metadata;
    this.state.log.unstable.stableSnapshotTo(index);
    this.#appliedTo(index, 0);
  }

  #entriesApplied(entries: readonly Entry[]): void {
    const { state } = this;
    const last = entries[entries.length - 1];
    if (last === undefined) return;
    this.#appliedTo(last.index, entriesBytes(entries));
    state.uncommittedBytes = Math.max(0, state.uncommittedBytes - payloadBytes(entries));
  }

  #appliedTo(index: number, bytes: number): void {
    const { log, tracker, pendingConfIndex, role: ownRole, logger } = this.state;
    log.appliedTo(Math.max(index, log.applied), bytes);
    const { config } = tracker;
    if (!config.autoLeave || log.applied < pendingConfIndex || ownRole !== role.leader) return;
    if (propose(this.state, [{ type: entryType.confChangeV2, data: NO_DATA }])) {
      logger.info(
        () => `initiating automatic transition out of joint configuration ${describeConfig(config)}`,
      );
    } else {
      logger.debug(
        () =>
          `not initiating automatic transition out of joint configuration ${describeConfig(config)}: raft proposal dropped`,
      );
    }
  }

  /** Installs an applied membership change and returns the configuration that follows from it. */
  applyConfChange(change: ConfChange | ConfChangeV2): ConfState {
    applyConfChange(this.state, change);
    return this.state.tracker.confState();
  }

  /** Seeds an empty log with committed membership entries (raft-core-spec 12, Bootstrap). */
  bootstrap(changes: readonly ConfChange[]): void {
    const { log } = this.state;
    assert(changes.length > 0 && log.lastIndex() === 0, "bootstrap needs members and an empty log");
    becomeFollower(this.state, 1, NONE);
    for (const [i, change] of changes.entries()) {
      log.push({ term: 1, index: i + 1, type: entryType.confChange, data: encodeConfChange(change) });
    }
    log.commitTo(changes.length);
    for (const change of changes) applyConfChange(this.state, change);
  }
}
