import type { Clock, Timer } from "../../lib/clock.ts";
import { RequestError, StorageFailure } from "../../lib/errors.ts";
import { limits } from "../../lib/limits.ts";
import type { Prng } from "../../lib/prng.ts";
import type { VersionedRecord } from "../storage/index.ts";
import type { WatchSource } from "./watch-events.ts";
import type { PassLimits, PassOutcome } from "./watch-pass.ts";
import { WatchPass } from "./watch-pass.ts";
import type { Watcher } from "./watcher.ts";

export interface CatchUpLimits extends PassLimits {
  /** A pass begins at the earliest this long after the one before, so that watchers that come together share it. */
  readonly intervalMs: number;
  /** Longest uninterrupted work; about as much rest follows each bite. */
  readonly biteMs: number;
  /** Watchers in one pass. */
  readonly watchersMax: number;
  /** A watcher missing at most this many revisions does not wait for those that read long histories. */
  readonly nearRevisions: number;
}

export const watchCatchUpLimits: CatchUpLimits = {
  intervalMs: 100,
  biteMs: 5,
  watchersMax: 512,
  nearRevisions: 1_000,
  batchRevisionsMax: limits.watchBatchRevisionsMax,
  batchBytesMax: 1_048_576,
  scanRecordsMax: 20_000,
  pageRecordsMax: 256,
  stepsPerTimeCheck: 256,
};

export interface CatchUpTargets {
  synced(watcher: Watcher): void;
  compacted(watcher: Watcher): void;
}

/** The unsynced watchers, and the passes over history that bring them up to the current revision. */
export class WatchCatchUp {
  readonly #source: WatchSource;
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #limits: CatchUpLimits;
  readonly #targets: CatchUpTargets;
  readonly #outcome: PassOutcome;
  /** Unsynced and in no pass, the longest waiting first. */
  readonly #waiting = new Set<Watcher>();
  #pass: WatchPass | undefined;
  #wasNear = false;
  #isScheduled = false;
  #isStopped = false;
  #timer: Timer | undefined;
  /** The page that the pass waits for: nothing is scheduled until it has come. */
  #awaited: Promise<void> | undefined;
  #passAtMs: number;

  constructor(source: WatchSource, clock: Clock, prng: Prng, limits: CatchUpLimits, targets: CatchUpTargets) {
    this.#source = source;
    this.#clock = clock;
    this.#prng = prng;
    this.#limits = limits;
    this.#targets = targets;
    this.#passAtMs = clock.nowMs() - limits.intervalMs;
    this.#outcome = {
      synced: (watcher) => targets.synced(watcher),
      compacted: (watcher) => targets.compacted(watcher),
      unsynced: (watcher) => this.#waiting.add(watcher),
      behind: (watcher) => watcher.stream.park(watcher),
    };
  }

  /** Events read from history and not sent yet. */
  get pendingEvents(): number {
    return this.#pass?.pendingEvents ?? 0;
  }

  add(watcher: Watcher): void {
    watcher.state = "unsynced";
    this.#waiting.add(watcher);
    if (this.#isScheduled) return;
    this.#schedule(this.#passAtMs + this.#limits.intervalMs - this.#clock.nowMs());
  }

  remove(watcher: Watcher): void {
    if (this.#waiting.delete(watcher)) return;
    this.#pass?.remove(watcher);
    // Nobody wants the page that is on its way, nor to hear of its failure.
    if (this.#awaited !== undefined && this.#pass?.isEmpty === true) this.restart();
  }

  /** Takes a commit, once its records are visible in the source. */
  committed(records: readonly VersionedRecord[]): void {
    this.#pass?.committed(records);
  }

  /** The history was replaced: what is being read of the old one counts for nothing. */
  restart(): void {
    for (const watcher of this.#pass?.abort() ?? []) this.#waiting.add(watcher);
    this.#pass = undefined;
    if (this.#awaited === undefined) return;
    this.#awaited = undefined;
    this.#schedule(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#awaited = undefined;
    this.#pass?.abort();
    this.#pass = undefined;
  }

  #schedule(delayMs: number): void {
    this.#isScheduled = true;
    const run = () => {
      if (!this.#isStopped) this.#bite();
    };
    if (delayMs < 1) this.#clock.defer(run);
    else this.#timer = this.#clock.after(Math.ceil(delayMs), run);
  }

  #bite(): void {
    const startMs = this.#clock.nowMs();
    const isTimeUp = () => this.#clock.nowMs() - startMs >= this.#limits.biteMs;
    do {
      this.#pass ??= this.#begin();
      if (this.#pass?.run(isTimeUp)) this.#pass = undefined;
    } while (this.#pass === undefined && this.#waiting.size > 0 && !isTimeUp());
    this.#isScheduled = this.#pass !== undefined || this.#waiting.size > 0;
    if (!this.#isScheduled) return;
    const endMs = this.#clock.nowMs();
    const arrival = this.#pass?.arrival;
    if (arrival === undefined) this.#schedule(endMs - startMs);
    else this.#await(arrival, endMs + (endMs - startMs));
  }

  /**
   * Waiting is rest too. A failure to read is the end: it is left unhandled, which ends the process, unless the engine
   * has been closed or has told of its failure: then the member ends by that.
   */
  #await(arrival: Promise<void>, restEndMs: number): void {
    this.#awaited = arrival;
    arrival.then(
      () => {
        if (this.#awaited !== arrival) return;
        this.#awaited = undefined;
        this.#schedule(restEndMs - this.#clock.nowMs());
      },
      (error: unknown) => {
        if (error instanceof StorageFailure) return;
        if (error instanceof RequestError && error.code === "stopped") return;
        if (this.#awaited === arrival) throw error;
      },
    );
  }

  /** Chooses the watchers of the next pass; near and far ones take turns. Undefined when none can go on. */
  #begin(): WatchPass | undefined {
    this.#passAtMs = this.#clock.nowMs();
    const { watchersMax, nearRevisions } = this.#limits;
    const near: Watcher[] = [];
    const far: Watcher[] = [];
    for (const watcher of this.#waiting) {
      if (watcher.stream.isFull) {
        this.#waiting.delete(watcher);
        watcher.stream.park(watcher);
        continue;
      }
      const list = this.#source.currentRevision - watcher.nextRevision < nearRevisions ? near : far;
      if (list.length < watchersMax) list.push(watcher);
    }
    this.#wasNear = far.length === 0 || (near.length > 0 && !this.#wasNear);
    const candidates = this.#wasNear ? near : far;
    for (const watcher of candidates) {
      if (watcher.nextRevision >= this.#source.compactRevision || !this.#waiting.delete(watcher)) continue;
      this.#targets.compacted(watcher);
    }
    // Those cancelled are gone, and so are those whose stream was closed by its sink on the way.
    const chosen = candidates.filter((watcher) => this.#waiting.delete(watcher));
    if (chosen.length === 0) return undefined;
    return new WatchPass(this.#source, chosen, this.#outcome, this.#limits, this.#prng);
  }
}
