import { assert } from "../../lib/assert.ts";
import { EntryRun } from "./entry-run.ts";
import type { Entry, Snapshot } from "./types.ts";

/** What the core reads of the durable log. Terms and entries outside what is kept read as undefined. */
export interface StableLog {
  firstIndex(): number;
  lastIndex(): number;
  /** The term at `index`; also of firstIndex - 1, where the snapshot ends. */
  term(index: number): number | undefined;
  /** Entries in [from, to); the range must lie within the log. At least one, then up to `bytesMax`. */
  entries(from: number, to: number, bytesMax: number): Entry[];
  /**
   * A snapshot at firstIndex - 1 or later, for a peer that needs entries which are dropped here. Undefined: there is
   * none at the moment, ask again.
   */
  snapshot(): Snapshot | undefined;
}

/**
 * The durable entries since the last snapshot, in memory (raft-core-spec section 3). The caller appends what the
 * WAL has made durable and drops what a snapshot covers.
 */
export class MemoryLog implements StableLog {
  readonly #entries = new EntryRun(1);
  readonly #openSnapshot: () => Snapshot | undefined;
  /** Of the entry before the first. */
  #snapshotTerm = 0;

  /** `openSnapshot` answers for snapshot(); without it there never is one. */
  constructor(openSnapshot: () => Snapshot | undefined = () => undefined) {
    this.#openSnapshot = openSnapshot;
  }

  firstIndex(): number {
    return this.#entries.firstIndex;
  }

  lastIndex(): number {
    return this.#entries.endIndex - 1;
  }

  term(index: number): number | undefined {
    if (index === this.#entries.firstIndex - 1) return this.#snapshotTerm;
    return this.#entries.at(index)?.term;
  }

  entries(from: number, to: number, bytesMax: number): Entry[] {
    assert(
      from >= this.firstIndex(),
      () => `entry ${from} is compacted, the log starts at ${this.firstIndex()}`,
    );
    assert(
      to <= this.lastIndex() + 1,
      () => `entries up to ${to} wanted, the log ends at ${this.lastIndex()}`,
    );
    return this.#entries.slice(from, to, bytesMax);
  }

  snapshot(): Snapshot | undefined {
    return this.#openSnapshot();
  }

  /** Adds entries, replacing a conflicting tail. A gap is a programmer error. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    const skip = Math.max(0, this.firstIndex() - first.index);
    if (skip >= entries.length) return;
    const from = first.index + skip;
    assert(from <= this.lastIndex() + 1, () => `log gap: entry ${from} after ${this.lastIndex()}`);
    this.#entries.cutFrom(from);
    for (let i = skip; i < entries.length; i++) this.#entries.push(entries[i]!);
  }

  /** Drops entries up to and including `index`, which must be in the log. */
  compact(index: number): void {
    if (index < this.firstIndex()) return;
    const term = this.term(index);
    assert(term !== undefined, () => `cannot compact to ${index}, the log ends at ${this.lastIndex()}`);
    this.#entries.dropThrough(index);
    this.#snapshotTerm = term;
  }

  /** Starts over behind a snapshot that ends with entry (term, index). */
  reset(index: number, term: number): void {
    this.#entries.reset(index + 1);
    this.#snapshotTerm = term;
  }
}
