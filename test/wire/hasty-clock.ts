import { SystemClock, type Timer } from "../../src/lib/clock.ts";

/** The server's limits of idle time pass faster by it, so that a case of a minute takes seconds. */
export class HastyClock extends SystemClock {
  readonly #haste: number;

  constructor(haste: number) {
    super();
    this.#haste = haste;
  }

  override after(delayMs: number, fn: () => void): Timer {
    return super.after(delayMs / this.#haste, fn);
  }

  override every(periodMs: number, fn: () => void): Timer {
    return super.every(periodMs / this.#haste, fn);
  }
}
