import { assert } from "../../lib/assert.ts";
import { type ByteString, EMPTY } from "../../lib/bytes.ts";
import { SortedMap } from "../../lib/sorted-map.ts";
import {
  type EngineView,
  isBeforeEnd,
  type KeyInterval,
  type RangeRead,
  type VersionedRecord,
} from "./engine.ts";

/** A change since the reads were loaded: its newest record, and whether the key was alive when they were. */
interface Change {
  readonly wasAlive: boolean;
  newest: VersionedRecord;
}

/**
 * Reads that were named and made beforehand, as the content was at one revision; when they serve commands, with what
 * has been appended since on top. Any other read is a programmer's error.
 */
export class LoadedReads implements EngineView {
  /** The newest revision when the reads were made. */
  readonly revision: number;
  /** By key: the newest record up to `revision`, removals too where they were asked for. */
  readonly #newest = new Map<ByteString, VersionedRecord | undefined>();
  /** The same for earlier revisions, and ranges, by what was asked. */
  readonly #past = new Map<string, VersionedRecord | undefined>();
  readonly #ranges = new Map<string, RangeRead>();
  readonly #counts = new Map<string, number>();
  /** Kept only where there are ranges, which are what it changes. */
  #changes: SortedMap<Change> | undefined;

  constructor(revision: number) {
    this.revision = revision;
  }

  /** `revision` undefined: the newest. */
  addKey(key: ByteString, revision: number | undefined, record: VersionedRecord | undefined): void {
    if (revision === undefined || revision >= this.revision) this.#newest.set(key, record);
    else this.#past.set(keyName(key, revision), record);
  }

  addRange(interval: KeyInterval, revision: number | undefined, read: RangeRead): void {
    const name = rangeName(interval, this.#isNow(revision) ? undefined : revision);
    const known = this.#ranges.get(name);
    if (known === undefined || known.records.length < read.records.length) this.#ranges.set(name, read);
    if (this.#isNow(revision)) for (const record of read.records) this.#newest.set(record.key, record);
    this.#counts.set(name, read.count);
    this.#changes ??= new SortedMap();
  }

  addCount(interval: KeyInterval, revision: number | undefined, count: number): void {
    this.#counts.set(rangeName(interval, this.#isNow(revision) ? undefined : revision), count);
    this.#changes ??= new SortedMap();
  }

  /** `previous`: the newest record until now, if it was alive. */
  append(record: VersionedRecord, previous: VersionedRecord | undefined): void {
    const change = this.#changes?.get(record.key);
    if (change !== undefined) change.newest = record;
    else this.#changes?.set(record.key, { wasAlive: previous !== undefined, newest: record });
  }

  /** Whether latest() knows the key. */
  has(key: ByteString): boolean {
    return this.#newest.has(key);
  }

  latest(key: ByteString): VersionedRecord | undefined {
    return alive(this.newest(key, this.revision));
  }

  at(key: ByteString, revision: number): VersionedRecord | undefined {
    return alive(this.newest(key, revision));
  }

  newest(key: ByteString, revision: number): VersionedRecord | undefined {
    const record = this.#newest.get(key);
    if (revision >= this.revision || (record !== undefined && record.modRevision <= revision)) {
      assert(record !== undefined || this.#newest.has(key), "E5: the key was not loaded");
      return record;
    }
    const name = keyName(key, revision);
    const past = this.#past.get(name);
    assert(past !== undefined || this.#past.has(name), "E5: the key was not loaded at that revision");
    return past;
  }

  range(interval: KeyInterval, revision: number, limit: number): RangeRead {
    if (interval.end === EMPTY) {
      const record = this.at(interval.start, revision);
      return record === undefined ? { records: [], count: 0 } : { records: [record], count: 1 };
    }
    const read = this.#ranges.get(rangeName(interval, this.#isNow(revision) ? undefined : revision));
    assert(read !== undefined, "E5: the range was not loaded");
    const isWhole = read.records.length === read.count;
    assert(isWhole || (limit > 0 && limit <= read.records.length), "E5: more of the range was not loaded");
    if (revision <= this.revision || this.#changes === undefined || this.#changes.size === 0) {
      // A list of its own: who asked may sort it.
      return { records: read.records.slice(0, limit > 0 ? limit : undefined), count: read.count };
    }
    return this.#changed(interval, read, limit, isWhole);
  }

  count(interval: KeyInterval, revision: number): number {
    if (interval.end === EMPTY) return this.at(interval.start, revision) === undefined ? 0 : 1;
    const count = this.#counts.get(rangeName(interval, this.#isNow(revision) ? undefined : revision));
    assert(count !== undefined, "E5: the count was not loaded");
    return revision <= this.revision ? count : count + this.#countChange(interval);
  }

  #isNow(revision: number | undefined): boolean {
    return revision === undefined || revision >= this.revision;
  }

  #countChange(interval: KeyInterval): number {
    let change = 0;
    this.#visitChanges(interval, (_key, { wasAlive, newest }) => {
      change += (newest.tombstone ? 0 : 1) - (wasAlive ? 1 : 0);
    });
    return change;
  }

  /** The range as it was loaded with what was appended since: two sorted lists, merged. */
  #changed(interval: KeyInterval, read: RangeRead, limit: number, isWhole: boolean): RangeRead {
    const changes: { key: ByteString; newest: VersionedRecord }[] = [];
    this.#visitChanges(interval, (key, { newest }) => changes.push({ key, newest }));
    const records: VersionedRecord[] = [];
    let next = 0;
    const isFull = (): boolean => limit > 0 && records.length >= limit;
    for (const record of read.records) {
      while (next < changes.length && (changes[next] as { key: ByteString }).key < record.key && !isFull()) {
        const { newest } = changes[next++] as { newest: VersionedRecord };
        if (!newest.tombstone) records.push(newest);
      }
      if (isFull()) break;
      const change = changes[next];
      if (change === undefined || change.key !== record.key) records.push(record);
      else {
        next++;
        if (!change.newest.tombstone) records.push(change.newest);
      }
    }
    assert(isWhole || isFull(), "E5: more of the range was not loaded");
    for (; next < changes.length && !isFull(); next++) {
      const { newest } = changes[next] as { newest: VersionedRecord };
      if (!newest.tombstone) records.push(newest);
    }
    return { records, count: read.count + this.#countChange(interval) };
  }

  #visitChanges(interval: KeyInterval, visit: (key: ByteString, change: Change) => void): void {
    const cursor = this.#changes?.seek(interval.start);
    for (; cursor !== undefined && !cursor.isDone; cursor.advance()) {
      if (!isBeforeEnd(cursor.key, interval.end)) return;
      visit(cursor.key, cursor.value);
    }
  }
}

export function alive(record: VersionedRecord | undefined): VersionedRecord | undefined {
  return record?.tombstone === false ? record : undefined;
}

function keyName(key: ByteString, revision: number): string {
  return `${revision} ${key}`;
}

/** The length of the start keeps start and end apart. */
function rangeName({ start, end }: KeyInterval, revision: number | undefined): string {
  return `${revision ?? "now"} ${start.length} ${start}${end}`;
}
