import type { Clock } from "./clock.ts";

/** How work in the background leaves room for other work. */
export interface Pace {
  readonly clock: Clock;
  /** Somebody waits for the end: no rests. */
  readonly isHurried: () => boolean;
}

/** Rests `factor` times as long as the work that began at `fromMs` (Clock.nowMs) took, `restMsMax` at most. */
export async function rest(
  { clock, isHurried }: Pace,
  fromMs: number,
  factor: number,
  restMsMax = Number.POSITIVE_INFINITY,
): Promise<void> {
  const restMs = Math.min(factor * (clock.nowMs() - fromMs), restMsMax);
  if (restMs > 0 && !isHurried()) await new Promise<void>((resolve) => clock.after(restMs, resolve));
}
