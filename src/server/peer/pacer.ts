import type { Clock } from "../../lib/clock.ts";

/** Spreads bytes over time: all that share it stay, together, at or below one rate. Idle time is not saved up. */
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
    const startMs = Math.max(nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + bytes / this.#bytesPerMs;
    return startMs - nowMs;
  }
}
