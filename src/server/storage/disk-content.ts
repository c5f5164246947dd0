import { assert } from "../../lib/assert.ts";
import { type ByteString, EMPTY } from "../../lib/bytes.ts";
import { RequestError } from "../../lib/errors.ts";
import type { DiskDatabase, DiskIterator, DiskOperation } from "./disk-database.ts";
import { DiskLayer } from "./disk-layer.ts";
import {
  type DiskLayout,
  decodeCount,
  decodeGarbage,
  decodeNewest,
  decodeRecord,
  encodeCount,
  garbageKind,
  type RecordPlace,
  space,
} from "./disk-layout.ts";
import { isBefore, type Moment, newestInLayers, newestPast, scan, scanKeys } from "./disk-scan.ts";
import type { EngineView, KeyInterval, RangeRead, RecordCursor, VersionedRecord, Want } from "./engine.ts";
import { KeyCounts } from "./key-counts.ts";
import { alive, LoadedReads } from "./loaded-reads.ts";
import { RECORD_OVERHEAD_BYTES } from "./memory-engine.ts";
import { RecordCache } from "./record-cache.ts";

/** A layer that holds more than this waits for the database before it takes more. */
const LAYER_BYTES_MAX = 32 * 1_048_576;
/** Records whose writing is prepared without a pause. */
const ENCODE_RECORDS = 256;
const CURSOR_PAGE_BYTES = 1_048_576;

export interface ContentTotals {
  readonly records: number;
  readonly sizeBytes: number;
  readonly sizeInUseBytes: number;
  readonly last: RecordPlace;
}

export const noTotals: ContentTotals = {
  records: 0,
  sizeBytes: 0,
  sizeInUseBytes: 0,
  last: { modRevision: 0, sub: 0 },
};

/** What else belongs into the write that brings a layer to the database, as it was when the layer was closed. */
export interface Seal {
  readonly operations: readonly DiskOperation[];
  /** The entry that says what is true of the database once a write is done. */
  root(totals: ContentTotals): DiskOperation | undefined;
}

export interface DiskContentOptions {
  readonly database: DiskDatabase;
  readonly layout: DiskLayout;
  readonly totals: ContentTotals;
  readonly cacheSizeBytes: number;
  readonly yieldTurn: () => Promise<void>;
  /** Asked for when a layer is closed. */
  readonly seal: () => Seal;
  /** That of the last write. */
  readonly storedSeal: Seal;
  /** A write failed, or what was read is damaged: this content is of no use any more. Called once. */
  readonly onFailure: (error: Error) => void;
}

/**
 * The records of one generation: what is in the database, and in layers above it what is on its way there. Reads see
 * one moment: the layers as they are at the call, over a database that may go further meanwhile.
 *
 *  I1 a record is in a layer until the write that holds it is done, so no moment misses one.
 *  I2 one write at a time; what a write says of the content as a whole is true of the database after it.
 *  I3 a layer is closed between two commands, never within one: its write holds whole revisions.
 *  I4 while a read is under way, nothing that it can see is removed.
 */
export class DiskContent {
  readonly #options: DiskContentOptions;
  readonly #cache: RecordCache;
  readonly counts = new KeyCounts();
  /** The oldest first; the last one takes what is appended. */
  #layers: DiskLayer[];
  #loaded: LoadedReads | undefined;
  /** Of everything, and of what the database holds. */
  #totals: ContentTotals;
  #stored: ContentTotals;
  #storedSeal: Seal;
  /** Goes up with every append: what was read before may be old. */
  #appends = 0;
  readonly #reads = new Set<{ readonly revision: number }>();
  #readsEnded: (() => void)[] = [];
  /** What has the database for itself; each begins when the one before has ended. */
  #exclusive: Promise<void> = Promise.resolve();
  #isFlushing = false;
  /**
   * Below it all garbage has been removed, and none will come: to begin anew at the first would be to pass over the
   * marks of all that was removed, with every bite.
   */
  #garbageFrom: Buffer | undefined;
  #isRetired = false;
  #isClosed = false;
  #failure: Error | undefined;

