import { assert } from "../../lib/assert.ts";
import { type ByteString, EMPTY, OPEN_END } from "../../lib/bytes.ts";
import { SortedMap, type SortedMapCursor } from "../../lib/sorted-map.ts";
import {
  type Engine,
  type EngineReplacement,
  type EngineStats,
  isBeforeEnd,
  type KeptCursor,
  type KeyInterval,
  type RangeRead,
  type RecordCursor,
  type RecordPassed,
  type VersionedRecord,
} from "./engine.ts";
import { KeyHistory } from "./key-history.ts";
import { KeyOrder } from "./key-order.ts";
import { KeyTable } from "./key-table.ts";
import { alive } from "./loaded-reads.ts";
import { RecordLog } from "./record-log.ts";

/**
 * What one record counts beyond its key and value, in bytes: about what the heap of a 64-bit V8 holds for a key
 * with one record (scripts/bench-store.ts measures it). The same on every member and every machine, so that equal
 * states report equal sizes.
 */
export const RECORD_OVERHEAD_BYTES = 256;

/**
 * The keys of a longer range are counted, not each compared with its end, which takes twice as long; a short one is read
 * in less than it takes to count.
 */
const COMPARED_KEYS_MAX = 64;

/**
 * The engine that keeps all in memory; durable through the log and snapshots above it. Every key has its history,
 * found by the key (KeyTable) and in byte order (SortedMap): live keys and dead keys in two maps, so that the
 * newest state is read and counted without stepping over what was deleted.
 */
export class MemoryEngine implements Engine {
  readonly loader = undefined;
  #table = new KeyTable();
  #live = new SortedMap<KeyHistory>();
  #dead = new SortedMap<KeyHistory>();
  readonly #log = new RecordLog();
  #sizeBytes = 0;
  #sizeInUseBytes = 0;
  /** In a replacement on its way: gathers the keys, which are put in order at the end. */
  #order: KeyOrder | undefined = undefined;
  /** The compaction under way or done last, and the last record it has passed (undefined: at its start or done). */
  #compactTarget = -1;
  #compactedUpTo: VersionedRecord | undefined = undefined;
  #isCompacted = true;

  append(records: readonly VersionedRecord[]): void {
    for (const record of records) this.#appendOne(record);
  }

  latest(key: ByteString): VersionedRecord | undefined {
    return alive(this.#table.get(key)?.latest);
  }

  at(key: ByteString, revision: number): VersionedRecord | undefined {
    return alive(this.newest(key, revision));
  }

  newest(key: ByteString, revision: number): VersionedRecord | undefined {
    return this.#table.get(key)?.newest(revision);
  }

  range(interval: KeyInterval, revision: number, limit: number): RangeRead {
    if (interval.end === EMPTY) {
      const record = this.at(interval.start, revision);
      return record === undefined ? { records: [], count: 0 } : { records: [record], count: 1 };
    }
    return this.#isLatest(revision)
      ? this.#latestRange(interval, limit)
      : this.#pastRange(interval, revision, limit);
  }

  count(interval: KeyInterval, revision: number): number {
    if (interval.end === EMPTY) return this.at(interval.start, revision) === undefined ? 0 : 1;
    if (this.#isLatest(revision)) return this.#latestCount(interval);
    let count = 0;
    this.#visitPast(interval, revision, () => {
      count++;
    });
    return count;
  }

  records(fromRevision: number, toRevision: number): RecordCursor {
    return this.#log.cursor(fromRevision, toRevision);
  }

