import { assert } from "../../lib/assert.ts";
import {
  type ConfChange,
  type ConfChangeV2,
  encodeConfChange,
  encodeConfChangeV2,
  isV2,
} from "./conf-change.ts";
import type { RaftConfig } from "./config.ts";
import { isLocalMessage, isResponseMessage, makeMessage } from "./messages.ts";
import { progressState } from "./progress.ts";
import { Raft } from "./raft.ts";
import { flushAppends } from "./replication.ts";
import type { RaftState } from "./state.ts";
import { type RaftStatus, statusOf } from "./status.ts";
import {
  type ConfState,
  type Entry,
  emptyHardState,
  entryType,
  type HardState,
  LOCAL_APPEND,
  LOCAL_APPLY,
  type Message,
  messageType,
  type Ready,
  type Role,
  type Snapshot,
  type SoftState,
} from "./types.ts";

/** Why a message was not taken, in etcd's words. */
export const stepError = {
  localMessage: "raft: cannot step raft local message",
  peerNotFound: "raft: cannot step as peer not found",
  proposalDropped: "raft proposal dropped",
} as const;
export type StepError = (typeof stepError)[keyof typeof stepError];

/**
 * The contract with the caller (raft-core-spec section 12). Duties of the caller with asynchronous storage writes:
 *  1. After any input, while hasReady(): take ready() and work on its messages in order.
 *  2. To peers: send; a message may be lost, delayed, doubled or overtaken. Tell of lost ones by reportUnreachable, of
 *     the end of a snapshot transfer by reportSnapshot.
 *  3. storageAppend: make its snapshot, then its entries, and its hard state durable, in order of arrival, then step or
 *     send its responses, each to the member it is for. Without responses it need not be durable at once.
 *  4. storageApply: apply its entries in order (membership changes also through applyConfChange; a refused one with
 *     node id 0), then step its responses.
 *  5. A failed write ends the member: its responses are never stepped.
 *  6. readStates: answer the reads behind a context once its index is applied.
 * With synchronous ones: persist, send, apply, then advance() before the next ready().
 */
export class RawNode {
  readonly #raft: Raft;
  /** Behind it all; for tests and simulators that look at it. */
  readonly state: RaftState;
  readonly #isAsync: boolean;
  #lastSoft: SoftState;
  #lastHard: HardState;
  /** Synchronous writes: what to step when the caller is done; undefined when it is. */
  #stepsOnAdvance: Message[] | undefined;

  constructor(config: RaftConfig) {
    this.#raft = new Raft(config);
    this.state = this.#raft.state;
    this.#isAsync = this.state.settings.asyncStorageWrites;
    this.#lastSoft = this.#softState();
    this.#lastHard = this.state.hardState();
  }

  get term(): number {
    return this.state.term;
  }

  /** 0: none known. */
  get leader(): bigint {
    return this.state.leader;
  }

  get role(): Role {
    return this.state.role;
  }

  get isLeader(): boolean {
    return this.state.leader === this.state.id;
  }

  get committed(): number {
    return this.state.log.committed;
  }

  /** Last entry whose storageApply was answered. */
  get applied(): number {
    return this.state.log.applied;
  }

  get lastIndex(): number {
    return this.state.log.lastIndex();
  }

  get confState(): ConfState {
    return this.state.tracker.confState();
  }

  /** This member leads, and `peer` follows by the log. */
  isReplicating(peer: bigint): boolean {
    return this.isLeader && this.state.tracker.get(peer)?.state === progressState.replicate;
  }

  status(): RaftStatus {
    return statusOf(this.state);
  }

  /** One unit of time: electionTicks and heartbeatTicks count these. */
  tick(): void {
    this.#raft.tick();
  }

  campaign(): void {
    this.#raft.campaign();
  }

  /** False: no leader to take it, or too much is uncommitted; nothing was appended. */
  propose(data: Uint8Array): boolean {
    return this.#raft.propose(data);
  }

