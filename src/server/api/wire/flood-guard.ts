import type { Clock } from "../../../lib/clock.ts";
import { limits } from "../../../lib/limits.ts";

/** Frames that cost their sender nothing and us something; pings have rules of their own (PeerPings). */
export type CheapFrame = "reset" | "settings" | "idle";

const rates: Readonly<Record<CheapFrame, { readonly burst: number; readonly perSecond: number }>> = {
  reset: { burst: limits.http2ResetBurst, perSecond: limits.http2ResetsPerSecond },
  settings: { burst: limits.http2SettingsBurst, perSecond: limits.http2SettingsPerSecond },
  idle: { burst: limits.http2IdleFrameBurst, perSecond: limits.http2IdleFramesPerSecond },
};

interface Bucket {
  readonly burst: number;
  readonly perSecond: number;
  used: number;
  refilledAtMs: number;
}

/** Counts the cheap frames of one connection against a burst that refills with time. */
export class FloodGuard {
  readonly #clock: Clock;
  readonly #buckets: Readonly<Record<CheapFrame, Bucket>>;

  constructor(clock: Clock) {
    this.#clock = clock;
    const refilledAtMs = clock.nowMs();
    const full = (frame: CheapFrame): Bucket => ({ ...rates[frame], used: 0, refilledAtMs });
    this.#buckets = { reset: full("reset"), settings: full("settings"), idle: full("idle") };
  }

  /** False: there are too many of them. */
  admit(frame: CheapFrame): boolean {
    const bucket = this.#buckets[frame];
    const nowMs = this.#clock.nowMs();
    const refill = ((nowMs - bucket.refilledAtMs) / 1_000) * bucket.perSecond;
    bucket.refilledAtMs = nowMs;
    bucket.used = Math.max(0, bucket.used - refill) + 1;
    return bucket.used <= bucket.burst;
  }
}
