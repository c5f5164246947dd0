import { EventEmitter } from "node:events";
import { type Event, eventType } from "../codec/index.ts";
import { createDeferred } from "../lib/deferred.ts";
import type { MetaStoreError } from "./errors.ts";
import { KeyValue, toKeyValue } from "./key-value.ts";

/** One change of one key. */
export interface WatchEvent {
  readonly type: "put" | "delete";
  /** In a deletion only the key and modRevision mean something. */
  readonly kv: KeyValue;
  /** Only with the option `previous`, and only when the key existed and its history is not compacted. */
  readonly previous: KeyValue | undefined;
  /** The revision of the change; changes of one transaction share it. */
  readonly revision: number;
}

export interface WatchOptions {
  /** First revision to report; absent: what comes after the watch is created. */
  readonly startRevision?: number;
  readonly previous?: boolean;
  /** The server leaves out the other kind. */
  readonly only?: "put" | "delete";
  /** The server reports its revision while nothing happens (every 10 minutes by default). */
  readonly progressNotify?: boolean;
  /** The server may split one large revision over several messages; the watcher puts it together again. */
  readonly fragment?: boolean;
  /** Aborting it ends the watch. */
  readonly signal?: AbortSignal;
}

interface WatcherEvents {
  /** Taking events this way, in place of iteration: they are not queued. */
  event: [event: WatchEvent];
  /** The server has the watch; again after each reconnect. */
  created: [revision: number];
  /** Every event up to this revision has been delivered: to the listeners, or taken out of the iteration. */
  progress: [revision: number];
  /** The connection broke; the watch resumes by itself where it was. */
  disconnected: [error: MetaStoreError];
  error: [error: MetaStoreError];
  end: [];
}

/** A place in the queue up to which all is delivered. */
interface ProgressMark {
  readonly type: "progress";
  readonly revision: number;
}

/** Events waiting for a slow reader before the stream it shares is paused. */
const queueEventsMax = 4_096;

/** What a watcher asks of the stream that feeds it. */
export interface WatcherFeed {
  cancel(): void;
  requestProgress(): void;
  /** The watcher's queue became full, or has room again. */
  queueChanged(): void;
}

/**
 * A watch. Iterate it for the events, or listen to `event`; either survives lost connections without gap or
 * repetition. It ends by cancel(), by leaving the iteration, or by an error: CompactedError when the revisions it
 * needs are gone, MetaStoreError when the server refuses.
 */
export class Watcher extends EventEmitter<WatcherEvents> implements AsyncIterable<WatchEvent> {
  /** Resolves with the store's revision once the server has the watch; rejects if it never gets there. */
  readonly created: Promise<number>;
  readonly #created = createDeferred<number>();
  readonly #feed: WatcherFeed;
  #queue: (WatchEvent | ProgressMark)[] = [];
  #queueStart = 0;
  #waiting: (() => void) | undefined;
  #failure: MetaStoreError | undefined;
  #isEnded = false;

  constructor(feed: WatcherFeed) {
    super();
    this.#feed = feed;
    this.created = this.#created.promise;
    // Not awaiting `created` is fine: the same error ends the iteration.
    this.created.catch(() => undefined);
  }

  get isFull(): boolean {
    return this.#queue.length - this.#queueStart >= queueEventsMax;
  }

  /** Ends the watch; events already received can still be iterated. */
  cancel(): void {
    if (this.#isEnded) return;
    this.#feed.cancel();
    this.finish(undefined);
  }

  /** Asks for a `progress` event with the current revision. */
  requestProgress(): void {
    this.#feed.requestProgress();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent, void, undefined> {
    try {
      for (;;) {
        while (this.#queueStart < this.#queue.length) {
          const entry = this.#take();
          if (entry.type === "progress") this.emit("progress", entry.revision);
          else yield entry;
        }
        if (this.#failure) throw this.#failure;
        if (this.#isEnded) return;
        await new Promise<void>((resolve) => {
          this.#waiting = resolve;
        });
      }
    } finally {
      this.cancel();
    }
  }

  /** Called by the stream. */
  deliver(events: readonly Event[]): void {
    if (this.#isEnded) return;
    for (const message of events) {
      const event: WatchEvent = {
        type: message.type === eventType.delete ? "delete" : "put",
        kv: new KeyValue(message.kv),
        previous: toKeyValue(message.prevKv),
        revision: message.kv.modRevision,
      };
      if (this.listenerCount("event") > 0) this.emit("event", event);
      else this.#queue.push(event);
    }
    if (this.isFull) this.#feed.queueChanged();
    this.#wake();
  }

  /** Called by the stream: nothing is missing up to `revision`. */
  progressed(revision: number): void {
    if (this.#isEnded) return;
    if (this.listenerCount("event") > 0) {
      this.emit("progress", revision);
      return;
    }
    const mark: ProgressMark = { type: "progress", revision };
    const last = this.#queue.length - 1;
    // Nobody may be reading: marks in a row are one mark.
    if (last >= this.#queueStart && this.#queue[last]!.type === "progress") this.#queue[last] = mark;
    else this.#queue.push(mark);
    this.#wake();
  }

  /** Called by the stream. */
  opened(revision: number): void {
    this.#created.resolve(revision);
    this.emit("created", revision);
  }

  /** Called by the stream: the end, with its error if it was not asked for. */
  finish(error: MetaStoreError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#failure = error;
    if (error) {
      this.#created.reject(error);
      if (this.listenerCount("error") > 0) this.emit("error", error);
    }
    this.emit("end");
    this.#wake();
  }

  #take(): WatchEvent | ProgressMark {
    const wasFull = this.isFull;
    const entry = this.#queue[this.#queueStart]!;
    this.#queueStart += 1;
    if (this.#queueStart === this.#queue.length || this.#queueStart >= queueEventsMax) {
      this.#queue = this.#queue.slice(this.#queueStart);
      this.#queueStart = 0;
    }
    if (wasFull && !this.isFull) this.#feed.queueChanged();
    return entry;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
}