  /**
   * False as for propose. True does not mean that it fits: one that comes too early becomes an empty entry. Without
   * a change (V2, auto, none) it leaves a joint configuration.
   */
  proposeConfChange(change: ConfChange | ConfChangeV2): boolean {
    if (isV2(change)) {
      return this.#raft.proposeConfChange(entryType.confChangeV2, encodeConfChangeV2(change));
    }
    return this.#raft.proposeConfChange(entryType.confChange, encodeConfChange(change));
  }

  /**
   * False: no leader known. The answer may get lost with a leader or a message: ask again after a while, with a new
   * context.
   */
  readIndex(context: Uint8Array): boolean {
    return this.#raft.readIndex(context);
  }

  /** Takes a message from a peer or an answer of storage. What cannot be taken is ignored; see tryStep. */
  step(message: Message): void {
    this.tryStep(message);
  }

  /** As step; says why the message was ignored. */
  tryStep(message: Message): StepError | undefined {
    const { type, from } = message;
    const isFromStorage = from === LOCAL_APPEND || from === LOCAL_APPLY;
    if (isLocalMessage(type) && !isFromStorage) return stepError.localMessage;
    if (isResponseMessage(type) && !isFromStorage && this.state.tracker.get(from) === undefined) {
      return stepError.peerNotFound;
    }
    return this.#raft.step(message) ? undefined : stepError.proposalDropped;
  }

  /**
   * Installs an applied membership change and returns the configuration that follows from it. Throws AssertionError
   * when it does not fit the one before.
   */
  applyConfChange(change: ConfChange | ConfChangeV2): ConfState {
    return this.#raft.applyConfChange(change);
  }

  /** Begins a cluster: an empty log gets one committed entry per member, which is the same on all of them. */
  bootstrap(changes: readonly ConfChange[]): void {
    // So that the first Ready persists the hard state.
    this.#lastHard = emptyHardState;
    this.#raft.bootstrap(changes);
  }

  /** The last messages to the peer were probably lost. */
  reportUnreachable(id: bigint): void {
    this.#raft.step(makeMessage({ type: messageType.unreachable, from: id }));
  }

  /** The snapshot to the peer was delivered, or was not. */
  reportSnapshot(id: bigint, succeeded: boolean): void {
    this.#raft.step(makeMessage({ type: messageType.snapStatus, from: id, reject: !succeeded }));
  }

  /** Asks the leader to hand over to `target`; nothing tells of failure but that the leader stays. */
  transferLeader(target: bigint): void {
    this.#raft.step(makeMessage({ type: messageType.transferLeader, from: target }));
  }

  /** A follower that knows its leader to be gone votes for another at once. */
  forgetLeader(): void {
    this.#raft.step(makeMessage({ type: messageType.forgetLeader }));
  }

