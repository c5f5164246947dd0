import type { Clock } from "../../../lib/clock.ts";
import { limits } from "../../../lib/limits.ts";

/** Frames that cost their sender nothing and us something; pings have rules of their own (PeerPings). */
export type CheapFrame = "reset" | "settings" | "idle";

const rates: Readonly<Record<CheapFrame, { readonly burst: number; readonly perSecond: number }>> = {
  reset: { burst: limits.http2ResetBurst, perSecond: limits.http2ResetsPerSecond },
  settings: { burst: limits.http2SettingsBurst, perSecond: limits.http2SettingsPerSecond },
  idle: { burst: limits.http2IdleFrameBurst, perSecond: limits.http2IdleFramesPerSecond },
};

/** Counts the cheap frames of one connection against a burst that refills with time. */
export class FloodGuard {
  readonly #clock: Clock;
  readonly #used: Record<CheapFrame, number> = { reset: 0, settings: 0, idle: 0 };
  #refilledAtMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#refilledAtMs = clock.nowMs();
  }

  /** False: there are too many of them. */
  admit(frame: CheapFrame): boolean {
    this.#used[frame]++;
    if (this.#used[frame] <= rates[frame].burst) return true;
    this.#refill();
    return this.#used[frame] <= rates[frame].burst;
  }

  #refill(): void {
    const nowMs = this.#clock.nowMs();
    const seconds = (nowMs - this.#refilledAtMs) / 1_000;
    this.#refilledAtMs = nowMs;
    for (const frame of Object.keys(rates) as CheapFrame[]) {
      this.#used[frame] = Math.max(0, this.#used[frame] - seconds * rates[frame].perSecond);
    }
  }
}
