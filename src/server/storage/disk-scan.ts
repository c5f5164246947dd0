import { assert } from "../../lib/assert.ts";
import type { ByteString } from "../../lib/bytes.ts";
import { EMPTY, OPEN_END } from "../../lib/bytes.ts";
import type { DiskDatabase, DiskIterator, DiskPair } from "./disk-database.ts";
import type { DiskLayer } from "./disk-layer.ts";
import {
  type DiskLayout,
  damaged,
  decodeNewest,
  decodeNewestPlace,
  decodeRecord,
  isPastTombstone,
  type RecordPlace,
  space,
} from "./disk-layout.ts";
import type { KeyInterval, VersionedRecord } from "./engine.ts";

/** Keys of a first page where no limit says how many are wanted, and of the largest ones. */
const PAGE_KEYS = 256;
const PAGE_KEYS_MAX = 1_024;
const PAGE_BYTES = 1_048_576;

/** One moment of the content: the layers as they were then; the database may be further. */
export interface Moment {
  readonly database: DiskDatabase;
  readonly layout: DiskLayout;
  /** The oldest first. */
  readonly layers: readonly DiskLayer[];
  /** The newest revision then. */
  readonly revision: number;
}

/**
 * What the layers know of `key` up to `revision`. With `isRemovalWanted` a key that is only known not to be alive counts
 * as not known.
 */
export function newestInLayers(
  { layers }: Moment,
  key: ByteString,
  revision: number,
  isRemovalWanted: boolean,
): { readonly record: VersionedRecord | undefined } | undefined {
  for (let i = layers.length - 1; i >= 0; i--) {
    const answer = (layers[i] as DiskLayer).newest(key, revision);
    if (answer !== undefined && (answer.record !== undefined || !isRemovalWanted)) return answer;
  }
  return undefined;
}

/** The newest record of `key` up to `revision` among those that are not a live key's newest; the database alone. */
export async function newestPast(
  { database, layout }: Moment,
  key: ByteString,
  revision: number,
): Promise<VersionedRecord | undefined> {
  const iterator = database.iterate({
    start: layout.pastStart(key),
    end: layout.past(key, { modRevision: revision + 1, sub: 0 }),
    isReverse: true,
  });
  let found: DiskPair | undefined;
  try {
    [found] = await iterator.next(1);
  } finally {
    await iterator.close();
  }
  if (found === undefined) return undefined;
  const place = layout.placeOfPast(found.key);
  const [bytes] = await database.getMany([layout.record(place)]);
  if (bytes !== undefined) return decodeRecord(place, bytes);
  // A compaction may have removed both since the iterator was opened: only of a key that has long been deleted.
  const [entry] = await database.getMany([found.key]);
  if (entry === undefined) return undefined;
  throw damaged(`the record ${place.modRevision}.${place.sub}`);
}

