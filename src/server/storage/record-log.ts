import { assert } from "../../lib/assert.ts";
import type { VersionedRecord } from "./engine.ts";

const CHUNK_RECORDS_MAX = 512;

/**
 * Every record in ascending (main, sub), in chunks: what history is read from (watch, hash, snapshot) and what
 * compaction walks.
 */
export class RecordLog {
  /**
   * Never empty chunks. Only the last one grows; a chunk that loses records is replaced, not changed. The list
   * itself is another one after replaceBy().
   */
  #chunks: VersionedRecord[][] = [];
  #count = 0;
  /** Goes up when chunks move, so that open iterators find their place again. */
  #layout = 0;

  get count(): number {
    return this.#count;
  }

  get newest(): VersionedRecord | undefined {
    return this.#chunks.at(-1)?.at(-1);
  }

  append(record: VersionedRecord): void {
    const newest = this.newest;
    assert(
      newest === undefined ||
        newest.main < record.main ||
        (newest.main === record.main && newest.sub < record.sub),
      "records are appended in ascending order",
    );
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.length < CHUNK_RECORDS_MAX) last.push(record);
    else this.#chunks.push([record]);
    this.#count++;
  }

  /** Takes the chunks of `other`, which is not to be used any more. */
  replaceBy(other: RecordLog): void {
    this.#chunks = other.#chunks;
    this.#count = other.#count;
  }

  /**
   * Records with fromMain <= main <= toMain. The iterator goes on correctly while records are appended and
   * removed: it neither repeats nor leaves out a record that was there all the time. replaceBy() ends it.
   */
  *records(fromMain: number, toMain: number): IterableIterator<VersionedRecord> {
    const chunks = this.#chunks;
    let layout = this.#layout;
    let [chunkIndex, index] = this.#locate(fromMain, 0);
    for (;;) {
      const chunk = chunks[chunkIndex];
      if (chunk === undefined) return;
      const record = chunk[index];
      if (record === undefined) {
        if (chunkIndex + 1 >= chunks.length) return;
        chunkIndex++;
        index = 0;
        continue;
      }
      if (record.main > toMain) return;
      yield record;
      if (chunks !== this.#chunks) return;
      if (layout === this.#layout) {
        index++;
      } else {
        layout = this.#layout;
        [chunkIndex, index] = this.#locate(record.main, record.sub + 1);
      }
    }
  }

  /**
   * Passes the records with main <= toMain, from the chunk of `after` on, to `isKept` and removes those it says no
   * to: whole chunks, until about `recordsMax` are done. Returns the last record passed, to go on after;
   * undefined when all are done.
   */
  filter(
    after: VersionedRecord | undefined,
    toMain: number,
    recordsMax: number,
    isKept: (record: VersionedRecord) => boolean,
  ): VersionedRecord | undefined {
    const [first] = after === undefined ? [0] : this.#locate(after.main, after.sub + 1);
    let end = first;
    let visited = 0;
    const kept: VersionedRecord[] = [];
    while (visited < recordsMax && this.#startsUpTo(end, toMain)) {
      const chunk = this.#chunks[end] as VersionedRecord[];
      for (const record of chunk) if (record.main > toMain || isKept(record)) kept.push(record);
      visited += chunk.length;
      end++;
    }
    const last = this.#chunks[end - 1]?.at(-1);
    const isDone = !this.#startsUpTo(end, toMain);
    if (kept.length < visited) {
      this.#replace(first, end, kept);
      this.#count -= visited - kept.length;
    }
    return isDone ? undefined : last;
  }

  #startsUpTo(chunkIndex: number, toMain: number): boolean {
    const first = this.#chunks[chunkIndex]?.[0];
    return first !== undefined && first.main <= toMain;
  }

  /** Puts `records` in the place of the chunks [first, end), filling up the chunk before them. */
  #replace(first: number, end: number, records: readonly VersionedRecord[]): void {
    const before = this.#chunks[first - 1];
    let all = records;
    if (before !== undefined && before.length + records.length <= CHUNK_RECORDS_MAX) {
      all = before.concat(records);
      first--;
    }
    const chunks: VersionedRecord[][] = [];
    for (let i = 0; i < all.length; i += CHUNK_RECORDS_MAX) chunks.push(all.slice(i, i + CHUNK_RECORDS_MAX));
    this.#chunks.splice(first, end - first, ...chunks);
    this.#layout++;
  }

  /** Chunk and index of the first record at or after (main, sub); past the end when there is none. */
  #locate(main: number, sub: number): [chunkIndex: number, index: number] {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore((this.#chunks[middle] as VersionedRecord[]).at(-1) as VersionedRecord, main, sub))
        low = middle + 1;
      else high = middle;
    }
    const chunk = this.#chunks[low];
    if (chunk === undefined) {
      // Where the next record will be appended, for iterators that wait at the end.
      const last = this.#chunks.at(-1);
      return last === undefined ? [0, 0] : [this.#chunks.length - 1, last.length];
    }
    let from = 0;
    let to = chunk.length - 1;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (isBefore(chunk[middle] as VersionedRecord, main, sub)) from = middle + 1;
      else to = middle;
    }
    return [low, from];
  }
}

function isBefore(record: VersionedRecord, main: number, sub: number): boolean {
  return record.main < main || (record.main === main && record.sub < sub);
}