  kept(fromRevision: number, toRevision: number, revision: number): KeptCursor {
    let after: VersionedRecord | undefined;
    return {
      next: (lookedAtMax) => {
        const records: VersionedRecord[] = [];
        after = this.#log.visit(fromRevision, toRevision, after, lookedAtMax, (record, history) => {
          if (history.keeps(record, revision)) records.push(record);
        });
        return { records, isLast: after === undefined };
      },
    };
  }

  compactStep(revision: number, recordsMax: number, onPassed?: RecordPassed): boolean {
    if (revision > this.#compactTarget) {
      this.#compactTarget = revision;
      this.#compactedUpTo = undefined;
      this.#isCompacted = false;
    }
    if (this.#isCompacted) return true;
    const target = this.#compactTarget;
    this.#compactedUpTo = this.#log.filter(this.#compactedUpTo, target, recordsMax, (record, history) => {
      const isKept = this.#survives(record, history, target);
      onPassed?.(record, isKept);
      return isKept;
    });
    this.#isCompacted = this.#compactedUpTo === undefined;
    return this.#isCompacted;
  }

  storedBytes(): number {
    return this.#sizeBytes;
  }

  stats(): EngineStats {
    return {
      liveKeys: this.#live.size,
      records: this.#log.count,
      sizeBytes: this.#sizeBytes,
      sizeInUseBytes: this.#sizeInUseBytes,
    };
  }

  beginReplacement(): EngineReplacement {
    const next = new MemoryEngine();
    const order = new KeyOrder();
    next.#order = order;
    return {
      append: (records) => next.append(records),
      prepare: async (yieldTurn) => {
        const { live, dead } = await order.order(yieldTurn);
        [next.#live, next.#dead, next.#order] = [live, dead, undefined];
      },
      commit: () => {
        assert(next.#order === undefined, "a replacement is prepared before it is committed");
        this.#adopt(next);
      },
    };
  }

  #adopt(next: MemoryEngine): void {
    this.#table = next.#table;
    this.#live = next.#live;
    this.#dead = next.#dead;
    this.#log.replaceBy(next.#log);
    this.#sizeBytes = next.#sizeBytes;
    this.#sizeInUseBytes = next.#sizeInUseBytes;
    this.#compactTarget = -1;
    this.#compactedUpTo = undefined;
    this.#isCompacted = true;
  }

  #appendOne(record: VersionedRecord): void {
    const cost = costOf(record);
    this.#sizeBytes += cost;
    if (!record.tombstone) this.#sizeInUseBytes += cost;

    const history = this.#table.get(record.key);
    if (history === undefined) {
      const first = new KeyHistory(record);
      this.#log.append(record, first);
      this.#table.set(record.key, first);
      if (this.#order !== undefined) this.#order.add(first);
      else (record.tombstone ? this.#dead : this.#live).set(record.key, first);
      return;
    }
    this.#log.append(record, history);
    const previous = history.latest;
    history.push(record);
    if (!previous.tombstone) this.#sizeInUseBytes -= costOf(previous);
    if (previous.tombstone === record.tombstone || this.#order !== undefined) return;
    (previous.tombstone ? this.#dead : this.#live).delete(record.key);
    (record.tombstone ? this.#dead : this.#live).set(record.key, history);
  }

  #isLatest(revision: number): boolean {
    const newest = this.#log.newest;
    return newest === undefined || revision >= newest.modRevision;
  }

  #latestRange(interval: KeyInterval, limit: number): RangeRead {
    const records: VersionedRecord[] = [];
    const cursor = this.#live.seek(interval.start);
    const comparedMax = limit > 0 && limit < COMPARED_KEYS_MAX ? limit : COMPARED_KEYS_MAX;
    while (!cursor.isDone && isBeforeEnd(cursor.key, interval.end)) {
      if (records.length === comparedMax) return this.#longRange(interval, limit, records, cursor);
      records.push(cursor.value.latest);
      cursor.advance();
    }
    return { records, count: records.length };
  }

  /** Goes on where #latestRange has `records` and the next key at `cursor`. */
  #longRange(
    interval: KeyInterval,
    limit: number,
    records: VersionedRecord[],
    cursor: SortedMapCursor<KeyHistory>,
  ): RangeRead {
    const count = this.#latestCount(interval);
    const wanted = limit > 0 && limit < count ? limit : count;
    while (records.length < wanted) {
      records.push(cursor.value.latest);
      cursor.advance();
    }
    return { records, count };
  }

  #latestCount(interval: KeyInterval): number {
    const end = interval.end === OPEN_END ? this.#live.size : this.#live.rank(interval.end);
    return Math.max(0, end - this.#live.rank(interval.start));
  }

  #pastRange(interval: KeyInterval, revision: number, limit: number): RangeRead {
    const records: VersionedRecord[] = [];
    let count = 0;
    this.#visitPast(interval, revision, (record) => {
      count++;
      if (limit <= 0 || records.length < limit) records.push(record);
    });
    return { records, count };
  }

  /** Visits in byte order what was alive at `revision`: the live and the dead keys, merged. */
  #visitPast(interval: KeyInterval, revision: number, visit: (record: VersionedRecord) => void): void {
    const live = this.#live.seek(interval.start);
    const dead = this.#dead.seek(interval.start);
    for (;;) {
      const cursor = dead.isDone || (!live.isDone && live.key < dead.key) ? live : dead;
      if (cursor.isDone || !isBeforeEnd(cursor.key, interval.end)) return;
      const record = alive(cursor.value.newest(revision));
      if (record !== undefined) visit(record);
      cursor.advance();
    }
  }

  /** Whether compaction at `revision` keeps the record; the history of its key is compacted on the way. */
  #survives(record: VersionedRecord, history: KeyHistory, revision: number): boolean {
    if (!history.compact(revision) && this.#table.get(record.key) === history) {
      // Else the key is gone already, and may have come back with another history.
      this.#table.delete(record.key);
      this.#dead.delete(record.key);
    }
    if (history.keeps(record, revision)) return true;
    this.#sizeBytes -= costOf(record);
    return false;
  }
}

function costOf(record: VersionedRecord): number {
  return record.key.length + record.value.length + RECORD_OVERHEAD_BYTES;
}
