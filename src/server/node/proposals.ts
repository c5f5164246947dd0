import type { Clock } from "../../lib/clock.ts";
import { type ErrorName, RequestError } from "../../lib/errors.ts";
import { IntMap } from "../../lib/int-map.ts";
import { Pending } from "../../lib/pending.ts";
import type { Command } from "../state/index.ts";

class Waiter extends Pending<unknown> {
  readonly deadlineMs: number;
  readonly sizeBytes: number;
  readonly command: Command | undefined;

  constructor(deadlineMs: number, sizeBytes: number, command: Command | undefined) {
    super();
    this.deadlineMs = deadlineMs;
    this.sizeBytes = sizeBytes;
    this.command = command;
  }
}

export interface ProposalLimits {
  readonly timeoutMs: number;
  readonly countMax: number;
  readonly sizeBytesMax: number;
}

/**
 * The commands this member has proposed and not yet answered, by sequence number. All wait equally long, so they
 * expire in the order they came in. Those that found no leader are kept until there is one.
 */
export class Proposals {
  readonly #clock: Clock;
  readonly #limits: ProposalLimits;
  readonly #waiters = new IntMap<Waiter>();
  /** Not given to raft yet, in order. */
  #leaderless: { readonly sequence: number; readonly data: Uint8Array }[] = [];
  #sequenceLast = 0;
  #sizeBytes = 0;
  /** For metrics. */
  failedTotal = 0;

  constructor(clock: Clock, limits: ProposalLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get pending(): number {
    return this.#waiters.size;
  }

  get hasLeaderless(): boolean {
    return this.#leaderless.length > 0;
  }

  /** The number the next command will carry. */
  nextSequence(): number {
    return ++this.#sequenceLast;
  }

  /** Throws tooManyRequests when the window is full. */
  admit(sizeBytes: number): void {
    if (
      this.#waiters.size >= this.#limits.countMax ||
      (this.#sizeBytes > 0 && this.#sizeBytes + sizeBytes > this.#limits.sizeBytesMax)
    ) {
      this.failedTotal++;
      throw new RequestError("tooManyRequests");
    }
  }

  /** Waits for the answer to command `sequence`; `command` is kept until then for `command()`, which must not change. */
  wait(sequence: number, sizeBytes: number, command?: Command): Pending<unknown> {
    const waiter = new Waiter(this.#clock.nowMs() + this.#limits.timeoutMs, sizeBytes, command);
    this.#sizeBytes += sizeBytes;
    this.#waiters.set(sequence, waiter);
    return waiter;
  }

  /** What is waited for, where it was given to `wait`. */
  command(sequence: number): Command | undefined {
    return this.#waiters.get(sequence)?.command;
  }

  /** Keeps a command that is waited for until there is a leader. */
  keep(sequence: number, data: Uint8Array): void {
    this.#leaderless.push({ sequence, data });
  }

  /** Offers what is kept to `propose`, in order, until it says no. What has expired is surely not applied. */
  offer(propose: (data: Uint8Array) => boolean): void {
    let taken = 0;
    for (const { sequence, data } of this.#leaderless) {
      if (this.#waiters.get(sequence) !== undefined && !propose(data)) break;
      taken++;
    }
    if (taken > 0) this.#leaderless = this.#leaderless.slice(taken);
  }

  resolve(sequence: number, result: unknown): void {
    this.#take(sequence)?.settle(result);
  }

  reject(sequence: number, error: Error): void {
    this.#take(sequence)?.abandon(error);
  }

  /**
   * Gives up on those whose time has passed: their outcome is unknown. `reason`: what their error says, by the time
   * (Clock.nowMs) they began to wait.
   */
  expire(reason: (sinceMs: number) => ErrorName): void {
    const now = this.#clock.nowMs();
    for (const [sequence, waiter] of this.#waiters.entries()) {
      if (waiter.deadlineMs > now) return;
      this.failedTotal++;
      this.reject(sequence, new RequestError(reason(waiter.deadlineMs - this.#limits.timeoutMs)));
    }
  }

  stop(error: Error): void {
    this.#leaderless = [];
    for (const [sequence] of this.#waiters.entries()) this.reject(sequence, error);
  }

  #take(sequence: number): Waiter | undefined {
    const waiter = this.#waiters.get(sequence);
    if (waiter === undefined) return undefined;
    this.#waiters.delete(sequence);
    this.#sizeBytes -= waiter.sizeBytes;
    return waiter;
  }
}
