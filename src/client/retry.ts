const firstDelayMs = 50;
const longestDelayMs = 2_000;

/** Delay before round `round` + 1 (from 1): doubling, with jitter so that many clients do not return at once. */
export function backoffMs(round: number): number {
  const ceilingMs = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(round - 1, 10));
  return ceilingMs * (0.5 + Math.random() / 2);
}

export function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}
