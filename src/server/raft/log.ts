import { AssertionError, assert } from "../../lib/assert.ts";
import { entriesBytes, entryBytes } from "./entry-run.ts";
import type { StableLog } from "./memory-log.ts";
import type { RaftLogger } from "./raft-logger.ts";
import { type Entry, entryType, type Snapshot } from "./types.ts";
import { UnstableLog } from "./unstable-log.ts";

/** Entries that a search through the log holds at a time. */
const SCAN_BYTES = 1_048_576;

/** A place in a log: what two members compare. */
export interface EntryId {
  readonly index: number;
  readonly term: number;
}

/**
 * The log as the core sees it: the stable part in storage, behind it what is not durable yet, and the cursors
 * applied <= applying <= committed <= lastIndex (raft-core-spec section 5).
 */
export class RaftLog {
  readonly unstable: UnstableLog;
  readonly #stable: StableLog;
  readonly #applyBytesMax: number;
  readonly #logger: RaftLogger;
  committed: number;
  applying: number;
  applied: number;
  #applyingBytes = 0;
  #isApplyPaused = false;

  constructor(stable: StableLog, applyBytesMax: number, logger: RaftLogger) {
    this.#stable = stable;
    this.#applyBytesMax = applyBytesMax;
    this.#logger = logger;
    this.unstable = new UnstableLog(stable.lastIndex() + 1, logger);
    this.committed = stable.firstIndex() - 1;
    this.applying = this.committed;
    this.applied = this.committed;
  }

  firstIndex(): number {
    const snapshot = this.unstable.snapshot;
    return snapshot === undefined ? this.#stable.firstIndex() : snapshot.metadata.index + 1;
  }

  lastIndex(): number {
    return this.unstable.lastIndex() ?? this.#stable.lastIndex();
  }

  lastTerm(): number {
    const term = this.term(this.lastIndex());
    assert(term !== undefined, "the term of the last entry is unknown");
    return term;
  }

  /** Undefined: the entry is not here, or no longer. The one before the first is known. */
  term(index: number): number | undefined {
    const unstable = this.unstable.term(index);
    if (unstable !== undefined) return unstable;
    if (index + 1 < this.firstIndex() || index > this.lastIndex()) return undefined;
    return this.#stable.term(index);
  }

  matchTerm(index: number, term: number): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends with (index, term) holds all that this one may have committed (Raft section 5.4.1). */
  isUpToDate(index: number, term: number): boolean {
    const lastTerm = this.lastTerm();
    return term > lastTerm || (term === lastTerm && index >= this.lastIndex());
  }

  /** One entry, at the end. */
  push(entry: Entry): void {
    this.unstable.push(entry);
  }

  /** Adds entries, in place of those from the first one's index on. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(
      first.index > this.committed,
      () => `after(${first.index - 1}) is out of range [committed(${this.committed})]`,
    );
    this.unstable.truncateAndAppend(entries);
  }

  /**
   * A follower takes entries behind (prevIndex, prevTerm). Returns the index of the last of them, or undefined when
   * that place does not match.
   */
  maybeAppend(
    prevIndex: number,
    prevTerm: number,
    entries: readonly Entry[],
    leaderCommit: number,
  ): number | undefined {
    if (!this.matchTerm(prevIndex, prevTerm)) return undefined;
    const last = prevIndex + entries.length;
    const conflict = this.#findConflict(entries);
    if (conflict !== 0) {
      assert(
        conflict > this.committed,
        () => `entry ${conflict} conflict with committed entry [committed(${this.committed})]`,
      );
      this.append(entries.slice(conflict - prevIndex - 1));
    }
    this.commitTo(Math.min(leaderCommit, last));
    return last;
  }

