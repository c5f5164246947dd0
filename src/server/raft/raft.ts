import { assert } from "../../lib/assert.ts";
import type { Log } from "../../lib/log.ts";
import type { Prng } from "../../lib/prng.ts";
import { type ConfChange, confChangeType, encodeConfChange } from "./conf-change.ts";
import { RaftLog } from "./log.ts";
import type { StableLog } from "./memory-log.ts";
import {
  type ConfState,
  type Entry,
  emptyConfState,
  entryType,
  type HardState,
  type Message,
  messageType,
  NONE,
  type ReadState,
  type Role,
  role,
} from "./types.ts";

export interface RaftConfig {
  readonly id: bigint;
  /** Ticks without a leader before an election; drawn anew from [electionTicks, 2 x electionTicks) each time. */
  readonly electionTicks: number;
  readonly stableLog: StableLog;
  /** As found on disk: the hard state, and the configuration of the snapshot that the log starts behind. */
  readonly hardState: HardState;
  readonly confState: ConfState;
  /** Bytes of entries in one storageApply. */
  readonly applyBytesMax: number;
  /** Bytes proposed and not yet applied beyond which proposals are dropped. */
  readonly uncommittedBytesMax: number;
  readonly prng: Prng;
  readonly log: Log;
}

/**
 * The consensus state machine (raft-core-spec sections 9 to 11), for a configuration of one voter: it elects
 * itself, commits what its own disk has made durable, and confirms reads at once. It already talks to its storage
 * and to itself by messages only, so that more voters change what is behind `step`, not the caller.
 */
export class Raft {
  readonly id: bigint;
  readonly log: RaftLog;
  term: number;
  vote: bigint;
  leader = NONE;
  role: Role = role.follower;
  /** Messages that may go out at once. */
  messages: Message[] = [];
  /** Messages that wait for the next write to be durable; addressed to this member itself too. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];
  confState: ConfState;

  readonly #config: RaftConfig;
  #electionElapsed = 0;
  #electionTimeout = 0;
  #uncommittedBytes = 0;
  /** Index of the last membership change in the log; another is refused until it is applied. */
  #pendingConfIndex = 0;
  /** Reads that wait for the first commit of this leader's term. */
  #pendingReads: Uint8Array[] = [];

