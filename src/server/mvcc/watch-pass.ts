import type { Eventual } from "../../lib/eventual.ts";
import type { Prng } from "../../lib/prng.ts";
import type { EngineView, VersionedRecord, Want } from "../storage/index.ts";
import { PageReader, type RecordPage } from "./record-pages.ts";
import type { WatchEvent } from "./types.ts";
import type { PreviousSource, WatchSource } from "./watch-events.ts";
import { hasPrevious, RecordEvents } from "./watch-events.ts";
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
  /** Records asked for at once. */
  readonly pageRecordsMax: number;
  /** Records read and events gathered between two looks at the clock. */
  readonly stepsPerTimeCheck: number;
}

/**
 * One read of history shared by some unsynced watchers: records are read once, matched as commits are, and gathered
 * into one batch for each watcher. Works in bites; commits and compactions may happen between them, and while it waits
 * for a page.
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
  #reader: PageReader;
  /** The reader has come to its end, which is #revisionMax. */
  #isReadOut = false;
  /** What is being matched, and how much of it has been. */
  #page: RecordPage = [];
  #matched = 0;
  /** The page's records as events, where they are made already. */
  #events: readonly RecordEvents[] | undefined = undefined;
  /** Where prev_kv of the page's records is. */
  #view: EngineView | undefined = undefined;
  readonly #previous: PreviousSource;
  readonly #isPreviousWanted: boolean;
  #arrival: Promise<void> | undefined = undefined;
  #isOver = false;
  /** What was committed after #revisionMax for watchers inside; undefined when not kept, or too much. */
  #tail: RecordEvents[] | undefined = undefined;
  #tailBytes = 0;
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
    this.#reader = this.#openReader();
    this.#compactRevision = source.compactRevision;
    this.#isPreviousWanted = source.loader !== undefined && watchers.some(({ options }) => options.prevKv);
    this.#previous = {
      get compactRevision() {
        return source.compactRevision;
      },
      at: (key, revision) => (this.#view ?? source).at(key, revision),
    };
  }

  get pendingEvents(): number {
    let count = 0;
    for (const { batch } of this.#watchers) count += batch?.events.length ?? 0;
    return count;
  }

  /** All watchers have left. */
  get isEmpty(): boolean {
    return this.#watchers.size === 0;
  }

  /** Settles when the page has come that is on its way; undefined when none is. */
  get arrival(): Promise<void> | undefined {
    return this.#arrival;
  }

  /**
   * Goes on until it is finished (true), `isTimeUp` says so or it has to wait for `arrival`. Each call gets something
   * done.
   */
  run(isTimeUp: () => boolean): boolean {
    this.#dropCompacted();
    if (!this.#scan(isTimeUp) || !this.#settle(isTimeUp)) return false;
    this.#end();
    return true;
  }

  /** Takes a watcher out: it was cancelled. Nothing happens when it is not inside. */
  remove(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    this.#index.remove(watcher);
    watcher.batch = undefined;
  }

  /**
   * Takes a commit. Where reading takes time, commits come as fast as they are read: without what was told of them
   * the pass would never be at the end.
   */
  committed(records: readonly VersionedRecord[]): void {
    for (const record of records) {
      if (this.#tail === undefined) return;
      this.#found.length = 0;
      this.#index.collect(record.key, this.#found);
      if (this.#found.length === 0) continue;
      const events = new RecordEvents(record);
      // Its key is loaded now, and later not.
      if (this.#isPreviousWanted) events.withPrevious(this.#source);
      this.#tail.push(events);
      this.#tailBytes += record.key.length + record.value.length;
      const { scanRecordsMax, batchBytesMax } = this.#limits;
      if (this.#tail.length > scanRecordsMax || this.#tailBytes > batchBytesMax) this.#tail = undefined;
    }
  }

  /** Gives up: the watchers still inside, as they were before what is gathered and not sent. */
  abort(): Watcher[] {
    const watchers = [...this.#watchers];
    for (const watcher of watchers) this.remove(watcher);
    this.#end();
    return watchers;
  }

  #end(): void {
    this.#isOver = true;
    this.#reader.close();
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
      if (!this.#fill()) return false;
      const record = this.#page[this.#matched];
      if (record === undefined || record.modRevision > this.#revision) {
        if (!this.#sendOverdue(isTimeUp)) return false;
        this.#revision = record?.modRevision ?? this.#revisionMax + 1;
        if (this.#scanned >= this.#limits.scanRecordsMax) this.#isScanFinished = true;
        else if (record === undefined && !this.#extend()) return true;
        if (record === undefined || this.#isScanFinished) continue;
      }
      this.#match(record);
      this.#matched++;
      this.#scanned++;
      this.#steps++;
      if (this.#steps < this.#limits.stepsPerTimeCheck) continue;
      this.#steps = 0;
      if (isTimeUp()) return false;
    }
    return true;
  }

  #openReader(): PageReader {
    this.#isReadOut = false;
    this.#tail = this.#source.loader === undefined ? undefined : [];
    this.#tailBytes = 0;
    return new PageReader(this.#source.records(this.#revision, this.#revisionMax));
  }

  /** Has the next record in #page, or none at the end. False: it is on its way. */
  #fill(): boolean {
    if (this.#arrival !== undefined) return false;
    if (this.#matched < this.#page.length || this.#isReadOut) return true;
    const page = this.#reader.next(this.#limits.pageRecordsMax);
    const view = page instanceof Promise ? undefined : this.#viewFor(page);
    if (!(page instanceof Promise || view instanceof Promise)) {
      this.#turnTo(page, view);
      return true;
    }
    this.#arrival = this.#arrive(page, view);
    return false;
  }

  async #arrive(page: Eventual<RecordPage>, view: Eventual<EngineView | undefined>): Promise<void> {
    const records = await page;
    // The content may be another one by now.
    if (this.#isOver) return;
    this.#turnTo(records, await (view ?? this.#viewFor(records)));
    this.#arrival = undefined;
  }

  #turnTo(page: RecordPage, view: EngineView | undefined): void {
    this.#page = page;
    this.#matched = 0;
    this.#events = undefined;
    this.#view = view;
    this.#isReadOut = page.length === 0;
  }

  /** Where to read the prev_kv of these records; undefined when nobody wants one, or the source has them at hand. */
  #viewFor(page: RecordPage): Eventual<EngineView | undefined> {
    const { loader } = this.#source;
    if (loader === undefined || !this.#isPreviousWanted) return undefined;
    const wants: Want[] = [];
    for (const record of page) {
      if (!hasPrevious(record, this.#source)) continue;
      wants.push({ kind: "key", key: record.key, revision: record.modRevision - 1 });
    }
    return wants.length === 0 ? undefined : loader.view(wants);
  }

  /** Goes on with what was committed since the pass began; false when there is nothing. */
  #extend(): boolean {
    const { currentRevision } = this.#source;
    if (currentRevision <= this.#revisionMax) return false;
    this.#revisionMax = currentRevision;
    const tail = this.#tail;
    if (tail === undefined) {
      this.#reader.close();
      this.#reader = this.#openReader();
      return true;
    }
    this.#page = tail.map(({ record }) => record);
    this.#matched = 0;
    this.#events = tail;
    this.#tail = [];
    this.#tailBytes = 0;
    return true;
  }

  #match(record: VersionedRecord): void {
    this.#found.length = 0;
    this.#index.collect(record.key, this.#found);
    if (this.#found.length === 0) return;
    const events = this.#events?.[this.#matched] ?? new RecordEvents(record);
    for (const group of this.#found) {
      for (const watcher of group.watchers) {
        if (record.modRevision < watcher.nextRevision || isDropped(record, watcher.options)) continue;
        if (watcher.stream.isFull) {
          this.#leaveBehind(watcher, record.modRevision);
          continue;
        }
        this.#gather(watcher, record, viewEvent(events, watcher.options, this.#previous));
      }
    }
  }

  #gather(watcher: Watcher, record: VersionedRecord, event: WatchEvent): void {
    watcher.batch ??= {
      events: [],
      firstRevision: record.modRevision,
      lastRevision: 0,
      revisionCount: 0,
      sizeBytes: 0,
      isOverdue: false,
    };
    const { batch } = watcher;
    this.#steps++;
    batch.events.push(event);
    batch.sizeBytes += record.key.length + record.value.length + (event.event.prevKv?.value.length ?? 0);
    if (batch.lastRevision !== record.modRevision) {
      batch.lastRevision = record.modRevision;
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
