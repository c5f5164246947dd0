import type { ByteString } from "../../lib/bytes.ts";
import { SortedMap } from "../../lib/sorted-map.ts";
import type { DiskOperation } from "./disk-database.ts";
import {
  type DiskLayout,
  encodeGarbage,
  encodeNewest,
  encodePast,
  encodeRecord,
  garbageKind,
} from "./disk-layout.ts";
import { isBeforeEnd, type KeyInterval, type VersionedRecord } from "./engine.ts";
import { RECORD_OVERHEAD_BYTES } from "./memory-engine.ts";

/** What one key has become since its layer began. */
interface LayerKey {
  /** Its newest record before, when that was alive. */
  readonly base: VersionedRecord | undefined;
  /** At least one, oldest first. */
  readonly history: VersionedRecord[];
}

/** What the layers know of a key at a revision; `record` undefined: it was not alive. */
export type LayerAnswer = { readonly record: VersionedRecord | undefined } | undefined;

/** Records that are not in the database yet, and will get there together. */
export class DiskLayer {
  /** The newest revision when the layer began. */
  readonly baseRevision: number;
  readonly #records: VersionedRecord[] = [];
  /** In step with the records: the one that each made the second newest of its key, if that was alive. */
  readonly #superseded: (VersionedRecord | undefined)[] = [];
  /** Removals that were overtaken within their own revision. */
  readonly #shortRemovals = new Map<VersionedRecord, VersionedRecord>();
  readonly #keys = new SortedMap<LayerKey>();
  sizeBytes = 0;

  constructor(baseRevision: number) {
    this.baseRevision = baseRevision;
  }

  get records(): readonly VersionedRecord[] {
    return this.#records;
  }

  /** `previous`: the newest record of the key until now, when it is alive. */
  append(record: VersionedRecord, previous: VersionedRecord | undefined): void {
    const { key, value } = record;
    this.#records.push(record);
    this.#superseded.push(previous);
    this.sizeBytes += key.length + value.length + RECORD_OVERHEAD_BYTES;
    const known = this.#keys.get(key);
    if (known === undefined) {
      this.#keys.set(key, { base: previous, history: [record] });
      return;
    }
    const newest = known.history.at(-1) as VersionedRecord;
    if (newest.tombstone && newest.modRevision === record.modRevision)
      this.#shortRemovals.set(newest, record);
    known.history.push(record);
  }

  /** The newest record of `key` up to `revision`, if this layer can tell. */
  newest(key: ByteString, revision: number): LayerAnswer {
    const known = this.#keys.get(key);
    return known === undefined ? undefined : this.#answer(known, revision);
  }

  /** Calls `visit` for the keys of the interval that the layer can tell about, in byte order. */
  visit(
    interval: KeyInterval,
    revision: number,
    visit: (key: ByteString, record: VersionedRecord | undefined) => void,
  ): void {
    const cursor = this.#keys.seek(interval.start);
    while (!cursor.isDone && isBeforeEnd(cursor.key, interval.end)) {
      const answer = this.#answer(cursor.value, revision);
      if (answer !== undefined) visit(cursor.key, answer.record);
      cursor.advance();
    }
  }

  #answer({ base, history }: LayerKey, revision: number): LayerAnswer {
    for (let i = history.length - 1; i >= 0; i--) {
      const record = history[i] as VersionedRecord;
      if (record.modRevision <= revision) return { record };
    }
    // The base is what was there before the layer; what was there before the base, only the database knows.
    if (revision >= this.baseRevision || (base !== undefined && base.modRevision <= revision))
      return { record: base };
    return undefined;
  }

  /** What puts the records from `from` on, `count` of them, into the database. */
  encodeRecords(layout: DiskLayout, from: number, count: number, into: DiskOperation[]): void {
    const end = Math.min(this.#records.length, from + count);
    for (let i = from; i < end; i++) this.#encodeRecord(layout, i, into);
  }

  #encodeRecord(layout: DiskLayout, index: number, into: DiskOperation[]): void {
    const record = this.#records[index] as VersionedRecord;
    const previous = this.#superseded[index];
    into.push({ key: layout.record(record), value: encodeRecord(record) });
    if (previous !== undefined) {
      into.push({ key: layout.past(previous.key, previous), value: encodePast(false) });
      into.push({ key: layout.garbage(record, garbageKind.superseded), value: encodeGarbage(previous) });
    }
    if (!record.tombstone) return;
    into.push({ key: layout.past(record.key, record), value: encodePast(true) });
    const overtaker = this.#shortRemovals.get(record);
    // A removal is needed for reads at its own revision, unless the same revision has put the key again.
    const goesAt = overtaker ?? { modRevision: record.modRevision + 1, sub: record.sub };
    const kind = overtaker === undefined ? garbageKind.removal : garbageKind.superseded;
    into.push({ key: layout.garbage(goesAt, kind), value: encodeGarbage(record) });
  }

  /** The newest state of each key; to be called once. */
  *encodeKeys(layout: DiskLayout): Generator<DiskOperation> {
    const cursor = this.#keys.seek("" as ByteString);
    for (; !cursor.isDone; cursor.advance()) {
      const { key } = cursor;
      const { base, history } = cursor.value;
      const newest = history.at(-1) as VersionedRecord;
      yield { key: layout.newest(key), value: newest.tombstone ? undefined : encodeNewest(newest) };
      const before = base?.lease ?? 0n;
      const after = newest.tombstone ? 0n : newest.lease;
      if (before === after) continue;
      if (before !== 0n) yield { key: layout.attachment(before, key), value: undefined };
      if (after !== 0n) yield { key: layout.attachment(after, key), value: Buffer.alloc(0) };
    }
  }
}