/** What is in the layers of a range at a moment, ascending; undefined: not alive. */
function layered(moment: Moment, interval: KeyInterval, revision: number) {
  const found = new Map<ByteString, VersionedRecord | undefined>();
  // Newer layers overwrite what older ones say.
  for (const layer of moment.layers) {
    layer.visit(interval, revision, (key, record) => found.set(key, record?.tombstone ? undefined : record));
  }
  return [...found].map(([key, record]) => ({ key, record })).sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** How the keys of a range are taken, in byte order. Stops at false. */
export type VisitRecord = (key: ByteString, record: VersionedRecord) => boolean;

export interface ScanOptions {
  readonly interval: KeyInterval;
  readonly revision: number;
  /** At most so many keys will be taken; 0: all. */
  readonly limit: number;
}

/**
 * Visits the keys that were alive at `revision`. That iterators are closed is not waited for: an answer need not be later
 * by it. Nothing is awaited before the iterators are made; to be called before
 * anything is appended behind the moment.
 */
export function scan(moment: Moment, options: ScanOptions, visit: VisitRecord): Promise<void> {
  if (isEmpty(options.interval)) return Promise.resolve();
  if (options.revision >= moment.revision) return scanNewest(moment, options, visit);
  return scanPast(moment, options, false, (key, record) => visit(key, record as VersionedRecord));
}

/** The keys of an interval at a revision, captured but not yet visited. One of the two is called. */
export interface KeyScan {
  visit(take: (key: ByteString) => void): Promise<void>;
  drop(): void;
}

/** To be called before anything is appended behind the moment. */
export function scanKeys(moment: Moment, interval: KeyInterval, revision: number): KeyScan {
  const drop = (): void => {};
  if (isEmpty(interval)) return { visit: () => Promise.resolve(), drop };
  if (revision >= moment.revision) return newestKeys(moment, interval);
  const visit = (take: (key: ByteString) => void): Promise<void> =>
    scanPast(moment, { interval, revision, limit: 0 }, true, (key) => {
      take(key);
      return true;
    });
  return { visit, drop };
}

function isEmpty({ start, end }: KeyInterval): boolean {
  return end !== OPEN_END && end <= start;
}

/** The database has nothing yet that the moment has not (I1, D3): that a key is in it says that the key was alive. */
function newestKeys(moment: Moment, interval: KeyInterval): KeyScan {
  const bounds = boundsOf(moment.layout, interval);
  const iterator = moment.database.iterate({ ...bounds, isKeysOnly: true });
  const fromLayers = layered(moment, interval, moment.revision);
  return {
    visit: (take) => {
      const visit = (key: ByteString): boolean => {
        take(key);
        return true;
      };
      const next = (): Promise<DiskPair[]> => iterator.next(PAGE_KEYS_MAX);
      return merge(moment.layout, next, fromLayers, visit, visit).finally(() => void iterator.close());
    },
    drop: () => void iterator.close(),
  };
}

function scanNewest(moment: Moment, options: ScanOptions, visit: VisitRecord): Promise<void> {
  const { interval, revision, limit } = options;
  const { database, layout } = moment;
  const fromLayers = layered(moment, interval, revision);
  const iterator = database.iterate(boundsOf(layout, interval));
  // All that is read is taken, but for what the layers make up for: bytes are not limited.
  let size = limit === 0 ? PAGE_KEYS : Math.min(PAGE_KEYS_MAX, limit + 1);
  const next = (): Promise<DiskPair[]> => {
    const page = iterator.next(size);
    size = Math.min(PAGE_KEYS_MAX, 2 * size);
    return page;
  };
  const take = (key: ByteString, value: Buffer): boolean => {
    const record = decodeNewest(key, value);
    assert(record.modRevision <= revision, "D3: the database has nothing that the moment has not");
    return visit(key, record);
  };
  return merge(layout, next, fromLayers, visit, take).finally(() => void iterator.close());
}

/** Pages of what is newest in the database, with what the layers know in its place; ends at the first false. */
async function merge(
  layout: DiskLayout,
  nextPage: () => Promise<DiskPair[]>,
  fromLayers: ReturnType<typeof layered>,
  visit: VisitRecord,
  take: (key: ByteString, value: Buffer) => boolean,
): Promise<void> {
  let at = 0;
  /** Visits what the layers have up to a key; false: enough. */
  const visitLayers = (until: ByteString | undefined): boolean => {
    for (; at < fromLayers.length; at++) {
      const { key, record } = fromLayers[at] as (typeof fromLayers)[number];
      if (until !== undefined && key >= until) return true;
      if (record !== undefined && !visit(key, record)) return false;
    }
    return true;
  };
  for (;;) {
    const page = await nextPage();
    if (page.length === 0) break;
    for (const { key: bytes, value } of page) {
      const key = layout.keyOfNewest(bytes);
      if (!visitLayers(key)) return;
      const layer = fromLayers[at];
      if (layer?.key === key) {
        at++;
        if (layer.record !== undefined && !visit(key, layer.record)) return;
        continue;
      }
      if (!take(key, value)) return;
    }
  }
  visitLayers(undefined);
}

/** A candidate for the newest record of a key up to a revision; `record` undefined: it has to be fetched. */
interface Candidate {
  readonly place: RecordPlace;
  readonly isTombstone: boolean;
  readonly record: VersionedRecord | undefined;
}

/** Merges what is newest, what is past, and what is in the layers, key by key; no records when only keys are wanted. */
function scanPast(
  moment: Moment,
  { interval, revision }: ScanOptions,
  isCountOnly: boolean,
  visit: (key: ByteString, record: VersionedRecord | undefined) => boolean,
): Promise<void> {
  const { database, layout } = moment;
  const fromLayers = layered(moment, interval, revision);
  const newest = new Pages(database.iterate(boundsOf(layout, interval)));
  const past = new Pages(database.iterate(pastBoundsOf(layout, interval)));
  let waiting: { key: ByteString; candidate: Candidate }[] = [];

  /** Fetches what is missing of those that wait, and visits them. */
  const settle = async (): Promise<boolean> => {
    const missing = isCountOnly ? [] : waiting.filter(({ candidate }) => candidate.record === undefined);
    const fetched = await database.getMany(missing.map(({ candidate }) => layout.record(candidate.place)));
    let at = 0;
    const all = waiting;
    waiting = [];
    for (const { key, candidate } of all) {
      let { record } = candidate;
      if (record === undefined && !isCountOnly) {
        const bytes = fetched[at++];
        if (bytes === undefined)
          throw damaged(`the record ${candidate.place.modRevision}.${candidate.place.sub}`);
        record = decodeRecord(candidate.place, bytes);
      }
      if (!visit(key, record)) return false;
    }
    return true;
  };

  const run = async (): Promise<void> => {
    let nextLayer = 0;
    let newestPair = await newest.peek();
    let pastPair = await past.peek();
    for (;;) {
      const newestKey = newestPair === undefined ? undefined : layout.keyOfNewest(newestPair.key);
      const pastKey = pastPair === undefined ? undefined : layout.keyOfPast(pastPair.key);
      const key = least(least(newestKey, pastKey), fromLayers[nextLayer]?.key);
      if (key === undefined) break;
      let best: Candidate | undefined;
      const offer = (candidate: Candidate): void => {
        if (candidate.place.modRevision > revision) return;
        if (best === undefined || isBefore(best.place, candidate.place)) best = candidate;
      };
      if (newestKey === key && newestPair !== undefined) {
        const place = decodeNewestPlace(newestPair.value);
        const record =
          isCountOnly || place.modRevision > revision ? undefined : decodeNewest(key, newestPair.value);
        offer({ place, isTombstone: false, record });
        newest.take();
        newestPair = newest.peekNow() ?? (await newest.peek());
      }
      while (pastPair !== undefined && layout.keyOfPast(pastPair.key) === key) {
        const place = layout.placeOfPast(pastPair.key);
        offer({ place, isTombstone: isPastTombstone(pastPair.value), record: undefined });
        past.take();
        pastPair = past.peekNow() ?? (await past.peek());
      }
      const layer = fromLayers[nextLayer];
      if (layer?.key === key) {
        nextLayer++;
        // What the layers know is newer than all that the database had then.
        if (layer.record === undefined) continue;
        best = { place: layer.record, isTombstone: false, record: layer.record };
      }
      if (best === undefined || (best as Candidate).isTombstone) continue;
      waiting.push({ key, candidate: best });
      if (waiting.length >= PAGE_KEYS && !(await settle())) return;
    }
    await settle();
  };
  return run().finally(() => {
    newest.close();
    past.close();
  });
}

function least(left: ByteString | undefined, right: ByteString | undefined): ByteString | undefined {
  if (left === undefined) return right;
  return right === undefined || left < right ? left : right;
}

export function isBefore(left: RecordPlace, right: RecordPlace): boolean {
  return (
    left.modRevision < right.modRevision || (left.modRevision === right.modRevision && left.sub < right.sub)
  );
}

function boundsOf(layout: DiskLayout, { start, end }: KeyInterval) {
  return {
    start: start === EMPTY ? layout.start(space.newest) : layout.newest(start),
    end: end === OPEN_END ? layout.end(space.newest) : layout.newest(end),
  };
}

function pastBoundsOf(layout: DiskLayout, { start, end }: KeyInterval) {
  return {
    start: start === EMPTY ? layout.start(space.past) : layout.pastStart(start),
    end: end === OPEN_END ? layout.end(space.past) : layout.pastStart(end),
  };
}

/** An iterator, page by page, which grow. */
class Pages {
  readonly #iterator: DiskIterator;
  #size = PAGE_KEYS;
  #page: DiskPair[] = [];
  #at = 0;

  constructor(iterator: DiskIterator) {
    this.#iterator = iterator;
  }

  peekNow(): DiskPair | undefined {
    return this.#page[this.#at];
  }

  async peek(): Promise<DiskPair | undefined> {
    if (this.#at >= this.#page.length) {
      this.#page = await this.#iterator.next(this.#size, PAGE_BYTES);
      this.#size = Math.min(PAGE_KEYS_MAX, 2 * this.#size);
      this.#at = 0;
    }
    return this.#page[this.#at];
  }

  take(): void {
    this.#at++;
  }

  close(): void {
    void this.#iterator.close();
  }
}