  hasReady(): boolean {
    const { log, messages, messagesAfterAppend, readStates, isBroadcastDue } = this.state;
    return (
      messages.length > 0 ||
      messagesAfterAppend.length > 0 ||
      readStates.length > 0 ||
      log.unstable.hasNextEntries() ||
      log.unstable.nextSnapshot() !== undefined ||
      log.hasNextCommitted(!this.#isAsync) ||
      isBroadcastDue ||
      this.#isHardStateChanged() ||
      this.#isSoftStateChanged()
    );
  }

  ready(): Ready {
    assert(this.#stepsOnAdvance === undefined, "the Ready before was not advanced");
    const state = this.state;
    const { log } = state;
    const { unstable } = log;
    flushAppends(state);
    const softState = this.#isSoftStateChanged() ? this.#softState() : undefined;
    const hardState = this.#isHardStateChanged() ? state.hardState() : undefined;
    const entries = unstable.nextEntries();
    const snapshot = unstable.nextSnapshot();
    const committedEntries = log.nextCommitted(!this.#isAsync);
    const { messages, messagesAfterAppend, readStates } = state;
    const mustSync =
      entries.length > 0 || this.#lastHard.term !== state.term || this.#lastHard.vote !== state.vote;

    if (this.#isAsync) {
      const isAppend =
        entries.length > 0 ||
        hardState !== undefined ||
        snapshot !== undefined ||
        messagesAfterAppend.length > 0;
      if (isAppend) messages.push(this.#storageAppend(entries, hardState, snapshot));
      if (committedEntries.length > 0) messages.push(this.#storageApply(committedEntries));
    } else {
      this.#stepsOnAdvance = this.#deferred(messages, snapshot, committedEntries);
    }

    state.messages = [];
    state.messagesAfterAppend = [];
    state.readStates = [];
    unstable.acceptInProgress();
    log.acceptApplying(committedEntries, !this.#isAsync);
    if (softState !== undefined) this.#lastSoft = softState;
    if (hardState !== undefined) this.#lastHard = hardState;
    return { softState, readStates, messages, hardState, entries, snapshot, committedEntries, mustSync };
  }

  /** Synchronous writes: all that the last Ready asked for is done. */
  advance(): void {
    assert(!this.#isAsync, "Advance must not be called when using AsyncStorageWrites");
    const steps = this.#stepsOnAdvance ?? [];
    this.#stepsOnAdvance = undefined;
    for (const message of steps) this.#raft.step(message);
  }

  /** Answers to others wait only for this Ready's writes, which the caller does first; its own wait for advance(). */
  #deferred(
    messages: Message[],
    snapshot: Snapshot | undefined,
    committedEntries: readonly Entry[],
  ): Message[] {
    const { id, messagesAfterAppend } = this.state;
    const steps: Message[] = [];
    for (const message of messagesAfterAppend) {
      if (message.to === id) steps.push(message);
      else messages.push(message);
    }
    const appended = this.#storageAppendResp(snapshot);
    if (appended !== undefined) steps.push(appended);
    if (committedEntries.length > 0) steps.push(this.#storageApplyResp(committedEntries));
    return steps;
  }

  #storageAppend(
    entries: readonly Entry[],
    hardState: HardState | undefined,
    snapshot: Snapshot | undefined,
  ): Message {
    const { id, messagesAfterAppend } = this.state;
    const responses = messagesAfterAppend;
    // Last, so that this member's own acknowledgement is stepped while the entries are still unstable.
    const appended = this.#storageAppendResp(snapshot);
    if (appended !== undefined) responses.push(appended);
    return makeMessage({
      type: messageType.storageAppend,
      to: LOCAL_APPEND,
      from: id,
      entries,
      hardState,
      snapshot,
      responses,
    });
  }

  /**
   * Names the last entry of the log, not of this batch: a term change re-attests the whole tail. Undefined: there is
   * nothing that storage could make stable.
   */
  #storageAppendResp(snapshot: Snapshot | undefined): Message | undefined {
    const { log, id, term } = this.state;
    const hasEntries = log.unstable.length > 0;
    if (!hasEntries && snapshot === undefined) return undefined;
    return makeMessage({
      type: messageType.storageAppendResp,
      to: id,
      from: LOCAL_APPEND,
      term,
      index: hasEntries ? log.lastIndex() : 0,
      logTerm: hasEntries ? log.lastTerm() : 0,
      snapshot,
    });
  }

  #storageApply(entries: readonly Entry[]): Message {
    return makeMessage({
      type: messageType.storageApply,
      to: LOCAL_APPLY,
      from: this.state.id,
      entries,
      responses: [this.#storageApplyResp(entries)],
    });
  }

  #storageApplyResp(entries: readonly Entry[]): Message {
    return makeMessage({
      type: messageType.storageApplyResp,
      to: this.state.id,
      from: LOCAL_APPLY,
      entries,
    });
  }

  #softState(): SoftState {
    return { leader: this.state.leader, role: this.state.role };
  }

  #isSoftStateChanged(): boolean {
    return this.#lastSoft.leader !== this.state.leader || this.#lastSoft.role !== this.state.role;
  }

  #isHardStateChanged(): boolean {
    const { term, vote, log } = this.state;
    const last = this.#lastHard;
    return last.term !== term || last.vote !== vote || last.commit !== log.committed;
  }
}
