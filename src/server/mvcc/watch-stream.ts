import type { WatchCreateRequest } from "../../codec/index.ts";
import { watchFilter } from "../../codec/index.ts";
import type { ByteString } from "../../lib/bytes.ts";
import { EMPTY, OPEN_END } from "../../lib/bytes.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import { errorTable } from "../../lib/errors.ts";
import { limits } from "../../lib/limits.ts";
import type { Prng } from "../../lib/prng.ts";
import type { WatchDelivery, WatchSink, WatchStream } from "./types.ts";
import type { Watcher, WatcherStream } from "./watcher.ts";
import { createWatchOptions } from "./watcher.ts";

/** What a stream needs of its hub. */
export interface StreamHost {
  readonly clock: Clock;
  readonly prng: Prng;
  readonly progressIntervalMs: number;
  /** The newest revision of the store. */
  readonly currentRevision: number;
  /** Every event up to this revision has been handed to the synced watchers. */
  readonly notifiedRevision: number;
  /** Puts a watcher to work from its nextRevision on. */
  enter(watcher: Watcher): void;
  /** Stops giving events to a watcher, whatever its state. */
  leave(watcher: Watcher): void;
  delivered(eventCount: number): void;
  closed(stream: HubStream): void;
}

/** The watch id of answers that belong to no watcher: refused creations and manual progress. */
const NO_WATCH_ID = -1;

const refusal = {
  emptyRange: "mvcc: watcher range is empty",
  duplicateId: "mvcc: duplicate watch ID provided on the WatchStream",
  tooMany: "mvcc: too many watchers on the WatchStream",
} as const;

/** One watch stream: ids, answers to requests, progress (semantics-watch-lease A2, A3, A6). */
export class HubStream implements WatchStream, WatcherStream {
  readonly #host: StreamHost;
  readonly #sink: WatchSink;
  readonly #watchers = new Map<number, Watcher>();
  readonly #behind = new Set<Watcher>();
  #nextId = 0;
  #isFull = false;
  #isClosed = false;
  #progressTimer: Timer | undefined;

  constructor(host: StreamHost, sink: WatchSink) {
    this.#host = host;
    this.#sink = sink;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  get behindCount(): number {
    return this.#behind.size;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  watchers(): IterableIterator<Watcher> {
    return this.#watchers.values();
  }

  create(request: WatchCreateRequest): void {
    if (this.#isClosed) return;
    const reason = this.#findRefusal(request);
    if (reason !== undefined) {
      this.#answer({ watchId: NO_WATCH_ID, created: true, canceled: true, cancelReason: reason });
      return;
    }
    const { startRevision, progressNotify } = request;
    const watcher: Watcher = {
      id: request.watchId === 0 ? this.#chooseId() : request.watchId,
      stream: this,
      range: { start: firstKey(request.key), end: request.rangeEnd },
      options: createWatchOptions({
        prevKv: request.prevKv,
        isPutDropped: request.filters.includes(watchFilter.noPut),
        isDeleteDropped: request.filters.includes(watchFilter.noDelete),
        fragment: request.fragment,
      }),
      startRevision,
      progressNotify,
      state: "synced",
      nextRevision: startRevision === 0 ? this.#host.currentRevision + 1 : startRevision,
      batch: undefined,
      hadEvents: false,
    };
    this.#watchers.set(watcher.id, watcher);
    this.#host.enter(watcher);
    if (progressNotify) this.#startProgressTimer();
    this.#answer({ watchId: watcher.id, created: true, canceled: false, cancelReason: "" });
  }

  cancel(watchId: number): void {
    const watcher = this.#watchers.get(watchId);
    if (watcher === undefined) return;
    this.forget(watcher);
    this.#host.leave(watcher);
    this.#answer({ watchId, created: false, canceled: true, cancelReason: "" });
  }

  requestProgress(): void {
    if (this.#isFull || this.#watchers.size === 0) return;
    for (const watcher of this.#watchers.values()) if (!this.#hasProgress(watcher)) return;
    this.#sendProgress(NO_WATCH_ID);
  }

  resume(): void {
    this.#isFull = false;
    const behind = [...this.#behind];
    this.#behind.clear();
    for (const watcher of behind) this.#host.enter(watcher);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#progressTimer?.cancel();
    for (const watcher of this.#watchers.values()) this.#host.leave(watcher);
    this.#watchers.clear();
    this.#behind.clear();
    this.#host.closed(this);
  }

  deliver(delivery: WatchDelivery): void {
    if (this.#isClosed) return;
    this.#host.delivered(delivery.events.length);
    if (!this.#sink.send(delivery)) this.#isFull = true;
  }

  park(watcher: Watcher): void {
    watcher.state = "behind";
    this.#behind.add(watcher);
  }

  forget(watcher: Watcher): void {
    this.#watchers.delete(watcher.id);
    this.#behind.delete(watcher);
  }

  #findRefusal(request: WatchCreateRequest): string | undefined {
    const { rangeEnd, watchId } = request;
    if (request.startRevision < 0) return errorTable.compacted.text;
    if (rangeEnd !== EMPTY && rangeEnd !== OPEN_END && firstKey(request.key) >= rangeEnd) {
      return refusal.emptyRange;
    }
    if (watchId !== 0 && this.#watchers.has(watchId)) return refusal.duplicateId;
    if (this.#watchers.size >= limits.watchersPerStreamMax) return refusal.tooMany;
    return undefined;
  }

  #chooseId(): number {
    while (this.#watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #answer(answer: Pick<WatchDelivery, "watchId" | "created" | "canceled" | "cancelReason">): void {
    const revision = this.#host.currentRevision;
    this.deliver({ ...answer, revision, compactRevision: 0, events: [], fragment: false });
  }

  /** Whether a progress answer now would be true for this watcher (A6). */
  #hasProgress(watcher: Watcher): boolean {
    return watcher.state === "synced" && watcher.startRevision <= this.#host.notifiedRevision;
  }

  #sendProgress(watchId: number): void {
    this.deliver({
      watchId,
      revision: this.#host.notifiedRevision,
      created: false,
      canceled: false,
      compactRevision: 0,
      cancelReason: "",
      events: [],
      fragment: false,
    });
  }

  /** The jitter is chosen once per stream, so that streams opened together do not tick together for ever. */
  #startProgressTimer(): void {
    if (this.#progressTimer !== undefined) return;
    const { clock, prng, progressIntervalMs } = this.#host;
    const periodMs = progressIntervalMs + prng.below(Math.floor(progressIntervalMs / 10) + 1);
    this.#progressTimer = clock.every(periodMs, () => this.#progressTick());
  }

  #progressTick(): void {
    for (const watcher of this.#watchers.values()) {
      if (!watcher.progressNotify) continue;
      const isDue = !watcher.hadEvents && !this.#isFull && this.#hasProgress(watcher);
      watcher.hadEvents = false;
      if (isDue) this.#sendProgress(watcher.id);
    }
  }
}

/** An empty key stands for the first key there can be. */
function firstKey(key: ByteString): ByteString {
  return key === EMPTY ? ("\0" as ByteString) : key;
}
