import type { Entry } from "./types.ts";

/** Stands where an entry was dropped, so that its data can be freed. */
const DROPPED: Entry = { term: 0, index: 0, type: 0, data: new Uint8Array(0) };
/** Dropped places below which the array is not worth moving. */
const DROPPED_MIN = 64;

/**
 * Entries with consecutive indexes. Adding at the end, dropping at the front and cutting the end cost constant time
 * per entry, however long the run is. Slices are copies: they stay as they were.
 */
export class EntryRun {
  #entries: Entry[] = [];
  /** Where the run begins in #entries; dropped places stand before it. */
  #start = 0;
  #firstIndex: number;

  constructor(firstIndex: number) {
    this.#firstIndex = firstIndex;
  }

  /** Index of the first entry, or of the one that would come first. */
  get firstIndex(): number {
    return this.#firstIndex;
  }

  get length(): number {
    return this.#entries.length - this.#start;
  }

  /** One past the last entry. */
  get endIndex(): number {
    return this.#firstIndex + this.length;
  }

  at(index: number): Entry | undefined {
    const offset = index - this.#firstIndex;
    return offset < 0 ? undefined : this.#entries[this.#start + offset];
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Drops entries up to and including `index`, which is in the run or just before it. */
  dropThrough(index: number): void {
    const start = this.#start + index + 1 - this.#firstIndex;
    this.#entries.fill(DROPPED, this.#start, start);
    this.#start = start;
    this.#firstIndex = index + 1;
    if (start === this.#entries.length) {
      this.#entries.length = 0;
      this.#start = 0;
    } else if (start >= DROPPED_MIN && start * 2 >= this.#entries.length) {
      this.#entries = this.#entries.slice(start);
      this.#start = 0;
    }
  }

  /** Drops entries from `index` on. */
  cutFrom(index: number): void {
    if (index < this.endIndex) this.#entries.length = this.#start + index - this.#firstIndex;
  }

  /** Starts over, empty. */
  reset(firstIndex: number): void {
    this.#entries.length = 0;
    this.#start = 0;
    this.#firstIndex = firstIndex;
  }

  /** Entries in [from, to) as far as they stay within `bytesMax`; at least one when the range has any. */
  slice(from: number, to: number, bytesMax: number): Entry[] {
    const start = this.#start + from - this.#firstIndex;
    const end = this.#start + to - this.#firstIndex;
    if (bytesMax === Number.POSITIVE_INFINITY) return this.#entries.slice(start, end);
    let bytes = 0;
    let stop = start;
    while (stop < end) {
      bytes += entryBytes(this.#entries[stop]!);
      if (bytes > bytesMax && stop > start) break;
      stop++;
    }
    return this.#entries.slice(start, stop);
  }
}

/** Size of an entry as the size limits count it: its data and a fixed share for term, index and type. */
export function entryBytes(entry: Entry): number {
  return entry.data.length + 16;
}

export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** Size of the data alone, as in-flight and proposal limits count it; empty entries weigh nothing. */
export function payloadBytes(entries: readonly Pick<Entry, "data">[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}
