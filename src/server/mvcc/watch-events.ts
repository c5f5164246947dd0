import type { Event, KeyValue } from "../../codec/index.ts";
import { eventType } from "../../codec/index.ts";
import type { ByteString } from "../../lib/bytes.ts";
import { EMPTY } from "../../lib/bytes.ts";
import type { VersionedRecord } from "../storage/index.ts";
import type { WatchEvent } from "./types.ts";

/** What the hub needs of the store. Both the store and a test's model provide it. */
export interface WatchSource {
  /** The newest revision whose records are visible. */
  readonly currentRevision: number;
  /** -1 when never compacted. */
  readonly compactRevision: number;
  /** Engine.records: ascending, lazily, also while commits and compaction go on. */
  records(fromMain: number, toMain: number): IterableIterator<VersionedRecord>;
  /** Engine.at: the record of `key` alive at `revision`. */
  at(key: ByteString, revision: number): VersionedRecord | undefined;
}

/** One record as the events that watchers see: made once each, and shared by all that see them. */
export class RecordEvents {
  readonly record: VersionedRecord;
  #plain: WatchEvent | undefined;
  #withPrevious: WatchEvent | undefined;

  constructor(record: VersionedRecord) {
    this.record = record;
  }

  plain(): WatchEvent {
    this.#plain ??= { event: toEvent(this.record, undefined), encoded: undefined };
    return this.#plain;
  }

  /** With prev_kv: the key just before this revision; left out where there was none or it was compacted away. */
  withPrevious(source: WatchSource): WatchEvent {
    if (this.#withPrevious === undefined) {
      const previous = findPrevious(this.record, source);
      this.#withPrevious =
        previous === undefined ? this.plain() : { event: toEvent(this.record, previous), encoded: undefined };
    }
    return this.#withPrevious;
  }
}

function findPrevious(record: VersionedRecord, source: WatchSource): VersionedRecord | undefined {
  const isCreation = !record.tombstone && record.createRevision === record.main;
  const revision = record.main - 1;
  if (isCreation || revision < source.compactRevision) return undefined;
  return source.at(record.key, revision);
}

/** A deletion's kv holds nothing but the key and the revision of the deletion (semantics-watch-lease A4). */
function toEvent(record: VersionedRecord, previous: VersionedRecord | undefined): Event {
  const prevKv = previous === undefined ? undefined : toKeyValue(previous);
  if (!record.tombstone) return { type: eventType.put, kv: toKeyValue(record), prevKv };
  const kv: KeyValue = {
    key: record.key,
    createRevision: 0,
    modRevision: record.main,
    version: 0,
    value: EMPTY,
    lease: 0n,
  };
  return { type: eventType.delete, kv, prevKv };
}

function toKeyValue(record: VersionedRecord): KeyValue {
  return {
    key: record.key,
    createRevision: record.createRevision,
    modRevision: record.main,
    version: record.version,
    value: record.value,
    lease: record.lease,
  };
}
