import { performance } from "node:perf_hooks";

/** Time as the server sees it. The simulator brings its own; nothing else reads clocks or sets timers. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds with a fraction; the zero point is arbitrary. */
  nowMs(): number;
  /** Wall-clock milliseconds since the Unix epoch: for people, never for decisions. */
  wallMs(): number;
  /** Runs `fn` once after `delayMs`. A pending timer does not keep the process alive. */
  after(delayMs: number, fn: () => void): Timer;
  /** Runs `fn` every `periodMs`, the first time after one period. */
  every(periodMs: number, fn: () => void): Timer;
  /** Runs `fn` after the I/O events that are already waiting: the end of this turn of the loop. */
  defer(fn: () => void): void;
}

/** Resolves when the I/O events that are already waiting have been served: work that takes long lets others in. */
export function turnEnd(clock: Pick<Clock, "defer">): Promise<void> {
  return new Promise((resolve) => clock.defer(resolve));
}

const HOLD_PERIOD_MS = 1_000_000;

export class SystemClock implements Clock {
  nowMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(delayMs: number, fn: () => void): Timer {
    const handle = setTimeout(fn, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  }

  every(periodMs: number, fn: () => void): Timer {
    const handle = setInterval(fn, periodMs);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  }

  defer(fn: () => void): void {
    setImmediate(fn);
  }

  /**
   * Keeps the process alive until it is cancelled. The timers above do not: a server that waits for one of them and
   * for nothing else, while it starts, would end without a word.
   */
  holdProcess(): Timer {
    const handle = setInterval(() => {}, HOLD_PERIOD_MS);
    return { cancel: () => clearInterval(handle) };
  }
}
