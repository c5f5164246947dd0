import { assert } from "../../lib/assert.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Prng } from "../../lib/prng.ts";
import type { CommitListener, WatchEvent, WatchHubContract, WatchSink, WatchStream } from "./types.ts";
import type { CatchUpLimits } from "./watch-catch-up.ts";
import { WatchCatchUp } from "./watch-catch-up.ts";
import type { WatchSource } from "./watch-events.ts";
import { RecordEvents } from "./watch-events.ts";
import type { WatchGroup } from "./watch-index.ts";
import { WatchIndex } from "./watch-index.ts";
import type { StreamHost } from "./watch-stream.ts";
import { HubStream } from "./watch-stream.ts";
import type { Watcher } from "./watcher.ts";
import { deliverEvents, isDropped, viewEvent, watchVariantCount } from "./watcher.ts";

export interface WatchHubOptions {
  readonly source: WatchSource;
  readonly clock: Clock;
  readonly prng: Prng;
  /** Period of progress_notify answers, up to 10 % of jitter on top (flag --watch-progress-notify-interval). */
  readonly progressIntervalMs: number;
  readonly catchUp: CatchUpLimits;
}

/** Names as in etcd_debugging_mvcc_*. */
export interface WatchMetrics {
  readonly watchers: number;
  readonly streams: number;
  /** Watchers that wait for their stream to resume. */
  readonly slow: number;
  /** Events read from history and not handed to a sink yet. */
  readonly pendingEvents: number;
  /** Events handed to sinks since the start. */
  readonly eventsTotal: number;
}

/**
 * Hands each commit to the watchers it concerns, and history to those that start or stay behind
 * (semantics-watch-lease A; watch-DESIGN.md has the flow and the invariants W1..W7).
 */
export class WatchHub implements WatchHubContract {
  readonly #source: WatchSource;
  readonly #host: StreamHost;
  readonly #synced: WatchIndex;
  readonly #catchUp: WatchCatchUp;
  readonly #streams = new Set<HubStream>();
  readonly #found: WatchGroup[] = [];
  #notifiedRevision: number;
  #eventsTotal = 0;

  constructor(options: WatchHubOptions) {
    const { source, clock, prng, progressIntervalMs } = options;
    this.#source = source;
    this.#notifiedRevision = source.currentRevision;
    this.#synced = new WatchIndex(prng);
    this.#catchUp = new WatchCatchUp(source, clock, prng, options.catchUp, {
      synced: (watcher) => this.#enterSynced(watcher),
      compacted: (watcher) => this.#cancelCompacted(watcher),
    });
    const hub = this;
    this.#host = {
      clock,
      prng,
      progressIntervalMs,
      get currentRevision() {
        return source.currentRevision;
      },
      get notifiedRevision() {
        return hub.#notifiedRevision;
      },
      enter: (watcher) => this.#enter(watcher),
      leave: (watcher) => this.#leave(watcher),
      delivered: (eventCount) => {
        this.#eventsTotal += eventCount;
      },
      closed: (stream) => this.#streams.delete(stream),
    };
  }

  openStream(sink: WatchSink): WatchStream {
    const stream = new HubStream(this.#host, sink);
    this.#streams.add(stream);
    return stream;
  }

  /** Takes one write transaction, in order of revision, once its records are visible in the source. */
  readonly notify: CommitListener = (revision, records) => {
    assert(revision > this.#notifiedRevision, "W2: commits come in ascending revision");
    this.#notifiedRevision = revision;
    this.#catchUp.committed(records);
    if (this.#synced.size === 0) return;
    const touched: WatchGroup[] = [];
    for (const record of records) {
      this.#found.length = 0;
      this.#synced.collect(record.key, this.#found);
      if (this.#found.length === 0) continue;
      const events = new RecordEvents(record);
      for (const group of this.#found) {
        if (group.matched.length === 0) touched.push(group);
        group.matched.push(events);
      }
    }
    for (const group of touched) this.#handOut(group, revision);
  };

  /**
   * The store was replaced by a snapshot: every watcher reads on from the new history at its next revision (A8).
   * Those whose next revision the snapshot does not reach yet wait for it.
   */
  storeReplaced(): void {
    this.#catchUp.restart();
    const nextRevision = this.#notifiedRevision + 1;
    this.#notifiedRevision = this.#source.currentRevision;
    for (const stream of this.#streams) {
      for (const watcher of stream.watchers()) {
        if (watcher.state !== "synced") continue;
        this.#synced.remove(watcher);
        watcher.nextRevision = Math.max(watcher.nextRevision, nextRevision);
        this.#enter(watcher);
      }
    }
  }

  /** Closes all streams and ends all timers. */
  close(): void {
    this.#catchUp.stop();
    for (const stream of [...this.#streams]) stream.close();
  }

  metrics(): WatchMetrics {
    let watchers = 0;
    let slow = 0;
    for (const stream of this.#streams) {
      watchers += stream.watcherCount;
      slow += stream.behindCount;
    }
    return {
      watchers,
      streams: this.#streams.size,
      slow,
      pendingEvents: this.#catchUp.pendingEvents,
      eventsTotal: this.#eventsTotal,
    };
  }

  /** One response for each watcher of the group; watchers that asked for the same see the same list of events. */
  #handOut(group: WatchGroup, revision: number): void {
    const matched = group.matched.splice(0);
    const variants: (readonly WatchEvent[] | undefined)[] = new Array(watchVariantCount);
    for (const watcher of group.watchers) {
      if (watcher.nextRevision > revision) continue;
      const { options } = watcher;
      let events = variants[options.variant];
      if (events === undefined) {
        events = matched
          .filter(({ record }) => !isDropped(record, options))
          .map((record) => viewEvent(record, options, this.#source));
        variants[options.variant] = events;
      }
      if (events.length === 0) continue;
      if (watcher.stream.isFull) {
        this.#synced.remove(watcher);
        watcher.nextRevision = revision;
        watcher.stream.park(watcher);
      } else deliverEvents(watcher, revision, events);
    }
  }

  #enter(watcher: Watcher): void {
    if (watcher.nextRevision > this.#source.currentRevision) this.#enterSynced(watcher);
    else this.#catchUp.add(watcher);
  }

  #enterSynced(watcher: Watcher): void {
    watcher.state = "synced";
    this.#synced.add(watcher);
  }

  #leave(watcher: Watcher): void {
    if (watcher.state === "synced") this.#synced.remove(watcher);
    else this.#catchUp.remove(watcher);
  }

  /** No header revision and no reason: that is how clients tell it from other cancels (A2 rule 10). */
  #cancelCompacted(watcher: Watcher): void {
    watcher.stream.forget(watcher);
    watcher.stream.deliver({
      watchId: watcher.id,
      revision: 0,
      created: false,
      canceled: true,
      compactRevision: this.#source.compactRevision,
      cancelReason: "",
      events: [],
      fragment: false,
    });
  }
}
