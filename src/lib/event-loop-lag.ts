import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Clock } from "./clock.ts";

/** Delays of the event loop in seconds, beyond the resolution of the measurement. */
export interface LagQuantiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

const resolutionMs = 10;
const windowMs = 30_000;

/**
 * Watches how late the event loop runs. Readings cover a window that starts anew at the first reading after 30 s,
 * so that several scrapers do not take each other's maxima away.
 */
export class EventLoopLag {
  readonly #clock: Clock;
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  #windowStartMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#windowStartMs = clock.nowMs();
    this.#delay.enable();
  }

  read(): LagQuantiles {
    const quantiles = {
      p50: lagSeconds(this.#delay.percentile(50)),
      p99: lagSeconds(this.#delay.percentile(99)),
      p999: lagSeconds(this.#delay.percentile(99.9)),
      max: lagSeconds(this.#delay.max),
    };
    if (this.#clock.nowMs() - this.#windowStartMs >= windowMs) {
      this.#delay.reset();
      this.#windowStartMs = this.#clock.nowMs();
    }
    return quantiles;
  }

  close(): void {
    this.#delay.disable();
  }
}

/** Node records the distance between two ticks of its timer; what exceeds the asked distance is lag. */
function lagSeconds(distanceNs: number): number {
  const lag = distanceNs / 1e9 - resolutionMs / 1e3;
  return Number.isFinite(lag) && lag > 0 ? lag : 0;
}