  constructor(config: RaftConfig) {
    assert(config.id !== NONE, "a member id must not be 0");
    this.#config = config;
    this.id = config.id;
    this.log = new RaftLog(config.stableLog, config.applyBytesMax);
    this.term = config.hardState.term;
    this.vote = config.hardState.vote;
    this.confState = config.confState;
    assert(
      config.hardState.commit <= this.log.lastIndex(),
      `hard state commits ${config.hardState.commit}, the log ends at ${this.log.lastIndex()}: entries were lost`,
    );
    this.log.commitTo(config.hardState.commit);
    this.#resetElectionTimer();
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  tick(): void {
    if (this.role === role.leader) return;
    this.#electionElapsed++;
    if (this.#electionElapsed < this.#electionTimeout) return;
    this.#electionElapsed = 0;
    this.campaign();
  }

  /** Starts an election, unless this member may not lead or has a membership change to apply first. */
  campaign(): void {
    if (this.role === role.leader || !this.#isPromotable()) return;
    if (this.#hasUnappliedConfChange()) {
      this.#config.log.warn("cannot campaign while a membership change is not applied", { term: this.term });
      return;
    }
    this.term++;
    this.role = role.candidate;
    this.vote = this.id;
    this.leader = NONE;
    this.#resetElectionTimer();
    this.messagesAfterAppend.push(this.#message(messageType.voteResp, { to: this.id }));
  }

  /** False: dropped, nothing was appended. */
  propose(entries: readonly { readonly type: Entry["type"]; readonly data: Uint8Array }[]): boolean {
    if (this.role !== role.leader || !this.#isPromotable()) return false;
    return this.#append(entries);
  }

  /**
   * A membership change; one that comes before the last is applied is turned into an empty entry, so that the
   * proposal still takes its place in the log (raft-core-spec 10.3).
   */
  proposeConfChange(change: ConfChange): boolean {
    if (this.#pendingConfIndex > this.log.applied) {
      this.#config.log.info("membership change refused, the one before is not applied yet", {
        pendingIndex: this.#pendingConfIndex,
        applied: this.log.applied,
      });
      return this.propose([{ type: entryType.normal, data: new Uint8Array(0) }]);
    }
    const isAppended = this.propose([{ type: entryType.confChange, data: encodeConfChange(change) }]);
    if (isAppended) this.#pendingConfIndex = this.log.lastIndex();
    return isAppended;
  }

  /** Asks for a read index; its ReadState carries `context`. False: no leader, ask again. */
  readIndex(context: Uint8Array): boolean {
    if (this.role !== role.leader) return false;
    if (this.log.term(this.log.committed) === this.term) {
      this.readStates.push({ index: this.log.committed, context });
    } else {
      this.#pendingReads.push(context);
    }
    return true;
  }

  step(message: Message): void {
    if (message.term > 0 && message.term < this.term && message.type !== messageType.storageApplyResp) return;
    switch (message.type) {
      case messageType.storageAppendResp:
        if (message.index !== 0) this.log.stableTo(message.logTerm, message.index);
        return;
      case messageType.storageApplyResp: {
        const last = message.entries[message.entries.length - 1];
        if (last === undefined) return;
        this.log.appliedTo(last.index, message.entries);
        this.#uncommittedBytes = Math.max(0, this.#uncommittedBytes - payloadBytes(message.entries));
        return;
      }
      case messageType.voteResp:
        if (this.role === role.candidate) this.#becomeLeader();
        return;
      case messageType.appResp:
        if (this.role === role.leader && this.log.maybeCommit(this.term, message.index)) this.#releaseReads();
        return;
      default:
        this.#config.log.warn("raft message ignored", {
          type: message.type,
          from: message.from.toString(16),
        });
    }
  }

  /** Installs an applied membership change and returns the configuration that follows from it. */
  applyConfChange(change: ConfChange): ConfState {
    if (change.nodeId === NONE || change.type === confChangeType.updateNode) return this.confState;
    assert(
      change.type === confChangeType.addNode && change.nodeId === this.id,
      "this version of the core serves one voter: no other member can be added or removed",
    );
    this.confState = { ...emptyConfState, voters: [this.id] };
    return this.confState;
  }

  /** Seeds an empty log with committed membership entries (raft-core-spec 12, Bootstrap). */
  bootstrap(changes: readonly ConfChange[]): void {
    assert(changes.length > 0 && this.log.lastIndex() === 0, "bootstrap needs members and an empty log");
    this.term = 1;
    const entries = changes.map(
      (change, i): Entry => ({
        term: 1,
        index: i + 1,
        type: entryType.confChange,
        data: encodeConfChange(change),
      }),
    );
    this.log.append(entries);
    this.log.commitTo(entries.length);
    for (const change of changes) this.applyConfChange(change);
  }

  #becomeLeader(): void {
    this.role = role.leader;
    this.leader = this.id;
    // Whatever the log's tail holds, a new membership change has to wait until it is applied.
    this.#pendingConfIndex = this.log.lastIndex();
    this.#uncommittedBytes = 0;
    this.#config.log.info("became leader", { member: this.id.toString(16), term: this.term });
    // The empty entry of the new term carries everything before it to commitment.
    this.#append([{ type: entryType.normal, data: new Uint8Array(0) }]);
  }

  #append(proposed: readonly { readonly type: Entry["type"]; readonly data: Uint8Array }[]): boolean {
    const bytes = payloadBytes(proposed);
    if (
      bytes > 0 &&
      this.#uncommittedBytes > 0 &&
      this.#uncommittedBytes + bytes > this.#config.uncommittedBytesMax
    ) {
      return false;
    }
    this.#uncommittedBytes += bytes;
    let index = this.log.lastIndex();
    this.log.append(proposed.map(({ type, data }) => ({ term: this.term, index: ++index, type, data })));
    // The leader's own acknowledgement is a message too, stepped once its write is durable.
    this.messagesAfterAppend.push(this.#message(messageType.appResp, { to: this.id, index }));
    return true;
  }

  #releaseReads(): void {
    if (this.#pendingReads.length === 0) return;
    const index = this.log.committed;
    for (const context of this.#pendingReads) this.readStates.push({ index, context });
    this.#pendingReads = [];
  }

  #message(type: Message["type"], fields: { to: bigint; index?: number }): Message {
    return {
      type,
      to: fields.to,
      from: this.id,
      term: this.term,
      logTerm: 0,
      index: fields.index ?? 0,
      entries: [],
      commit: 0,
      reject: false,
      rejectHint: 0,
      context: new Uint8Array(0),
      hardState: undefined,
      snapshot: undefined,
      responses: [],
    };
  }

  #isPromotable(): boolean {
    return this.confState.voters.includes(this.id);
  }

  #hasUnappliedConfChange(): boolean {
    const { applied, committed } = this.log;
    if (applied >= committed) return false;
    return this.log
      .slice(applied + 1, committed + 1, Number.POSITIVE_INFINITY)
      .some((entry) => entry.type !== entryType.normal);
  }

  #resetElectionTimer(): void {
    this.#electionElapsed = 0;
    this.#electionTimeout = this.#config.electionTicks + this.#config.prng.below(this.#config.electionTicks);
  }
}

function payloadBytes(entries: readonly { readonly data: Uint8Array }[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}
