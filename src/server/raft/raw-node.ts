import type { ConfChange } from "./conf-change.ts";
import { Raft, type RaftConfig } from "./raft.ts";
import {
  type ConfState,
  type Entry,
  type HardState,
  LOCAL_APPEND,
  LOCAL_APPLY,
  type Message,
  messageType,
  type Ready,
  type Role,
  type SoftState,
} from "./types.ts";

/**
 * The contract with the caller (raft-core-spec section 12, asynchronous storage writes). Duties of the caller:
 *  1. After any input, while hasReady(): take ready() and work on its messages in order.
 *  2. storageAppend: make its entries and hard state durable, in order of arrival, then step its responses. Without
 *     responses it need not be durable at once.
 *  3. storageApply: apply its entries in order (confChange entries also through applyConfChange), then step its
 *     responses.
 *  4. A failed write ends the member: its responses are never stepped.
 *  5. readStates: answer the reads behind a context once its index is applied.
 */
export class RawNode {
  readonly #raft: Raft;
  #lastSoft: SoftState;
  #lastHard: HardState;

  constructor(config: RaftConfig) {
    this.#raft = new Raft(config);
    this.#lastSoft = this.#softState();
    this.#lastHard = this.#raft.hardState();
  }

  get term(): number {
    return this.#raft.term;
  }

  get leader(): bigint {
    return this.#raft.leader;
  }

  get role(): Role {
    return this.#raft.role;
  }

  get isLeader(): boolean {
    return this.#raft.leader === this.#raft.id;
  }

  get committed(): number {
    return this.#raft.log.committed;
  }

  get lastIndex(): number {
    return this.#raft.log.lastIndex();
  }

  get confState(): ConfState {
    return this.#raft.confState;
  }

  tick(): void {
    this.#raft.tick();
  }

  campaign(): void {
    this.#raft.campaign();
  }

  /** False: no leader to take it, or too much is uncommitted; nothing was appended. */
  propose(data: Uint8Array): boolean {
    return this.#raft.propose([{ type: 0, data }]);
  }

  proposeConfChange(change: ConfChange): boolean {
    return this.#raft.proposeConfChange(change);
  }

  /** False: no leader known; ask again later with a new context. */
  readIndex(context: Uint8Array): boolean {
    return this.#raft.readIndex(context);
  }

  step(message: Message): void {
    this.#raft.step(message);
  }

  applyConfChange(change: ConfChange): ConfState {
    return this.#raft.applyConfChange(change);
  }

  bootstrap(changes: readonly ConfChange[]): void {
    this.#raft.bootstrap(changes);
  }

  hasReady(): boolean {
    const raft = this.#raft;
    return (
      raft.messages.length > 0 ||
      raft.messagesAfterAppend.length > 0 ||
      raft.readStates.length > 0 ||
      raft.log.hasNextUnstable() ||
      raft.log.hasNextCommitted() ||
      this.#isHardStateChanged() ||
      this.#isSoftStateChanged()
    );
  }

  ready(): Ready {
    const raft = this.#raft;
    const messages = raft.messages;
    const softState = this.#isSoftStateChanged() ? this.#softState() : undefined;
    const hardState = this.#isHardStateChanged() ? raft.hardState() : undefined;
    const entries = raft.log.nextUnstable();
    const committed = raft.log.nextCommitted();
    if (entries.length > 0 || hardState !== undefined || raft.messagesAfterAppend.length > 0) {
      messages.push(this.#storageAppend(entries, hardState));
    }
    if (committed.length > 0) messages.push(this.#storageApply(committed));
    const ready: Ready = { softState, readStates: raft.readStates, messages };

    raft.messages = [];
    raft.messagesAfterAppend = [];
    raft.readStates = [];
    raft.log.acceptUnstable();
    raft.log.acceptApplying(committed);
    if (softState !== undefined) this.#lastSoft = softState;
    if (hardState !== undefined) this.#lastHard = hardState;
    return ready;
  }

  #storageAppend(entries: readonly Entry[], hardState: HardState | undefined): Message {
    const raft = this.#raft;
    const responses = raft.messagesAfterAppend;
    if (raft.log.hasUnstable()) {
      // Last, so that this member's own acknowledgement is stepped while the entries are still unstable. It names
      // the last entry of the log, not of this batch: a term change re-attests the whole tail.
      responses.push({
        ...localMessage(messageType.storageAppendResp, raft.id, LOCAL_APPEND),
        term: raft.term,
        index: raft.log.lastIndex(),
        logTerm: raft.log.lastTerm(),
      });
    }
    return {
      ...localMessage(messageType.storageAppend, LOCAL_APPEND, raft.id),
      entries,
      hardState,
      responses,
    };
  }

  #storageApply(entries: readonly Entry[]): Message {
    const response = { ...localMessage(messageType.storageApplyResp, this.#raft.id, LOCAL_APPLY), entries };
    return {
      ...localMessage(messageType.storageApply, LOCAL_APPLY, this.#raft.id),
      entries,
      responses: [response],
    };
  }

  #softState(): SoftState {
    return { leader: this.#raft.leader, role: this.#raft.role };
  }

  #isSoftStateChanged(): boolean {
    return this.#lastSoft.leader !== this.#raft.leader || this.#lastSoft.role !== this.#raft.role;
  }

  #isHardStateChanged(): boolean {
    const raft = this.#raft;
    const last = this.#lastHard;
    return last.term !== raft.term || last.vote !== raft.vote || last.commit !== raft.log.committed;
  }
}

function localMessage(type: Message["type"], to: bigint, from: bigint): Message {
  return {
    type,
    to,
    from,
    term: 0,
    logTerm: 0,
    index: 0,
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