  constructor(options: DiskContentOptions) {
    this.#options = options;
    this.#cache = new RecordCache(options.cacheSizeBytes);
    this.#totals = options.totals;
    this.#stored = options.totals;
    this.#storedSeal = options.storedSeal;
    this.#layers = [new DiskLayer(options.totals.last.modRevision)];
  }

  get layout(): DiskLayout {
    return this.#options.layout;
  }

  get totals(): ContentTotals {
    return this.#totals;
  }

  /** Reads how many keys there are; before anything else. */
  async open(): Promise<void> {
    const { database, layout } = this.#options;
    const buckets: { start: ByteString; count: number }[] = [];
    const iterator = database.iterate({ start: layout.start(space.counts), end: layout.end(space.counts) });
    try {
      for (;;) {
        const page = await iterator.next(1_000);
        if (page.length === 0) break;
        for (const { key, value } of page) {
          buckets.push({
            start: layout.nameOf(key).toString("latin1") as ByteString,
            count: decodeCount(value),
          });
        }
      }
    } finally {
      await iterator.close();
    }
    this.counts.load(buckets);
  }

  // ---- Commands: reads that were loaded, and appends.

  async load(wants: readonly Want[]): Promise<void> {
    while (this.#active.sizeBytes > LAYER_BYTES_MAX) await this.flush(false);
    this.#loaded = await this.#read(wants, true);
  }

  append(records: readonly VersionedRecord[]): void {
    for (const record of records) this.#append(record);
    this.#appends++;
  }

  #append(record: VersionedRecord): void {
    const { modRevision, sub, key } = record;
    const { records, sizeBytes, sizeInUseBytes, last } = this.#totals;
    assert(isBefore(last, record), "records are appended in ascending order");
    const previous = this.#newestNow(key);
    this.#active.append(record, previous);
    this.#loaded?.append(record, previous);
    if (record.tombstone) this.#cache.delete(key);
    else this.#cache.set(record);
    const cost = costOf(record);
    this.#totals = {
      records: records + 1,
      sizeBytes: sizeBytes + cost,
      sizeInUseBytes:
        sizeInUseBytes + (record.tombstone ? 0 : cost) - (previous === undefined ? 0 : costOf(previous)),
      last: { modRevision, sub },
    };
    const wasAlive = previous !== undefined;
    if (wasAlive !== record.tombstone) return;
    this.counts.change(key, record.tombstone ? -1 : 1);
  }

  latest(key: ByteString): VersionedRecord | undefined {
    return this.#newestNow(key);
  }

  #newestNow(key: ByteString): VersionedRecord | undefined {
    const loaded = this.#loadedReads();
    assert(loaded.has(key), "E5: the key was not loaded");
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const answer = (this.#layers[i] as DiskLayer).newest(key, Number.MAX_SAFE_INTEGER);
      if (answer !== undefined) return alive(answer.record);
    }
    const cached = this.#cache.get(key);
    return cached ?? loaded.latest(key);
  }

  at(key: ByteString, revision: number): VersionedRecord | undefined {
    return alive(this.newest(key, revision));
  }

  newest(key: ByteString, revision: number): VersionedRecord | undefined {
    const loaded = this.#loadedReads();
    if (!loaded.has(key)) return loaded.newest(key, revision);
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const answer = (this.#layers[i] as DiskLayer).newest(key, revision);
      if (answer !== undefined) return answer.record;
    }
    const cached = this.#cache.get(key);
    if (cached !== undefined && cached.modRevision <= revision) return cached;
    return loaded.newest(key, revision);
  }

  range(interval: KeyInterval, revision: number, limit: number): RangeRead {
    if (interval.end === EMPTY) {
      const record = this.at(interval.start, revision);
      return record === undefined ? { records: [], count: 0 } : { records: [record], count: 1 };
    }
    return this.#loadedReads().range(interval, revision, limit);
  }

  count(interval: KeyInterval, revision: number): number {
    if (interval.end === EMPTY) return this.at(interval.start, revision) === undefined ? 0 : 1;
    return this.#loadedReads().count(interval, revision);
  }

  #loadedReads(): LoadedReads {
    assert(this.#loaded !== undefined, "E5: nothing was loaded");
    return this.#loaded;
  }

  // ---- Reads of one moment.

  view(wants: readonly Want[]): Promise<EngineView> {
    return this.#read(wants, false);
  }

  /** The content as it is now: all is captured before anything is awaited. */
  #moment(): Moment {
    const { database, layout } = this.#options;
    return { database, layout, layers: [...this.#layers], revision: this.#totals.last.modRevision };
  }

  async #read(wants: readonly Want[], isForCommands: boolean): Promise<LoadedReads> {
    const moment = this.#moment();
    const loaded = new LoadedReads(moment.revision);
    const least = wants.reduce(
      (min, { revision }) => Math.min(min, revision ?? moment.revision),
      moment.revision,
    );
    return this.#whileReading(least, async () => {
      // All begin at once, so that all see the moment; those with a limit come last, see #extraOf.
      const keys = wants.filter((want) => want.kind === "key");
      const counted = wants.filter((want) => want.kind === "count");
      const ranges = wants.filter((want) => want.kind === "range");
      const extra = isForCommands ? await this.#wholeRanges(moment, ranges, keys.length, loaded) : 0;
      await Promise.all([
        this.#readKeys(moment, keys, loaded),
        ...counted.map((want) => this.#readCount(moment, want, loaded)),
        ...(isForCommands ? ranges.filter(({ limit }) => limit > 0) : ranges).map((want) =>
          this.#readRange(moment, want, extra, loaded),
        ),
      ]);
      return loaded;
    });
  }

  /**
   * Reads the ranges without a limit, for commands. The answer is by how much longer the others must be, since what a
   * command has deleted by the time it reads one is missing from it.
   */
  async #wholeRanges(
    moment: Moment,
    ranges: readonly (Want & { kind: "range" })[],
    keyCount: number,
    loaded: LoadedReads,
  ): Promise<number> {
    const whole = ranges.filter(({ limit }) => limit === 0);
    const counts = await Promise.all(whole.map((want) => this.#readRange(moment, want, 0, loaded)));
    return counts.reduce((sum, count) => sum + count, keyCount);
  }

  async #whileReading<T>(revision: number, work: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isClosed) throw new RequestError("stopped");
    const read = { revision };
    this.#reads.add(read);
    try {
      return await work();
    } catch (error) {
      if (error instanceof RequestError) throw error;
      throw this.#fail(error);
    } finally {
      this.#reads.delete(read);
      const waiting = this.#readsEnded;
      this.#readsEnded = [];
      for (const go of waiting) go();
    }
  }

  async #readKeys(
    moment: Moment,
    wants: readonly (Want & { kind: "key" })[],
    loaded: LoadedReads,
  ): Promise<void> {
    const { database, layout } = this.#options;
    const appends = this.#appends;
    const missing: (Want & { kind: "key" })[] = [];
    for (const want of wants) {
      const { key, revision = moment.revision } = want;
      const answer = newestInLayers(moment, key, revision, want.revision !== undefined);
      const record = answer === undefined ? this.#cache.get(key) : answer.record;
      if (answer !== undefined || (record !== undefined && record.modRevision <= revision))
        loaded.addKey(key, want.revision, record);
      else missing.push(want);
    }
    if (missing.length === 0) return;
    const values = await database.getMany(missing.map(({ key }) => layout.newest(key)));
    const older: (Want & { kind: "key" })[] = [];
    for (const [i, want] of missing.entries()) {
      const { key, revision } = want;
      const value = values[i];
      const record = value === undefined ? undefined : decodeNewest(key, value);
      if (record !== undefined && record.modRevision <= (revision ?? moment.revision)) {
        loaded.addKey(key, revision, record);
        if (appends === this.#appends && revision === undefined) this.#cache.set(record);
      } else if (record === undefined && revision === undefined && appends === this.#appends) {
        loaded.addKey(key, undefined, undefined);
      } else {
        // The database is beyond the moment: what was newest then may be in the past by now.
        older.push(want);
      }
    }
    for (const { key, revision } of older) {
      loaded.addKey(key, revision, await newestPast(moment, key, revision ?? moment.revision));
    }
  }

  async #readRange(
    moment: Moment,
    { interval, revision, limit }: Want & { kind: "range" },
    extra: number,
    loaded: LoadedReads,
  ): Promise<number> {
    const records: VersionedRecord[] = [];
    const most = limit === 0 ? Number.POSITIVE_INFINITY : limit + extra;
    let isCut = false;
    const options = { interval, revision: revision ?? moment.revision, limit: limit === 0 ? 0 : most };
    let counting = limit === 0 ? undefined : this.#beginCount(moment, interval, options.revision);
    let count: number | undefined;
    try {
      await scan(moment, options, (_key, record) => {
        isCut = records.length >= most;
        if (!isCut) records.push(record);
        return !isCut;
      });
      if (isCut) {
        const ending = counting?.end(records);
        counting = undefined;
        count = await ending;
      }
    } finally {
      counting?.drop();
    }
    loaded.addRange(interval, revision, { records, count: count ?? records.length });
    return records.length;
  }

  async #readCount(
    moment: Moment,
    { interval, revision }: Want & { kind: "count" },
    loaded: LoadedReads,
  ): Promise<void> {
    const count = await this.#beginCount(moment, interval, revision ?? moment.revision).end([]);
    loaded.addCount(interval, revision, count);
  }

  /**
   * Captures how many keys the interval holds at a revision; to be called before anything is appended behind the moment.
   * What whole buckets hold is known; `end` counts the rest, but for what `first`, the interval's first records, covers;
   * `drop` leaves it.
   */
  #beginCount(moment: Moment, interval: KeyInterval, revision: number) {
    const isNewest = revision >= moment.revision;
    const { count, rest } = isNewest
      ? this.counts.count(interval.start, interval.end)
      : { count: 0, rest: [interval] };
    const parts = rest.map(({ start, end }) => {
      const part = { start, end: end === EMPTY ? OPEN : end };
      return { ...part, keys: scanKeys(moment, part, revision) };
    });
    return {
      end: async (first: readonly VersionedRecord[]): Promise<number> => {
        let total = count;
        const lastKey = first.at(-1)?.key ?? EMPTY;
        const counting = parts.map(({ start, end, keys }) => {
          if (start !== interval.start || end === OPEN || end > lastKey) return keys.visit(() => total++);
          total += first.findIndex(({ key }) => key >= end);
          return keys.drop();
        });
        await Promise.all(counting);
        return total;
      },
      drop: (): void => {
        for (const { keys } of parts) keys.drop();
      },
    };
  }

  // ---- History.

  records(fromRevision: number, toRevision: number): RecordCursor {
    const { database, layout } = this.#options;
    /** The place of the last record given; reading goes on behind it. */
    let after: RecordPlace = { modRevision: fromRevision, sub: -1 };
    let open: { readonly iterator: DiskIterator; readonly upTo: RecordPlace } | undefined;
    const closeIterator = async (): Promise<void> => {
      const closing = open?.iterator;
      open = undefined;
      await closing?.close();
    };
    const fromLayers = (countMax: number): VersionedRecord[] => {
      const found: VersionedRecord[] = [];
      for (const { records } of this.#layers) {
        for (let i = firstBehind(records, after); i < records.length && found.length < countMax; i++) {
          const record = records[i] as VersionedRecord;
          if (record.modRevision <= toRevision) found.push(record);
        }
      }
      const last = found.at(-1);
      if (last !== undefined) after = { modRevision: last.modRevision, sub: last.sub };
      return found;
    };
    const isInDatabase = (): boolean => after.modRevision <= toRevision && isBefore(after, this.#stored.last);
    const fromDatabase = async (countMax: number): Promise<readonly VersionedRecord[]> => {
      // What is in a layer when something is awaited may be in the database alone afterwards.
      while (!this.#isRetired && (isInDatabase() || open !== undefined)) {
        if (!isInDatabase()) {
          await closeIterator();
          continue;
        }
        if (open === undefined) {
          const start = layout.record({ modRevision: after.modRevision, sub: after.sub + 1 });
          const end = layout.record({ modRevision: toRevision + 1, sub: 0 });
          open = { iterator: database.iterate({ start, end }), upTo: this.#stored.last };
        }
        const { iterator, upTo } = open;
        const page = await iterator.next(countMax, CURSOR_PAGE_BYTES);
        const found = page.map(({ key, value }) => decodeRecord(layout.placeOfRecord(key), value));
        const last = found.at(-1);
        if (last !== undefined) {
          after = { modRevision: last.modRevision, sub: last.sub };
          return found;
        }
        // Between here and where the database was when the iterator was opened, there is nothing.
        if (isBefore(after, upTo)) after = upTo;
        await closeIterator();
      }
      if (!this.#isRetired) return fromLayers(countMax);
      await closeIterator();
      return this.#noMore();
    };
    let isReading: Promise<unknown> = Promise.resolve();
    return {
      next: (countMax) => {
        if (after.modRevision > toRevision) return [];
        // Whoever reads here expects promises: what is thrown at once nobody would catch.
        if (this.#isRetired) return this.#isClosed ? Promise.reject(new RequestError("stopped")) : [];
        if (open === undefined && !isBefore(after, this.#stored.last)) return fromLayers(countMax);
        const reading = this.#whileReading(Number.POSITIVE_INFINITY, () => fromDatabase(countMax));
        isReading = reading.catch(() => undefined);
        return reading;
      },
      // A page that is still being read has the iterator until it is there.
      close: () => void isReading.then(closeIterator).catch(() => undefined),
    };
  }

  /** Content that was replaced ends; content that was closed was not read to its end. */
  #noMore(): readonly VersionedRecord[] {
    if (this.#isClosed) throw new RequestError("stopped");
    return [];
  }

  // ---- Writes.

  get #active(): DiskLayer {
    return this.#layers.at(-1) as DiskLayer;
  }

  /** Something is to be written: it goes out soon, with all that is appended until then. */
  flushSoon(): void {
    if (this.#isFlushing || this.#isRetired || this.#failure !== undefined) return;
    this.#isFlushing = true;
    void this.flush(false).then(
      () => {
        this.#isFlushing = false;
        if (this.#active.records.length > 0) this.flushSoon();
      },
      () => undefined,
    );
  }

  /** Everything appended so far is in the database when it resolves, with `isSynced` for good. */
  flush(isSynced: boolean): Promise<void> {
    return this.#alone(() => this.#flush(isSynced));
  }

  async #flush(isSynced: boolean): Promise<void> {
    if (this.#isRetired) return;
    const { database, layout, yieldTurn } = this.#options;
    const layer = this.#active;
    const totals = this.#totals;
    // Between two commands: nothing is awaited here since this turn began.
    const seal = this.#options.seal();
    const operations: DiskOperation[] = [...seal.operations];
    for (const { start, count } of this.counts.takeChanges())
      operations.push({ key: layout.count(start), value: encodeCount(count) });
    this.#layers.push(new DiskLayer(totals.last.modRevision));
    for (let at = 0; at < layer.records.length; at += ENCODE_RECORDS) {
      layer.encodeRecords(layout, at, ENCODE_RECORDS, operations);
      await yieldTurn();
    }
    let encoded = 0;
    for (const operation of layer.encodeKeys(layout)) {
      operations.push(operation);
      if (++encoded % ENCODE_RECORDS === 0) await yieldTurn();
    }
    const root = seal.root(totals);
    if (root !== undefined) operations.push(root);
    if (operations.length > 0 || isSynced) await database.write(operations, { isSynced });
    this.#stored = totals;
    this.#storedSeal = seal;
    this.#layers.shift();
    await this.#splitCounts();
  }

  /** Buckets of keys that have become too full. */
  async #splitCounts(): Promise<void> {
    for (;;) {
      const bucket = this.counts.beginSplit();
      if (bucket === undefined) return;
      const moment = this.#moment();
      const keys: ByteString[] = [];
      const interval = { start: bucket.start, end: bucket.end === EMPTY ? OPEN : bucket.end };
      await scanKeys(moment, interval, moment.revision).visit((key) => keys.push(key));
      this.counts.endSplit(bucket, keys);
    }
  }

  /**
   * Removes up to `recordsMax` of the records that nobody can read once the compact revision is `revision`; true when
   * there are no more.
   */
  async compactStep(revision: number, recordsMax: number): Promise<boolean> {
    if (this.#layers.some(({ records }) => records[0] !== undefined && records[0].modRevision <= revision))
      await this.flush(false);
    let isFinished = false;
    await this.#alone(async () => {
      await this.#readsAbove(revision);
      isFinished = await this.#removeSome(revision, recordsMax);
    });
    return isFinished;
  }

  async #removeSome(revision: number, recordsMax: number): Promise<boolean> {
    if (this.#isRetired) return true;
    const { database, layout } = this.#options;
    const iterator = database.iterate({
      start: this.#garbageFrom ?? layout.start(space.garbage),
      end: layout.garbage({ modRevision: revision + 1, sub: 0 }, garbageKind.superseded),
    });
    const operations: DiskOperation[] = [];
    let records = 0;
    let sizeBytes = 0;
    let isFinished = false;
    try {
      while (records < recordsMax && !isFinished) {
        const page = await iterator.next(recordsMax - records);
        isFinished = page.length === 0;
        for (const { key, value } of page) {
          const garbage = decodeGarbage(value);
          operations.push({ key: layout.record(garbage), value: undefined });
          operations.push({ key: layout.past(garbage.key, garbage), value: undefined });
          operations.push({ key, value: undefined });
          records++;
          sizeBytes += garbage.key.length + garbage.valueBytes + RECORD_OVERHEAD_BYTES;
        }
      }
    } finally {
      await iterator.close();
    }
    if (records === 0) return isFinished;
    const without = (totals: ContentTotals): ContentTotals => ({
      ...totals,
      records: totals.records - records,
      sizeBytes: totals.sizeBytes - sizeBytes,
    });
    const stored = without(this.#stored);
    const root = this.#storedSeal.root(stored);
    await database.write(root === undefined ? operations : [...operations, root], { isSynced: false });
    this.#stored = stored;
    this.#totals = without(this.#totals);
    this.#garbageFrom = Buffer.concat([operations.at(-1)!.key, NUL]);
    return isFinished;
  }

  /** Resolves when no read is under way that might see what a removal up to `revision` takes away. */
  async #readsAbove(revision: number): Promise<void> {
    while ([...this.#reads].some((read) => read.revision < revision)) {
      await new Promise<void>((resolve) => this.#readsEnded.push(resolve));
    }
  }

  /** Other content has taken its place: nothing is written any more. Resolves when nothing is under way. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    await this.#exclusive;
  }

  /** The database goes: reads that have begun end first, and no other begins. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.retire();
    while (this.#reads.size > 0) await new Promise<void>((resolve) => this.#readsEnded.push(resolve));
  }

  #alone(work: () => Promise<void>): Promise<void> {
    const done = this.#exclusive.then(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      try {
        await work();
      } catch (error) {
        throw this.#fail(error);
      }
    });
    this.#exclusive = done.catch(() => undefined);
    return done;
  }

  #fail(error: unknown): Error {
    if (this.#failure === undefined) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      this.#options.onFailure(this.#failure);
    }
    return this.#failure;
  }
}

const OPEN = "\0" as ByteString;
/** Behind a key, it makes the next one. */
const NUL = Buffer.alloc(1);

function costOf({ key, value }: VersionedRecord): number {
  return key.length + value.length + RECORD_OVERHEAD_BYTES;
}

/** The index of the first record behind `place`, in ascending records. */
function firstBehind(records: readonly VersionedRecord[], place: RecordPlace): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(place, records[middle] as VersionedRecord)) high = middle;
    else low = middle + 1;
  }
  return low;
}
