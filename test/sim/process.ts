import type { Clock, Timer } from "../../src/lib/clock.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** What one pass of the event loop costs: without it two members could call each other for ever at one moment. */
const TURN_MS = 0.02;

/**
 * One run of a member as the world sees it: a clock of its own, and everything that happens in it. It may be stopped
 * for a while, as by SIGSTOP: its clock goes on, what was to happen in it waits. Killed, nothing happens in it again.
 */
export class SimProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #time: VirtualTime;
  readonly #startedAtMs: number;
  readonly #clockOffsetMs: number;
  #rate: number;
  /** Where the clock stood when its rate last changed. */
  #rateSinceMs: number;
  #rateBaseMs: number;
  #waiting: (() => void)[] | undefined;
  #isKilled = false;
  #hasRun = true;

  constructor(time: VirtualTime, name: string, clockSettings: { offsetMs: number; rate: number }) {
    this.#time = time;
    this.name = name;
    this.#startedAtMs = time.nowMs;
    this.#clockOffsetMs = clockSettings.offsetMs;
    this.#rate = clockSettings.rate;
    this.#rateSinceMs = time.nowMs;
    this.#rateBaseMs = clockSettings.offsetMs;
    this.clock = new ProcessClock(this);
  }

  get isPaused(): boolean {
    return this.#waiting !== undefined;
  }

  get isKilled(): boolean {
    return this.#isKilled;
  }

  get upMs(): number {
    return this.#time.nowMs - this.#startedAtMs;
  }

  /** What its own clock shows. */
  localMs(): number {
    return this.#rateBaseMs + (this.#time.nowMs - this.#rateSinceMs) * this.#rate;
  }

  localOf(worldMs: number): number {
    return this.localMs() - (this.#time.nowMs - worldMs) * this.#rate;
  }

  wallMs(): number {
    return 1_700_000_000_000 + Math.floor(this.#time.nowMs + this.#clockOffsetMs);
  }

  /** From now on the clock runs `rate` times as fast as the world's. */
  setRate(rate: number): void {
    this.#rateBaseMs = this.localMs();
    this.#rateSinceMs = this.#time.nowMs;
    this.#rate = rate;
  }

  /** Runs `fn` in the process after `delayMs` of the world's time. */
  post(delayMs: number, label: string, fn: () => void): Timer {
    let isCanceled = false;
    const handle = this.#time.after(delayMs, `${this.name} ${label}`, () =>
      this.run(() => {
        if (!isCanceled) fn();
      }),
    );
    return {
      cancel: () => {
        isCanceled = true;
        handle.cancel();
      },
    };
  }

  /** As post, in the time of its own clock. */
  postLocal(delayMs: number, label: string, fn: () => void): Timer {
    return this.post(Math.max(0, delayMs) / this.#rate, label, fn);
  }

  /** Runs `fn` now or, while the process is paused, when it goes on; never when it is killed. */
  run(fn: () => void): void {
    if (this.#isKilled) return;
    if (this.#waiting === undefined) {
      this.#hasRun = true;
      fn();
    } else this.#waiting.push(fn);
  }

  /** Whether anything happened in it since this was last asked. */
  takeHasRun(): boolean {
    const hasRun = this.#hasRun;
    this.#hasRun = false;
    return hasRun;
  }

  pause(): void {
    this.#waiting ??= [];
  }

  /** What waited happens one after the other, each as an event of its own. */
  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const [i, fn] of waiting.entries()) this.post(i * TURN_MS, "resumed", fn);
  }

  kill(): void {
    this.#isKilled = true;
    this.#waiting = undefined;
  }
}

class ProcessClock implements Clock {
  readonly #process: SimProcess;

  constructor(process: SimProcess) {
    this.#process = process;
  }

  nowMs(): number {
    return this.#process.localMs();
  }

  wallMs(): number {
    return this.#process.wallMs();
  }

  after(delayMs: number, fn: () => void): Timer {
    return this.#process.postLocal(delayMs, "timer", fn);
  }

  every(periodMs: number, fn: () => void): Timer {
    let isCanceled = false;
    let timer: Timer;
    const again = (): void => {
      if (isCanceled) return;
      timer = this.#process.postLocal(periodMs, "interval", () => {
        again();
        fn();
      });
    };
    again();
    return {
      cancel: () => {
        isCanceled = true;
        timer.cancel();
      },
    };
  }

  defer(fn: () => void): void {
    this.#process.post(TURN_MS, "turn", fn);
  }
}
