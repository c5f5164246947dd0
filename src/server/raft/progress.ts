import { assert } from "../../lib/assert.ts";
import type { Inflights } from "./inflights.ts";

/**
 * probe: what the peer has is not known, one append at a time. replicate: appends are sent ahead of their answers.
 * snapshot: the peer is being sent a snapshot.
 */
export const progressState = { probe: "probe", replicate: "replicate", snapshot: "snapshot" } as const;
export type ProgressState = (typeof progressState)[keyof typeof progressState];

/** What can be told of a progress. */
export interface ProgressView {
  readonly id: bigint;
  /** Index of the last entry the peer is known to have. */
  readonly match: number;
  /** Index of the next entry to send. */
  readonly next: number;
  readonly state: ProgressState;
  readonly isLearner: boolean;
  /** Appends wait for an answer. */
  readonly isPaused: boolean;
  /** Heard from since the last check of the quorum; always, of the leader itself. */
  readonly isRecentlyActive: boolean;
  /** Index of the snapshot on its way; 0: none. */
  readonly pendingSnapshot: number;
  readonly inflightCount: number;
  readonly isInflightFull: boolean;
}

/**
 * A leader's view of one peer, or of itself (raft-core-spec 7.1). match < next; while a snapshot is on its way
 * next is the index after it.
 */
export class Progress implements ProgressView {
  readonly id: bigint;
  match = 0;
  next: number;
  /** Highest commit index that a message to the peer carried; lower again after a heartbeat that clamped it. */
  sentCommit = 0;
  state: ProgressState = progressState.probe;
  /** Index of the snapshot on its way; 0 otherwise. */
  pendingSnapshot = 0;
  /** Whether the peer was heard from since the last check of the quorum. */
  isRecentlyActive = false;
  /** Appends wait for an answer, of whatever kind. */
  isFlowPaused = false;
  isLearner = false;
  readonly inflights: Inflights;

  constructor(id: bigint, next: number, inflights: Inflights) {
    this.id = id;
    this.next = next;
    this.inflights = inflights;
  }

  /** The same, changed independently; what is in flight is shared. */
  clone(): Progress {
    const copy = new Progress(this.id, this.next, this.inflights);
    copy.match = this.match;
    copy.sentCommit = this.sentCommit;
    copy.state = this.state;
    copy.pendingSnapshot = this.pendingSnapshot;
    copy.isRecentlyActive = this.isRecentlyActive;
    copy.isFlowPaused = this.isFlowPaused;
    copy.isLearner = this.isLearner;
    return copy;
  }

  /** As a new leader begins: nothing is known but where its own log ends. */
  reset(match: number, next: number): void {
    this.#enter(progressState.probe);
    this.match = match;
    this.next = next;
    this.sentCommit = 0;
    this.isRecentlyActive = false;
  }

  #enter(state: ProgressState): void {
    this.isFlowPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.clear();
  }

  becomeProbe(): void {
    const { pendingSnapshot } = this;
    const behindSnapshot = this.state === progressState.snapshot ? pendingSnapshot + 1 : 0;
    this.#enter(progressState.probe);
    this.next = Math.max(this.match + 1, behindSnapshot);
    this.#clampSentCommit();
  }

  becomeReplicate(): void {
    this.#enter(progressState.replicate);
    this.next = this.match + 1;
  }

  becomeSnapshot(index: number): void {
    this.#enter(progressState.snapshot);
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** An append of `count` entries left for the peer. An empty one pauses nothing. */
  sentEntries(count: number, bytes: number): void {
    assert(this.state !== progressState.snapshot, "sending append in unhandled state StateSnapshot");
    if (this.state === progressState.replicate) {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      this.isFlowPaused = this.inflights.isFull;
    } else if (count > 0) {
      this.isFlowPaused = true;
    }
  }

  /** Whether a message that only tells the commit index would tell the peer something it can use. */
  canBumpCommit(committed: number): boolean {
    return committed > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** The peer has all entries up to `index`. False: that was known. */
  maybeUpdate(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.isFlowPaused = false;
    return true;
  }

  /** The peer refused an append behind `rejected`; it may match at `hint`. False: the answer is out of date. */
  maybeDecreaseTo(rejected: number, hint: number): boolean {
    if (this.state === progressState.replicate) {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.#clampSentCommit();
      return true;
    }
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.#clampSentCommit();
    this.isFlowPaused = false;
    return true;
  }

  #clampSentCommit(): void {
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  get inflightCount(): number {
    return this.inflights.count;
  }

  get isInflightFull(): boolean {
    return this.inflights.isFull;
  }

  get isPaused(): boolean {
    return this.state === progressState.snapshot || this.isFlowPaused;
  }
}
