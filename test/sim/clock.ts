import type { Clock, Timer } from "../../src/lib/clock.ts";

interface Alarm {
  atMs: number;
  readonly sequence: number;
  readonly periodMs: number | undefined;
  readonly fn: () => void;
}

/** A clock that stands still until the test moves it; timers and deferred work run in a fixed order. */
export class SimClock implements Clock {
  #nowMs = 0;
  #sequence = 0;
  readonly #alarms = new Set<Alarm>();
  #deferred: (() => void)[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, fn: () => void): Timer {
    return this.#add(delayMs, undefined, fn);
  }

  every(periodMs: number, fn: () => void): Timer {
    return this.#add(periodMs, periodMs, fn);
  }

  defer(fn: () => void): void {
    this.#deferred.push(fn);
  }

  /** Runs what was deferred, including what that defers in turn. */
  runDeferred(): void {
    while (this.#deferred.length > 0) {
      const batch = this.#deferred;
      this.#deferred = [];
      for (const fn of batch) fn();
    }
  }

  /** Moves time on, running timers at their moment in order of time, then of creation. */
  advance(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    this.runDeferred();
    for (let next = this.#earliest(untilMs); next !== undefined; next = this.#earliest(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.periodMs === undefined) this.#alarms.delete(next);
      else next.atMs += next.periodMs;
      next.fn();
      this.runDeferred();
    }
    this.#nowMs = untilMs;
  }

  #add(delayMs: number, periodMs: number | undefined, fn: () => void): Timer {
    const alarm: Alarm = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      sequence: this.#sequence++,
      periodMs,
      fn,
    };
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  #earliest(untilMs: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.atMs > untilMs) continue;
      if (
        first === undefined ||
        alarm.atMs < first.atMs ||
        (alarm.atMs === first.atMs && alarm.sequence < first.sequence)
      ) {
        first = alarm;
      }
    }
    return first;
  }
}
