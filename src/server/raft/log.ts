import { assert } from "../../lib/assert.ts";
import { entryBytes, limitSize, type StableLog } from "./memory-log.ts";
import type { Entry } from "./types.ts";

/**
 * The log as the core sees it: the stable part in storage, behind it the tail that is not durable yet, and the
 * cursors applied <= applying <= committed <= lastIndex (raft-core-spec sections 4 and 5).
 */
export class RaftLog {
  readonly #stable: StableLog;
  readonly #applyBytesMax: number;
  /** The unstable tail; #unstable[0] has index #offset. */
  #unstable: Entry[] = [];
  #offset: number;
  /** First index not handed to the caller for persisting. */
  #offsetInProgress: number;
  committed: number;
  applying: number;
  applied: number;
  #applyingBytes = 0;
  #isApplyPaused = false;

  constructor(stable: StableLog, applyBytesMax: number) {
    this.#stable = stable;
    this.#applyBytesMax = applyBytesMax;
    this.#offset = stable.lastIndex() + 1;
    this.#offsetInProgress = this.#offset;
    this.committed = stable.firstIndex() - 1;
    this.applying = this.committed;
    this.applied = this.committed;
  }

  lastIndex(): number {
    return this.#unstable.length > 0 ? this.#offset + this.#unstable.length - 1 : this.#stable.lastIndex();
  }

  lastTerm(): number {
    const term = this.term(this.lastIndex());
    assert(term !== undefined, "the term of the last entry is unknown");
    return term;
  }

  term(index: number): number | undefined {
    if (index >= this.#offset) return this.#unstable[index - this.#offset]?.term;
    return this.#stable.term(index);
  }

  hasUnstable(): boolean {
    return this.#unstable.length > 0;
  }

  /** Entries not yet handed out for persisting. */
  nextUnstable(): Entry[] {
    return this.#unstable.slice(this.#offsetInProgress - this.#offset);
  }

  hasNextUnstable(): boolean {
    return this.#offset + this.#unstable.length > this.#offsetInProgress;
  }

  acceptUnstable(): void {
    this.#offsetInProgress = this.#offset + this.#unstable.length;
  }

  /** Adds entries at the end; the caller has given them their indexes. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(first.index > this.committed, `append at ${first.index} below commit ${this.committed}`);
    assert(first.index === this.lastIndex() + 1, `append at ${first.index} leaves a gap`);
    for (const entry of entries) this.#unstable.push(entry);
  }

  /** The entries up to (term, index) are durable; ignored when the log has changed under them. */
  stableTo(term: number, index: number): void {
    if (index < this.#offset || this.term(index) !== term) return;
    this.#unstable = this.#unstable.slice(index - this.#offset + 1);
    this.#offset = index + 1;
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.#offset);
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    assert(
      index <= this.lastIndex(),
      `commit ${index} is beyond the last entry ${this.lastIndex()}: the log was corrupted, truncated or lost`,
    );
    this.committed = index;
  }

  /** Commits by counting only an entry of the leader's own term (Raft section 5.4.2). */
  maybeCommit(term: number, index: number): boolean {
    if (index <= this.committed || this.term(index) !== term) return false;
    this.commitTo(index);
    return true;
  }

  /** Committed, durable here, not yet handed out: none while what is being applied exceeds its budget. */
  nextCommitted(): Entry[] {
    if (!this.hasNextCommitted()) return [];
    const to = Math.min(this.committed, this.#offset - 1) + 1;
    return this.#stable.entries(this.applying + 1, to, this.#applyBytesMax - this.#applyingBytes);
  }

  hasNextCommitted(): boolean {
    return !this.#isApplyPaused && this.applying < Math.min(this.committed, this.#offset - 1);
  }

  acceptApplying(entries: readonly Entry[]): void {
    const last = entries[entries.length - 1];
    if (last === undefined) return;
    this.applying = last.index;
    this.#applyingBytes += totalBytes(entries);
    this.#isApplyPaused = this.#applyingBytes >= this.#applyBytesMax;
  }

  appliedTo(index: number, entries: readonly Entry[]): void {
    assert(index <= this.committed && index >= this.applied, `applied ${index} out of order`);
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#applyingBytes -= totalBytes(entries);
    this.#isApplyPaused = this.#applyingBytes >= this.#applyBytesMax;
  }

  /** Entries in [from, to), stable or not. */
  slice(from: number, to: number, bytesMax: number): Entry[] {
    if (from >= this.#offset)
      return limitSize(this.#unstable, from - this.#offset, to - this.#offset, bytesMax);
    const stableTo = Math.min(to, this.#offset);
    const entries = this.#stable.entries(from, stableTo, bytesMax);
    const rest = bytesMax - totalBytes(entries);
    if (entries.length < stableTo - from || to <= stableTo || rest <= 0) return entries;
    const tail = limitSize(this.#unstable, 0, to - this.#offset, rest);
    if (tail.length === 1 && entryBytes(tail[0]!) > rest) return entries;
    return entries.concat(tail);
  }
}

function totalBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}
