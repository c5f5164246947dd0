import { assert } from "../../lib/assert.ts";
import type { RecordCursor, VersionedRecord } from "./engine.ts";
import type { KeyHistory } from "./key-history.ts";

const CHUNK_RECORDS_MAX = 512;

interface Chunk {
  readonly records: VersionedRecord[];
  /** Of the key of each. */
  readonly histories: KeyHistory[];
}

/**
 * Every record in ascending (modRevision, sub), in chunks: what history is read from (watch, hash, snapshot) and what
 * compaction walks. The history of its key is beside each record: to look it up would take longer than all the rest of
 * the walk.
 */
export class RecordLog {
  /**
   * Never empty chunks. Only the last one grows; a chunk that loses records is replaced, not changed. The list
   * itself is another one after replaceBy().
   */
  #chunks: Chunk[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get newest(): VersionedRecord | undefined {
    return this.#chunks.at(-1)?.records.at(-1);
  }

  append(record: VersionedRecord, history: KeyHistory): void {
    const newest = this.newest;
    assert(
      newest === undefined ||
        newest.modRevision < record.modRevision ||
        (newest.modRevision === record.modRevision && newest.sub < record.sub),
      "records are appended in ascending order",
    );
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.records.length < CHUNK_RECORDS_MAX) {
      last.records.push(record);
      last.histories.push(history);
    } else {
      this.#chunks.push({ records: [record], histories: [history] });
    }
    this.#count++;
  }

  /** Takes the chunks of `other`, which is not to be used any more. */
  replaceBy(other: RecordLog): void {
    this.#chunks = other.#chunks;
    this.#count = other.#count;
  }

  /**
   * Records with fromRevision <= modRevision <= toRevision. The cursor goes on correctly while records are appended
   * and removed: it neither repeats nor leaves out a record that was there all the time. replaceBy() ends it.
   */
  cursor(fromRevision: number, toRevision: number): RecordCursor {
    const chunks = this.#chunks;
    let after: VersionedRecord | undefined;
    return {
      next: (countMax) => {
        const records: VersionedRecord[] = [];
        if (chunks !== this.#chunks) return records;
        this.visit(fromRevision, toRevision, after, countMax, (record) => records.push(record));
        after = records.at(-1) ?? after;
        return records;
      },
      close() {},
    };
  }

  /**
   * Shows `visit` records with fromRevision <= modRevision <= toRevision and the histories of their keys, `recordsMax`
   * of them, behind `after` where it is given. Returns the last one, to go on after; undefined when there are no more.
   */
  visit(
    fromRevision: number,
    toRevision: number,
    after: VersionedRecord | undefined,
    recordsMax: number,
    visit: (record: VersionedRecord, history: KeyHistory) => void,
  ): VersionedRecord | undefined {
    let [chunkIndex, index] =
      after === undefined ? this.#locate(fromRevision, 0) : this.#locate(after.modRevision, after.sub + 1);
    for (let visited = 0; visited < recordsMax; ) {
      const chunk = this.#chunks[chunkIndex];
      if (chunk === undefined) return undefined;
      const record = chunk.records[index];
      if (record === undefined) {
        chunkIndex++;
        index = 0;
        continue;
      }
      if (record.modRevision > toRevision) return undefined;
      visit(record, chunk.histories[index] as KeyHistory);
      after = record;
      visited++;
      index++;
    }
    return after;
  }

  /**
   * Passes the records with modRevision <= toRevision, from the chunk of `after` on, with their histories to `isKept`
   * and removes those it says no to: whole chunks, until about `recordsMax` are done. Returns the last record passed,
   * to go on after; undefined when all are done.
   */
  filter(
    after: VersionedRecord | undefined,
    toRevision: number,
    recordsMax: number,
    isKept: (record: VersionedRecord, history: KeyHistory) => boolean,
  ): VersionedRecord | undefined {
    const [first] = after === undefined ? [0] : this.#locate(after.modRevision, after.sub + 1);
    let end = first;
    let visited = 0;
    const kept: Chunk = { records: [], histories: [] };
    while (visited < recordsMax && this.#startsUpTo(end, toRevision)) {
      const { records, histories } = this.#chunks[end] as Chunk;
      for (let i = 0; i < records.length; i++) {
        const record = records[i] as VersionedRecord;
        const history = histories[i] as KeyHistory;
        if (record.modRevision <= toRevision && !isKept(record, history)) continue;
        kept.records.push(record);
        kept.histories.push(history);
      }
      visited += records.length;
      end++;
    }
    const last = this.#chunks[end - 1]?.records.at(-1);
    const isDone = !this.#startsUpTo(end, toRevision);
    const removed = visited - kept.records.length;
    if (removed > 0) {
      this.#replace(first, end, kept);
      this.#count -= removed;
    }
    return isDone ? undefined : last;
  }

  #startsUpTo(chunkIndex: number, toRevision: number): boolean {
    const first = this.#chunks[chunkIndex]?.records[0];
    return first !== undefined && first.modRevision <= toRevision;
  }

  /** Puts what was kept in the place of the chunks [first, end), filling up the chunk before them. */
  #replace(first: number, end: number, kept: Chunk): void {
    const before = this.#chunks[first - 1];
    let { records, histories } = kept;
    if (before !== undefined && before.records.length + records.length <= CHUNK_RECORDS_MAX) {
      records = before.records.concat(records);
      histories = before.histories.concat(histories);
      first--;
    }
    const chunks: Chunk[] = [];
    for (let from = 0; from < records.length; from += CHUNK_RECORDS_MAX) {
      const to = from + CHUNK_RECORDS_MAX;
      chunks.push({ records: records.slice(from, to), histories: histories.slice(from, to) });
    }
    this.#chunks.splice(first, end - first, ...chunks);
  }

  /** Chunk and index of the first record at or after (modRevision, sub); past the end when there is none. */
  #locate(modRevision: number, sub: number): [chunkIndex: number, index: number] {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isBefore((this.#chunks[middle] as Chunk).records.at(-1) as VersionedRecord, modRevision, sub))
        low = middle + 1;
      else high = middle;
    }
    const chunk = this.#chunks[low];
    if (chunk === undefined) return [low, 0];
    const { records } = chunk;
    let from = 0;
    let to = records.length - 1;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (isBefore(records[middle] as VersionedRecord, modRevision, sub)) from = middle + 1;
      else to = middle;
    }
    return [low, from];
  }
}

function isBefore(record: VersionedRecord, modRevision: number, sub: number): boolean {
  return record.modRevision < modRevision || (record.modRevision === modRevision && record.sub < sub);
}
