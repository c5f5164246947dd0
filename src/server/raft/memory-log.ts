import { assert } from "../../lib/assert.ts";
import type { Entry } from "./types.ts";

/** What the core reads of the durable log. Terms and entries outside what is kept read as undefined. */
export interface StableLog {
  firstIndex(): number;
  lastIndex(): number;
  /** The term at `index`; also of firstIndex - 1, where the snapshot ends. */
  term(index: number): number | undefined;
  /** Entries in [from, to); the range must lie within the log. At least one, then up to `bytesMax`. */
  entries(from: number, to: number, bytesMax: number): Entry[];
}

/**
 * The durable entries since the last snapshot, in memory (raft-core-spec section 3). The caller appends what the
 * WAL has made durable and drops what a snapshot covers.
 */
export class MemoryLog implements StableLog {
  #entries: Entry[] = [];
  #snapshotIndex = 0;
  #snapshotTerm = 0;

  firstIndex(): number {
    return this.#snapshotIndex + 1;
  }

  lastIndex(): number {
    return this.#snapshotIndex + this.#entries.length;
  }

  term(index: number): number | undefined {
    if (index === this.#snapshotIndex) return this.#snapshotTerm;
    return this.#entries[index - this.#snapshotIndex - 1]?.term;
  }

  entries(from: number, to: number, bytesMax: number): Entry[] {
    assert(from > this.#snapshotIndex, `entry ${from} is compacted, the log starts at ${this.firstIndex()}`);
    assert(to <= this.lastIndex() + 1, `entries up to ${to} wanted, the log ends at ${this.lastIndex()}`);
    const start = from - this.#snapshotIndex - 1;
    return limitSize(this.#entries, start, to - this.#snapshotIndex - 1, bytesMax);
  }

  /** Adds entries, replacing a conflicting tail. A gap is a programmer error. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    const skip = Math.max(0, this.firstIndex() - first.index);
    if (skip >= entries.length) return;
    const from = first.index + skip;
    assert(from <= this.lastIndex() + 1, `log gap: entry ${from} after ${this.lastIndex()}`);
    const keep = from - this.#snapshotIndex - 1;
    if (keep < this.#entries.length) this.#entries = this.#entries.slice(0, keep);
    for (let i = skip; i < entries.length; i++) this.#entries.push(entries[i]!);
  }

  /** Drops entries up to and including `index`, which must be in the log. */
  compact(index: number): void {
    if (index <= this.#snapshotIndex) return;
    const term = this.term(index);
    assert(term !== undefined, `cannot compact to ${index}, the log ends at ${this.lastIndex()}`);
    this.#entries = this.#entries.slice(index - this.#snapshotIndex);
    this.#snapshotIndex = index;
    this.#snapshotTerm = term;
  }

  /** Starts over behind a snapshot. */
  reset(index: number, term: number): void {
    this.#entries = [];
    this.#snapshotIndex = index;
    this.#snapshotTerm = term;
  }
}

/** Entries of [start, end) whose data stays within `bytesMax`; always at least one. */
export function limitSize(entries: readonly Entry[], start: number, end: number, bytesMax: number): Entry[] {
  let bytes = 0;
  let stop = start;
  while (stop < end) {
    bytes += entryBytes(entries[stop]!);
    if (bytes > bytesMax && stop > start) break;
    stop++;
  }
  return entries.slice(start, stop);
}

/** Size of an entry as the size limits count it: its data and a fixed share for term, index and type. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + 16;
}
