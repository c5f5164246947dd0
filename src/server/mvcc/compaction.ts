import { assert } from "../../lib/assert.ts";
import type { Clock } from "../../lib/clock.ts";
import { createDeferred, type Deferred } from "../../lib/deferred.ts";
import { StorageFailure } from "../../lib/errors.ts";
import type { Engine } from "../storage/index.ts";
import { CompactionHashing } from "./hash.ts";

/** Each is hashed too. */
const BITE_RECORDS = 500;
/** Where each record has to be asked for and removed on a disk: with a thousand the p99 of writes was 20 ms more. */
const DISK_BITE_RECORDS = 200;
const REMEMBERED_HASHES_MAX = 10;

/** The hash of the history a compaction went over (semantics-kv-mvcc 9.1). */
export interface CompactionHash {
  readonly hash: number;
  /** The compact revision before it. */
  readonly compactRevision: number;
  /** The revision compacted at. */
  readonly revision: number;
}

/** What a compactor reports of its work, for metrics. Durations in milliseconds. */
export interface CompactionObserver {
  /** One bite of removal, as long as nothing else could interrupt it. */
  compactionPaused(durationMs: number): void;
  /** One whole compaction, its hash and the rests between bites included, and how many records it removed. */
  compactionFinished(durationMs: number, recordsRemoved: number): void;
}

export interface CompactorOptions {
  readonly engine: Engine;
  /** How many records have been appended since some time: what is written meanwhile does not count against what is removed. */
  readonly recordsWritten: () => number;
  /** Ends this turn. */
  readonly yieldTurn: () => Promise<void>;
  /** The rest after a bite of removal that took so long (0 where nobody observes). */
  readonly pause: (biteMs: number) => Promise<void>;
  readonly observed?:
    | { readonly clock: Pick<Clock, "nowMs">; readonly observer: CompactionObserver }
    | undefined;
}

/**
 * Removes what compaction made unreachable, in the background and in bites; nothing that a client can ask for
 * depends on how far it is. Requests that come while one is worked on are done together, as the highest of them.
 */
export class Compactor {
  readonly #options: CompactorOptions;
  readonly #pins = new Set<{ readonly compactRevision: number }>();
  #scheduledRevision: number;
  #finishedRevision: number;
  /** False when a removal may have stopped half-way in an earlier life: its history has no hash worth keeping. */
  #isHistoryWhole = true;
  /** Goes up when the store is restored: work on the state before stops. */
  #epoch = 0;
  #isRunning = false;
  #finished: Deferred<void> | undefined = undefined;
  #unpinned: Deferred<void> | undefined = undefined;
  /** Readers for whom nothing at all may be removed. */
  #holds = 0;
  #hashes: CompactionHash[] = [];

  constructor(options: CompactorOptions, finishedRevision: number) {
    this.#options = options;
    this.#scheduledRevision = finishedRevision;
    this.#finishedRevision = finishedRevision;
  }

  /** Up to where everything has been removed that can be. */
  get finishedRevision(): number {
    return this.#finishedRevision;
  }

