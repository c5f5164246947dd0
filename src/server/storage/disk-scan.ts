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

const PAGE_KEYS = 256;
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
    end: layout.past(key, { main: revision + 1, sub: 0 }),
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
  throw damaged(`the record ${place.main}.${place.sub}`);
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

/** How the keys of a range are taken: `record` undefined when only their number is wanted. Stops at false. */
export type VisitKey = (key: ByteString, record: VersionedRecord | undefined) => boolean;

export interface ScanOptions {
  readonly interval: KeyInterval;
  readonly revision: number;
  readonly isCountOnly: boolean;
  /** At most so many keys will be taken; 0: all. */
  readonly limit: number;
}

/** Visits the keys that were alive at `revision`, in byte order. Nothing is awaited before the moment is captured. */
export function scan(moment: Moment, options: ScanOptions, visit: VisitKey): Promise<void> {
  const { start, end } = options.interval;
  if (end !== OPEN_END && end <= start) return Promise.resolve();
  return options.revision >= moment.revision
    ? scanNewest(moment, options, visit)
    : scanPast(moment, options, visit);
}

function scanNewest(moment: Moment, options: ScanOptions, visit: VisitKey): Promise<void> {
  const { interval, revision } = options;
  const { database, layout } = moment;
  const fromLayers = layered(moment, interval, revision);
  const pages = new Pages(database.iterate(boundsOf(layout, interval)), options.limit);
  const run = async (): Promise<void> => {
    let next = 0;
    for (;;) {
      const page = await pages.next();
      if (page.length === 0) break;
      for (const { key: bytes, value } of page) {
        const key = layout.keyOfNewest(bytes);
        for (
          let layer = fromLayers[next];
          layer !== undefined && layer.key < key;
          layer = fromLayers[++next]
        ) {
          if (layer.record !== undefined && !visit(layer.key, layer.record)) return;
        }
        const layer = fromLayers[next];
        if (layer?.key === key) {
          next++;
          if (layer.record !== undefined && !visit(key, layer.record)) return;
          continue;
        }
        let record = options.isCountOnly ? undefined : decodeNewest(key, value);
        if ((record ?? decodeNewestPlace(value)).main > revision) {
          // It was written after the moment; what it replaced is in the past now.
          record = await newestPast(moment, key, revision);
          if (record === undefined || record.tombstone) continue;
        }
        if (!visit(key, record)) return;
      }
    }
    for (; next < fromLayers.length; next++) {
      const { key, record } = fromLayers[next] as (typeof fromLayers)[number];
      if (record !== undefined && !visit(key, record)) return;
    }
  };
  return run().finally(() => pages.close());
}

/** A candidate for the newest record of a key up to a revision; `record` undefined: it has to be fetched. */
interface Candidate {
  readonly place: RecordPlace;
  readonly isTombstone: boolean;
  readonly record: VersionedRecord | undefined;
}

/** Merges what is newest, what is past, and what is in the layers, key by key. */
function scanPast(moment: Moment, options: ScanOptions, visit: VisitKey): Promise<void> {
  const { interval, revision, isCountOnly } = options;
  const { database, layout } = moment;
  const fromLayers = layered(moment, interval, revision);
  const newest = new Pages(database.iterate(boundsOf(layout, interval)), 0);
  const past = new Pages(database.iterate(pastBoundsOf(layout, interval)), 0);
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
        if (bytes === undefined) throw damaged(`the record ${candidate.place.main}.${candidate.place.sub}`);
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
        if (candidate.place.main > revision) return;
        if (best === undefined || isBefore(best.place, candidate.place)) best = candidate;
      };
      if (newestKey === key && newestPair !== undefined) {
        const place = decodeNewestPlace(newestPair.value);
        const record = isCountOnly || place.main > revision ? undefined : decodeNewest(key, newestPair.value);
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
  return run().finally(() => Promise.all([newest.close(), past.close()]).then(() => undefined));
}

function least(left: ByteString | undefined, right: ByteString | undefined): ByteString | undefined {
  if (left === undefined) return right;
  return right === undefined || left < right ? left : right;
}

export function isBefore(left: RecordPlace, right: RecordPlace): boolean {
  return left.main < right.main || (left.main === right.main && left.sub < right.sub);
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

/** An iterator, page by page. The first page is as small as the limit, the next ones grow. */
class Pages {
  readonly #iterator: DiskIterator;
  #size: number;
  #page: DiskPair[] = [];
  #at = 0;

  constructor(iterator: DiskIterator, limit: number) {
    this.#iterator = iterator;
    this.#size = limit === 0 ? PAGE_KEYS : Math.min(PAGE_KEYS, limit + 1);
  }

  /** Empty at the end. */
  next(): Promise<DiskPair[]> {
    const size = this.#size;
    this.#size = Math.min(4 * PAGE_KEYS, 2 * size);
    return this.#iterator.next(size, PAGE_BYTES);
  }

  peekNow(): DiskPair | undefined {
    return this.#page[this.#at];
  }

  async peek(): Promise<DiskPair | undefined> {
    if (this.#at >= this.#page.length) {
      this.#page = await this.next();
      this.#at = 0;
    }
    return this.#page[this.#at];
  }

  take(): void {
    this.#at++;
  }

  close(): Promise<void> {
    return this.#iterator.close();
  }
}
