import type { Prng } from "../../lib/prng.ts";
import type { VersionedRecord } from "../storage/index.ts";
import type { WatchEvent } from "./types.ts";
import type { WatchSource } from "./watch-events.ts";
import { RecordEvents } from "./watch-events.ts";
import type { WatchGroup } from "./watch-index.ts";
import { WatchIndex } from "./watch-index.ts";
import type { Watcher } from "./watcher.ts";
import { deliverEvents, isDropped, viewEvent } from "./watcher.ts";

/** Where watchers go when a pass is done with them. */
export interface PassOutcome {
  /** It has everything up to the current revision. */
  synced(watcher: Watcher): void;
  /** There is more to read for it. */
  unsynced(watcher: Watcher): void;
  /** Its stream is full. */
  behind(watcher: Watcher): void;
  /** Revisions it has not been given are compacted away. */
  compacted(watcher: Watcher): void;
}

export interface PassLimits {
  /** Distinct revisions in one response. */
  readonly batchRevisionsMax: number;
  /** Bytes of keys and values after which a response goes out, at the end of its revision. */
  readonly batchBytesMax: number;
  /** Records read in one pass, up to the end of a revision. */
  readonly scanRecordsMax: number;
  /** Records read and events gathered between two looks at the clock. */
  readonly stepsPerTimeCheck: number;
}

/**
 * One read of history shared by some unsynced watchers: records are read once, matched as commits are, and gathered
 * into one batch for each watcher. Works in bites; commits and compactions may happen between them.
 *
 * P1: every revision below #revision has been matched completely; what matched is sent or in a batch.
 * P2: a watcher's nextRevision moves only past what was sent to it or did not match.
 */
export class WatchPass {
  readonly #source: WatchSource;
  readonly #outcome: PassOutcome;
  readonly #limits: PassLimits;
  readonly #watchers: Set<Watcher>;
  readonly #index: WatchIndex;
  /** Watchers whose batch has reached its size; sent when its last revision is complete. */
  readonly #overdue: Watcher[] = [];
  readonly #found: WatchGroup[] = [];
  #records: IterableIterator<VersionedRecord>;
  /** Read from #records and not matched yet. */
  #pending: VersionedRecord | undefined;
  #revision: number;
  #revisionMax: number;
  #scanned = 0;
  /** Since the last look at the clock. */
  #steps = 0;
  #isScanFinished = false;
  #compactRevision: number;

  /** `watchers`: at least one, none of them compacted. */
  constructor(
    source: WatchSource,
    watchers: readonly Watcher[],
    outcome: PassOutcome,
    limits: PassLimits,
    prng: Prng,
  ) {
    this.#source = source;
    this.#outcome = outcome;
    this.#limits = limits;
    this.#watchers = new Set(watchers);
    this.#index = new WatchIndex(prng);
    for (const watcher of watchers) this.#index.add(watcher);
    this.#revision = watchers.reduce((least, { nextRevision }) => Math.min(least, nextRevision), Infinity);
    this.#revisionMax = source.currentRevision;
    this.#records = source.records(this.#revision, this.#revisionMax);
    this.#compactRevision = source.compactRevision;
  }

