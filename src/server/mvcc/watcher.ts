import type { KeyInterval, VersionedRecord } from "../storage/index.ts";
import type { WatchDelivery, WatchEvent } from "./types.ts";
import type { PreviousSource, RecordEvents } from "./watch-events.ts";

/**
 * Where a watcher gets its events from.
 * - synced: from each commit as it happens; it has everything up to the newest revision.
 * - unsynced: from history, in the next catch-up pass or in the one going on.
 * - behind: from nowhere until its stream resumes; it keeps its position only.
 */
export type WatcherState = "synced" | "unsynced" | "behind";

/** A watcher's stream as the hub uses it. */
export interface WatcherStream {
  /** The sink has said "no more now": nothing but answers to requests goes out. */
  readonly isFull: boolean;
  /** Hands `delivery` to the sink and notes whether the sink is full now. */
  deliver(delivery: WatchDelivery): void;
  /** Keeps `watcher` until the stream resumes. */
  park(watcher: Watcher): void;
  /** Takes the watcher off the stream: it was cancelled by the hub. */
  forget(watcher: Watcher): void;
}

/** What a watcher asked for that decides how its events look. */
export interface WatchOptions {
  readonly prevKv: boolean;
  readonly isPutDropped: boolean;
  readonly isDeleteDropped: boolean;
  readonly fragment: boolean;
  /** The same number for options that select the same events; below watchVariantCount. */
  readonly variant: number;
}

export const watchVariantCount = 8;

export function createWatchOptions(options: Omit<WatchOptions, "variant">): WatchOptions {
  const variant =
    (options.prevKv ? 1 : 0) + (options.isPutDropped ? 2 : 0) + (options.isDeleteDropped ? 4 : 0);
  return { ...options, variant };
}

/** Events of consecutive revisions, read from history and not sent yet. */
export interface WatchBatch {
  readonly events: WatchEvent[];
  readonly firstRevision: number;
  lastRevision: number;
  revisionCount: number;
  sizeBytes: number;
  /** It has reached its size and goes out when its last revision is complete. */
  isOverdue: boolean;
}

export interface Watcher {
  readonly id: number;
  readonly stream: WatcherStream;
  readonly range: KeyInterval;
  readonly options: WatchOptions;
  /** As asked for; 0 = from now on. */
  readonly startRevision: number;
  readonly progressNotify: boolean;
  state: WatcherState;
  /**
   * The lowest revision it has not been given. Exact while unsynced and behind; while synced a lower bound: commits
   * below it are not for this watcher.
   */
  nextRevision: number;
  /** Only inside a catch-up pass. */
  batch: WatchBatch | undefined;
  /** Whether events went out since the last tick of the stream's progress timer. */
  hadEvents: boolean;
}

/** The event of a record as a watcher with `options` sees it. */
export function viewEvent(events: RecordEvents, options: WatchOptions, source: PreviousSource): WatchEvent {
  return options.prevKv ? events.withPrevious(source) : events.plain();
}

/** Whether the filters drop the event of `record`. */
export function isDropped(record: VersionedRecord, options: WatchOptions): boolean {
  return record.tombstone ? options.isDeleteDropped : options.isPutDropped;
}

/** Sends `events` (at least one) to the watcher as one response. */
export function deliverEvents(watcher: Watcher, revision: number, events: readonly WatchEvent[]): void {
  watcher.hadEvents = true;
  watcher.stream.deliver({
    watchId: watcher.id,
    revision,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    events,
    fragment: watcher.options.fragment,
  });
}
