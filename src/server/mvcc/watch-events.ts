import type { Event } from "../../codec/index.ts";
import { eventType } from "../../codec/index.ts";
import type { ByteString } from "../../lib/bytes.ts";
import type { Engine, EngineLoader, RecordCursor, VersionedRecord } from "../storage/index.ts";
import type { WatchEvent } from "./types.ts";

/** What the hub needs of the store. Both the store and a test's model provide it. */
export interface WatchSource {
  /** The newest revision whose records are visible. */
  readonly currentRevision: number;
  /** -1 when never compacted. */
  readonly compactRevision: number;
  /** Engine.records. */
  records(fromRevision: number, toRevision: number): RecordCursor;
  /** Engine.at: the record of `key` alive at `revision`. With a loader: of keys whose commit is being told only. */
  at(key: ByteString, revision: number): VersionedRecord | undefined;
  /** Engine.loader. */
  readonly loader?: EngineLoader | undefined;
}

export function watchSourceOf(
  store: { readonly currentRevision: number; readonly compactRevision: number },
  engine: Engine,
): WatchSource {
  return {
    get currentRevision() {
      return store.currentRevision;
    },
    get compactRevision() {
      return store.compactRevision;
    },
    records: (fromRevision, toRevision) => engine.records(fromRevision, toRevision),
    at: (key, revision) => engine.at(key, revision),
    loader: engine.loader,
  };
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
  withPrevious(source: PreviousSource): WatchEvent {
    if (this.#withPrevious === undefined) {
      const previous = hasPrevious(this.record, source)
        ? source.at(this.record.key, this.record.modRevision - 1)
        : undefined;
      this.#withPrevious =
        previous === undefined ? this.plain() : { event: toEvent(this.record, previous), encoded: undefined };
    }
    return this.#withPrevious;
  }
}

/** Where prev_kv is read. */
export type PreviousSource = Pick<WatchSource, "compactRevision" | "at">;

/** Whether there may be a key just before this revision. */
export function hasPrevious(
  record: VersionedRecord,
  { compactRevision }: Pick<WatchSource, "compactRevision">,
): boolean {
  const isCreation = !record.tombstone && record.createRevision === record.modRevision;
  return !isCreation && record.modRevision - 1 >= compactRevision;
}

function toEvent(record: VersionedRecord, previous: VersionedRecord | undefined): Event {
  return {
    type: record.tombstone ? eventType.delete : eventType.put,
    kv: record,
    prevKv: previous,
  };
}