  get pendingEvents(): number {
    let count = 0;
    for (const { batch } of this.#watchers) count += batch?.events.length ?? 0;
    return count;
  }

  /** Goes on until it is finished (true) or `isTimeUp` says so. Each call gets something done. */
  run(isTimeUp: () => boolean): boolean {
    this.#dropCompacted();
    return this.#scan(isTimeUp) && this.#settle(isTimeUp);
  }

  /** Takes a watcher out: it was cancelled. Nothing happens when it is not inside. */
  remove(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    this.#index.remove(watcher);
    watcher.batch = undefined;
  }

  /** Gives up: the watchers still inside, as they were before what is gathered and not sent. */
  abort(): Watcher[] {
    const watchers = [...this.#watchers];
    for (const watcher of watchers) this.remove(watcher);
    return watchers;
  }

  /** Compaction may have gone past the revision being read since the last bite. */
  #dropCompacted(): void {
    const { compactRevision } = this.#source;
    if (compactRevision === this.#compactRevision) return;
    this.#compactRevision = compactRevision;
    for (const watcher of this.#watchers) {
      if (Math.max(watcher.nextRevision, this.#revision) >= compactRevision) continue;
      this.remove(watcher);
      this.#outcome.compacted(watcher);
    }
  }

  /** Reads up to the current revision, or the share of one pass. True when there. */
  #scan(isTimeUp: () => boolean): boolean {
    while (!this.#isScanFinished && this.#watchers.size > 0) {
      const record = this.#take();
      if (record === undefined || record.main > this.#revision) {
        if (!this.#sendOverdue(isTimeUp)) return false;
        this.#revision = record?.main ?? this.#revisionMax + 1;
        if (this.#scanned >= this.#limits.scanRecordsMax) this.#isScanFinished = true;
        else if (record === undefined && !this.#extend()) return true;
        if (record === undefined || this.#isScanFinished) continue;
      }
      this.#pending = undefined;
      this.#match(record);
      this.#scanned++;
      this.#steps++;
      if (this.#steps < this.#limits.stepsPerTimeCheck) continue;
      this.#steps = 0;
      if (isTimeUp()) return false;
    }
    return true;
  }

  #take(): VersionedRecord | undefined {
    if (this.#pending === undefined) {
      const next = this.#records.next();
      this.#pending = next.done === true ? undefined : next.value;
    }
    return this.#pending;
  }

  /** Goes on with what was committed since the pass began; false when there is nothing. */
  #extend(): boolean {
    const { currentRevision } = this.#source;
    if (currentRevision <= this.#revisionMax) return false;
    this.#revisionMax = currentRevision;
    this.#records = this.#source.records(this.#revision, currentRevision);
    return true;
  }

  #match(record: VersionedRecord): void {
    this.#found.length = 0;
    this.#index.collect(record.key, this.#found);
    if (this.#found.length === 0) return;
    const events = new RecordEvents(record);
    for (const group of this.#found) {
      for (const watcher of group.watchers) {
        if (record.main < watcher.nextRevision || isDropped(record, watcher.options)) continue;
        if (watcher.stream.isFull) {
          this.#leaveBehind(watcher, record.main);
          continue;
        }
        this.#gather(watcher, record, viewEvent(events, watcher.options, this.#source));
      }
    }
  }

  #gather(watcher: Watcher, record: VersionedRecord, event: WatchEvent): void {
    watcher.batch ??= {
      events: [],
      firstRevision: record.main,
      lastRevision: 0,
      revisionCount: 0,
      sizeBytes: 0,
      isOverdue: false,
    };
    const { batch } = watcher;
    this.#steps++;
    batch.events.push(event);
    batch.sizeBytes += record.key.length + record.value.length + (event.event.prevKv?.value.length ?? 0);
    if (batch.lastRevision !== record.main) {
      batch.lastRevision = record.main;
      batch.revisionCount++;
    }
    if (batch.isOverdue) return;
    const { batchRevisionsMax, batchBytesMax } = this.#limits;
    if (batch.revisionCount < batchRevisionsMax && batch.sizeBytes < batchBytesMax) return;
    batch.isOverdue = true;
    this.#overdue.push(watcher);
  }

  /** Called between revisions. True when all are sent. */
  #sendOverdue(isTimeUp: () => boolean): boolean {
    for (;;) {
      const watcher = this.#overdue.pop();
      if (watcher === undefined) return true;
      if (this.#watchers.has(watcher)) this.#send(watcher);
      if (this.#overdue.length > 0 && isTimeUp()) return false;
    }
  }

  /** Sends the batch. False when the watcher left the pass because its stream is full. */
  #send(watcher: Watcher): boolean {
    const { batch } = watcher;
    if (batch === undefined) return true;
    if (watcher.stream.isFull) {
      this.#leaveBehind(watcher, batch.firstRevision);
      return false;
    }
    watcher.batch = undefined;
    watcher.nextRevision = batch.lastRevision + 1;
    deliverEvents(watcher, this.#source.currentRevision, batch.events);
    return true;
  }

  #leaveBehind(watcher: Watcher, revision: number): void {
    watcher.nextRevision = watcher.batch?.firstRevision ?? revision;
    this.remove(watcher);
    this.#outcome.behind(watcher);
  }

  /** Sends what is gathered and lets the watchers go, one by one. True when none is left. */
  #settle(isTimeUp: () => boolean): boolean {
    for (const watcher of this.#watchers) {
      // A sink may close its stream when it is handed a response.
      if (this.#send(watcher) && this.#watchers.has(watcher)) {
        watcher.nextRevision = Math.max(watcher.nextRevision, this.#revision);
        this.remove(watcher);
        if (watcher.nextRevision > this.#source.currentRevision) this.#outcome.synced(watcher);
        else this.#outcome.unsynced(watcher);
      }
      if (this.#watchers.size > 0 && isTimeUp()) return false;
    }
    return true;
  }
}
