import type { Clock } from "../../lib/clock.ts";

/** Timers come late, and what they cost may be made up for; more than this is not saved up. */
const CATCH_UP_MS = 100;

/** Spreads bytes over time: all that share it stay, together, at one rate or below. */
export class Pacer {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  #freeAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1_000;
  }

  /** Takes the next place for `bytes`; how long to wait for it, in milliseconds. */
  reserve(bytes: number): number {
    const nowMs = this.#clock.nowMs();
    const startMs = Math.max(nowMs - CATCH_UP_MS, this.#freeAtMs);
    this.#freeAtMs = startMs + bytes / this.#bytesPerMs;
    return Math.max(0, startMs - nowMs);
  }
}
