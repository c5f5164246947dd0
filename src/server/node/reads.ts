import type { Clock, Timer } from "../../lib/clock.ts";
import { createDeferred, type Deferred } from "../../lib/deferred.ts";
import { RequestError } from "../../lib/errors.ts";

/** An answer of raft: the reads behind `context` are linearizable once `index` is applied. */
export interface ConfirmedRead {
  readonly index: number;
  readonly context: number;
}

/** What a read round asks of raft: false while no leader is known. */
export type AskReadIndex = (context: number) => boolean;

interface Round {
  readonly done: Deferred<void>;
  /** Contexts under which this round has asked; an answer to any of them serves it. */
  readonly contexts: Set<number>;
  readonly deadlineMs: number;
  /** Whether raft took the last attempt; false while there was no leader to ask. */
  isAsked: boolean;
  index: number | undefined;
}

const RETRY_MS = 500;

/**
 * Linearizable reads (Raft section 6.4). All reads that wait share one round; those that come while it is under
 * way wait for the next, since its read index may be older than they are. Every attempt asks under a context of
 * its own, so that an answer to an old attempt can never serve a newer round.
 */
export class ReadQueue {
  readonly #clock: Clock;
  readonly #ask: AskReadIndex;
  readonly #appliedIndex: () => number;
  readonly #wake: () => void;
  readonly #timeoutMs: number;
  #current: Round | undefined;
  #next: Round | undefined;
  #contextLast = 0;
  #retry: Timer | undefined;
  #isStopped = false;
  /** For metrics. */
  failedTotal = 0;
  slowTotal = 0;

  constructor(options: {
    readonly clock: Clock;
    readonly ask: AskReadIndex;
    readonly appliedIndex: () => number;
    /** Called when a round waits to be started: the loop calls start() at the end of its turn. */
    readonly wake: () => void;
    readonly timeoutMs: number;
  }) {
    this.#clock = options.clock;
    this.#ask = options.ask;
    this.#appliedIndex = options.appliedIndex;
    this.#wake = options.wake;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Resolves when local state is at or beyond the read index. Rejects with timeout, leaderChanged or stopped. */
  wait(): Promise<void> {
    if (this.#isStopped) return Promise.reject(new RequestError("stopped"));
    if (this.#next === undefined) {
      this.#next = {
        done: createDeferred<void>(),
        contexts: new Set(),
        deadlineMs: this.#clock.nowMs() + this.#timeoutMs,
        isAsked: false,
        index: undefined,
      };
      this.#wake();
    }
    return this.#next.done.promise;
  }

  /** Starts the waiting round when none is under way. */
  start(): void {
    if (this.#current !== undefined || this.#next === undefined) return;
    this.#current = this.#next;
    this.#next = undefined;
    this.#attempt(this.#current);
  }

  /** Answers of raft. */
  confirmed(reads: readonly ConfirmedRead[]): void {
    const round = this.#current;
    if (round === undefined || round.index !== undefined) return;
    for (const read of reads) {
      if (round.contexts.has(read.context)) {
        round.index = read.index;
        this.applied();
        return;
      }
    }
  }

  /** The applied index has moved. */
  applied(): void {
    const round = this.#current;
    if (round?.index === undefined || this.#appliedIndex() < round.index) return;
    this.#finish(round);
    round.done.resolve();
  }

  /** A leader was lost or another one found: what the old one would have confirmed is void. */
  leaderChanged(): void {
    const round = this.#current;
    if (round === undefined) return;
    if (!round.isAsked) {
      this.#retry?.cancel();
      this.#attempt(round);
      return;
    }
    this.#finish(round);
    this.failedTotal++;
    round.done.reject(new RequestError("leaderChanged"));
  }

  stop(): void {
    this.#isStopped = true;
    this.#retry?.cancel();
    const error = new RequestError("stopped");
    this.#current?.done.reject(error);
    this.#next?.done.reject(error);
    this.#current = undefined;
    this.#next = undefined;
  }

  #attempt(round: Round): void {
    const context = ++this.#contextLast;
    round.contexts.add(context);
    round.isAsked = this.#ask(context);
    this.#retry = this.#clock.after(RETRY_MS, () => this.#overdue(round));
  }

  #overdue(round: Round): void {
    if (this.#current !== round) return;
    this.slowTotal++;
    if (this.#clock.nowMs() >= round.deadlineMs) {
      this.#finish(round);
      this.failedTotal++;
      round.done.reject(new RequestError("timeout"));
      return;
    }
    this.#attempt(round);
  }

  #finish(round: Round): void {
    if (this.#current === round) this.#current = undefined;
    this.#retry?.cancel();
    this.#retry = undefined;
    if (this.#next !== undefined) this.#wake();
  }
}