  /** Removal up to `revision`, which is above all asked for before, begins soon. */
  schedule(revision: number): void {
    assert(revision > this.#scheduledRevision, "compaction goes forward");
    this.#scheduledRevision = revision;
    if (!this.#isRunning) void this.#run();
  }

  /** Resolves when everything scheduled by now has been removed. */
  finished(): Promise<void> {
    if (this.#finishedRevision === this.#scheduledRevision) return Promise.resolve();
    this.#finished ??= createDeferred<void>();
    return this.#finished.promise;
  }

  /**
   * Holds back removals beyond `compactRevision` until the returned function is called: for readers of the
   * history that take more than one turn.
   */
  pin(compactRevision: number): () => void {
    const pin = { compactRevision };
    this.#pins.add(pin);
    return () => {
      this.#pins.delete(pin);
      this.#unpinned?.resolve();
      this.#unpinned = undefined;
    };
  }

  /**
   * Holds back all removal, that under way too, until the returned function is called: for readers who take the records
   * as they are. Half of a history with its removals and half without them would bring deleted keys back.
   */
  hold(): () => void {
    this.#holds++;
    return () => {
      this.#holds--;
      this.#unpinned?.resolve();
      this.#unpinned = undefined;
    };
  }

  /** The hash remembered (none where there is a loader) of the compaction at exactly `revision`, among the last ten. */
  hashOf(revision: number): CompactionHash | undefined {
    return this.#hashes.find((remembered) => remembered.revision === revision);
  }

  /** The last ten hashes, oldest first. */
  get hashes(): readonly CompactionHash[] {
    return this.#hashes;
  }

  /**
   * Stops all work: the store gets another content, in which removal has been finished up to `finishedRevision`
   * and may have gone beyond. To be followed by schedule() once that content is in place, if more was asked for.
   */
  reset(finishedRevision: number): void {
    this.#epoch++;
    this.#hashes = [];
    this.#finishedRevision = finishedRevision;
    this.#scheduledRevision = finishedRevision;
    this.#isHistoryWhole = false;
    this.#settleFinished();
  }

  /** Any other failure than the disk's is a broken invariant: it is left unhandled, which ends the process. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    try {
      while (this.#finishedRevision < this.#scheduledRevision) await this.#compact();
    } catch (error) {
      // The engine has told whoever must know: the member ends, and nothing is removed any more.
      if (error instanceof StorageFailure) return;
      throw error;
    }
    this.#isRunning = false;
    this.#settleFinished();
  }

  async #compact(): Promise<void> {
    const { engine, yieldTurn, pause, observed } = this.#options;
    const epoch = this.#epoch;
    // Never within the turn of the request: its answer does not wait for the first bite.
    await yieldTurn();
    const revision = this.#scheduledRevision;
    await this.#waitForPins(revision);
    if (epoch !== this.#epoch) return;

    const startMs = observed?.clock.nowMs() ?? 0;
    const compactRevision = this.#finishedRevision;
    const isWhole = this.#isHistoryWhole;
    // Where the disk must be asked, a pass over everything costs more than the few who ever ask for the hash.
    const hashing =
      isWhole && engine.loader === undefined
        ? await CompactionHashing.begin(engine, { compactRevision, revision }, yieldTurn)
        : undefined;
    const unremoved = this.#unremoved;
    const biteRecords = engine.loader === undefined ? BITE_RECORDS : DISK_BITE_RECORDS;
    while (epoch === this.#epoch) {
      await this.#waitForHolds();
      if (epoch !== this.#epoch) return;
      const biteStartMs = observed?.clock.nowMs() ?? 0;
      const biteMs = (): number => (observed?.clock.nowMs() ?? 0) - biteStartMs;
      const step = engine.compactStep(revision, biteRecords, hashing?.passed);
      let tookMs = biteMs();
      observed?.observer.compactionPaused(tookMs);
      let isDone = step;
      if (isDone instanceof Promise) {
        isDone = await isDone;
        tookMs = biteMs();
      }
      if (isDone) break;
      await pause(tookMs);
    }
    if (epoch !== this.#epoch) return;
    const removed = unremoved - this.#unremoved;
    observed?.observer.compactionFinished(observed.clock.nowMs() - startMs, removed);

    this.#finishedRevision = revision;
    this.#isHistoryWhole = true;
    if (hashing !== undefined) {
      const hash = hashing.digest();
      this.#hashes = [...this.#hashes, { hash, compactRevision, revision }].slice(-REMEMBERED_HASHES_MAX);
    }
  }

  /** Records held, as if none had been written: it goes down by what is removed and by nothing else. */
  get #unremoved(): number {
    const { engine, recordsWritten } = this.#options;
    return engine.stats().records - recordsWritten();
  }

  async #waitForPins(revision: number): Promise<void> {
    while ([...this.#pins].some((pin) => pin.compactRevision < revision)) {
      this.#unpinned ??= createDeferred<void>();
      await this.#unpinned.promise;
    }
  }

  async #waitForHolds(): Promise<void> {
    while (this.#holds > 0) {
      this.#unpinned ??= createDeferred<void>();
      await this.#unpinned.promise;
    }
  }

  #settleFinished(): void {
    this.#finished?.resolve();
    this.#finished = undefined;
  }
}
