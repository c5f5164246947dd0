import { type ByteString, OPEN_END } from "../../lib/bytes.ts";

/**
 * One change of one key: what etcd stores under (main, sub), where main is modRevision. `tombstone` records carry no
 * value, version, createRevision or lease. Records are immutable: an answer has them as its KeyValues, not copies.
 */
export interface VersionedRecord {
  readonly key: ByteString;
  readonly modRevision: number;
  readonly sub: number;
  readonly createRevision: number;
  readonly version: number;
  readonly value: ByteString;
  readonly lease: bigint;
  readonly tombstone: boolean;
}

/** Told of each record with modRevision <= revision, in order, whether a compaction keeps it. */
export type RecordPassed = (record: VersionedRecord, isKept: boolean) => void;

/** What a range read returns: keys in byte order, and how many keys there are beyond the limit. */
export interface RangeRead {
  readonly records: VersionedRecord[];
  readonly count: number;
}

/** A half-open interval of keys in etcd's notation: end "" = exactly start, end "\0" = open. */
export interface KeyInterval {
  readonly start: ByteString;
  readonly end: ByteString;
}

export function isBeforeEnd(key: ByteString, end: ByteString): boolean {
  return end === OPEN_END || key < end;
}

/** Reads that are answered at once. */
export interface EngineView {
  /** The newest record of `key` when it is alive. */
  latest(key: ByteString): VersionedRecord | undefined;
  /** The record of `key` alive at `revision`. */
  at(key: ByteString, revision: number): VersionedRecord | undefined;
  /** The newest record of `key` with modRevision <= revision, tombstones included. */
  newest(key: ByteString, revision: number): VersionedRecord | undefined;
  /**
   * Live keys of the interval at `revision` in byte order, at most `limit` of them (0 = all); `count` is the
   * total, whatever the limit.
   */
  range(interval: KeyInterval, revision: number, limit: number): RangeRead;
  /** How many keys are alive in the interval at `revision`. */
  count(interval: KeyInterval, revision: number): number;
}

/**
 * A read that will be made. `revision` undefined: at the newest one, whatever that is by then. `limit` as in
 * EngineView.range; a count has neither.
 */
export type Want =
  | { readonly kind: "key"; readonly key: ByteString; readonly revision: number | undefined }
  | {
      readonly kind: "range";
      readonly interval: KeyInterval;
      readonly revision: number | undefined;
      readonly limit: number;
    }
  | { readonly kind: "count"; readonly interval: KeyInterval; readonly revision: number | undefined };

/** How an engine whose content is not all in memory is asked: what will be read is named first. */
export interface EngineLoader {
  /**
   * Brings the wants within reach of the engine's own reads, until the next load(): for commands, which read and
   * append in turn. Every key to be appended must be among them, by itself or in a range without limit.
   */
  load(wants: readonly Want[]): Promise<void>;
  /** The content as it is at this moment, for the wants and for no other reads. */
  view(wants: readonly Want[]): Promise<EngineView>;
}

/** Reads history from one record to the next. */
export interface RecordCursor {
  /**
   * The next records, at least one and about `countMax` at most; none at the end. A promise where the disk must be
   * asked; not to be called again before that is settled.
   */
  next(countMax: number): readonly VersionedRecord[] | Promise<readonly VersionedRecord[]>;
  /** To be called once, whatever became of the reading. */
  close(): void;
}

/** Reads what is kept of history, in bites. */
export interface KeptCursor {
  /** What is kept of the next `lookedAtMax` records. To be called until the last. */
  next(lookedAtMax: number): { readonly records: readonly VersionedRecord[]; readonly isLast: boolean };
}

/**
 * The versioned store under MVCC. It sits at versioned records rather than raw bytes, so that a memory engine
 * and a disk engine can each be good at it.
 *
 * Law (test/suites/engine-suite.ts):
 *  E1 append() takes records in ascending (modRevision, sub) and makes them visible at once to every read.
 *  E2 reads at revision R see, for each key, its newest record with modRevision <= R; a tombstone reads as absent.
 *  E3 compact removes exactly: records with modRevision <= R that are not the newest <= R of their key, and
 *     tombstones with modRevision < R. Reads at or above R never change by it.
 *  E4 records() runs in ascending (modRevision, sub), also while append and compact go on.
 *  E5 where there is a loader, reads answer for what was loaded last; any other read is a programmer's error.
 */
export interface Engine extends EngineView {
  /** Undefined: everything is in memory, and every read is answered at once. */
  readonly loader: EngineLoader | undefined;
  /** Appends the records of one write transaction. */
  append(records: readonly VersionedRecord[]): void;
  /**
   * Records with fromRevision <= modRevision <= toRevision in order. A cursor opened before compactStep may or may not
   * give the records that it removes; it goes on with what is appended after it had come to the end, and ends when the
   * content is replaced.
   */
  records(fromRevision: number, toRevision: number): RecordCursor;
  /**
   * records() without those that a compaction at `revision` removes, which may go on meanwhile. There where there is
   * no loader, and only there.
   */
  kept?(fromRevision: number, toRevision: number, revision: number): KeptCursor;
  /**
   * Starts or goes on with the removal up to `revision`; one bite that looks at about `recordsMax` records. True
   * when finished. A higher revision than the one under way starts anew, a lower one goes on with it. `onPassed` is
   * called where there is no loader, and must not touch the engine.
   */
  compactStep(revision: number, recordsMax: number, onPassed?: RecordPassed): boolean | Promise<boolean>;
  /** Number of live keys, of all records, and the sizes quota and status report. */
  stats(): EngineStats;
  /** Bytes that the records take where they are kept: on disk those of the files, in memory stats().sizeBytes. */
  storedBytes(): number;
  /** Begins to gather other content; this engine's is as it was until commit(). */
  beginReplacement(): EngineReplacement;
}

/** The content of a snapshot on its way in; dropped when it is not committed. */
export interface EngineReplacement {
  /** In ascending (modRevision, sub), over all calls. A promise when the next call must wait for it. */
  append(records: readonly VersionedRecord[]): void | Promise<void>;
  /** After the last append, before commit(): may take long, and ends turns with `yieldTurn` then. */
  prepare(yieldTurn: () => Promise<void>): Promise<void>;
  /** Takes the place of the engine's content, at once. To be called once. */
  commit(): void;
}

export interface EngineStats {
  readonly liveKeys: number;
  readonly records: number;
  /** Bytes of all records held, reclaimable ones included: what the quota counts, the same for every engine. */
  readonly sizeBytes: number;
  /** Bytes of the records that a finished compaction at the newest revision would keep: one for each live key. */
  readonly sizeInUseBytes: number;
}
