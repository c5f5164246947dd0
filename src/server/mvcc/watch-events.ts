import type { Event } from "../../codec/index.ts";
import { eventType } from "../../codec/index.ts";
import type { ByteString } from "../../lib/bytes.ts";
import type { VersionedRecord } from "../storage/index.ts";
import { toKeyValue } from "./record.ts";
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

function toEvent(record: VersionedRecord, previous: VersionedRecord | undefined): Event {
  return {
    type: record.tombstone ? eventType.delete : eventType.put,
    kv: toKeyValue(record),
    prevKv: previous === undefined ? undefined : toKeyValue(previous),
  };
}