  /** Index of the first entry that is not here with the same term; 0 when all are. */
  #findConflict(entries: readonly Entry[]): number {
    for (const { index, term } of entries) {
      const existing = this.term(index);
      if (existing === term) continue;
      if (index <= this.lastIndex()) {
        this.#logger.info(
          () =>
            `found conflict at index ${index} [existing term: ${existing ?? 0}, conflicting term: ${term}]`,
        );
      }
      return index;
    }
    return 0;
  }

  /**
   * The last place at or before `index` that may match a log whose entry there has `term`: the first with a term no
   * higher. A place whose term is unknown may match too, and has term 0.
   */
  findConflictByTerm(index: number, term: number): EntryId {
    for (let at = index; at > 0; at--) {
      const ours = this.term(at);
      if (ours === undefined) return { index: at, term: 0 };
      if (ours <= term) return { index: at, term: ours };
    }
    return { index: 0, term: 0 };
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    assert(
      index <= this.lastIndex(),
      () =>
        `tocommit(${index}) is out of range [lastIndex(${this.lastIndex()})]. Was the raft log corrupted, truncated, or lost?`,
    );
    this.committed = index;
  }

  /** Commits by counting only an entry of the leader's own term (Raft section 5.4.2). */
  maybeCommit(term: number, index: number): boolean {
    if (index <= this.committed || term === 0 || !this.matchTerm(index, term)) return false;
    this.commitTo(index);
    return true;
  }

  /** The snapshot to send to a peer; one that is still being installed is newer than what storage has. */
  snapshot(): Snapshot | undefined {
    return this.unstable.snapshot ?? this.#stable.snapshot();
  }

  restore(snapshot: Snapshot): void {
    const { index, term } = snapshot.metadata;
    this.#logger.info(
      () =>
        `log [committed=${this.committed}, applied=${this.applied}, applying=${this.applying}, unstable.offset=${this.unstable.offset}, unstable.offsetInProgress=${this.unstable.offsetInProgress}, len(unstable.Entries)=${this.unstable.length}] starts to restore snapshot [index: ${index}, term: ${term}]`,
    );
    this.committed = index;
    this.unstable.restore(snapshot);
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    if (this.#isApplyPaused || this.unstable.snapshot !== undefined) return false;
    return this.applying < this.#appliableIndex(allowUnstable);
  }

  /** Committed and not yet handed out: none while what is being applied exceeds its budget. */
  nextCommitted(allowUnstable: boolean): Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const to = this.#appliableIndex(allowUnstable) + 1;
    return this.slice(this.applying + 1, to, this.#applyBytesMax - this.#applyingBytes);
  }

  acceptApplying(entries: readonly Entry[], allowUnstable: boolean): void {
    const last = entries[entries.length - 1];
    if (last === undefined) return;
    this.applying = last.index;
    this.#applyingBytes += entriesBytes(entries);
    this.#isApplyPaused =
      this.#applyingBytes >= this.#applyBytesMax || last.index < this.#appliableIndex(allowUnstable);
  }

  /** `bytes` as entriesBytes counts what acceptApplying was given; 0 for a snapshot. */
  appliedTo(index: number, bytes: number): void {
    assert(
      index <= this.committed && index >= this.applied,
      () => `applied(${index}) is out of range [prevApplied(${this.applied}), committed(${this.committed})]`,
    );
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#applyingBytes = Math.max(0, this.#applyingBytes - bytes);
    this.#isApplyPaused = this.#applyingBytes >= this.#applyBytesMax;
  }

  #appliableIndex(allowUnstable: boolean): number {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }

  /** Entries in [from, to), stable or not; at least one when the range has any. */
  slice(from: number, to: number, bytesMax: number): Entry[] {
    if (from < this.firstIndex() || to > this.lastIndex() + 1) {
      const held = `[${this.firstIndex()},${this.lastIndex()}]`;
      throw new AssertionError(`slice[${from},${to}) out of bound ${held}`);
    }
    if (from >= to) return [];
    const { offset } = this.unstable;
    if (from >= offset) return this.unstable.slice(from, to, bytesMax);
    const stableTo = Math.min(to, offset);
    const entries = this.#stable.entries(from, stableTo, bytesMax);
    if (entries.length < stableTo - from || to <= offset) return entries;
    const rest = bytesMax - entriesBytes(entries);
    if (rest <= 0) return entries;
    const tail = this.unstable.slice(offset, to, rest);
    if (tail.length === 1 && entryBytes(tail[0]!) > rest) return entries;
    return entries.concat(tail);
  }

  /** Entries from `from` to the end. */
  entriesFrom(from: number, bytesMax: number): Entry[] {
    return this.slice(from, this.lastIndex() + 1, bytesMax);
  }

  /** Whether there is a membership change in [from, to). */
  hasConfChange(from: number, to: number): boolean {
    for (let at = from; at < to; ) {
      const page = this.slice(at, to, SCAN_BYTES);
      if (page.some((entry) => entry.type !== entryType.normal)) return true;
      at += page.length;
    }
    return false;
  }
}
