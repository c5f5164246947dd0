import type { Histogram } from "./cluster-sample.ts";

/** The observations of `later` that `earlier` has not; all of them when the member has started anew in between. */
export function observedSince(later: Histogram, earlier: Histogram | undefined): Histogram {
  if (earlier === undefined || earlier.counts.length !== later.counts.length) return later;
  const counts = later.counts.map((count, i) => count - earlier.counts[i]!);
  return counts.some((count) => count < 0) ? later : { bounds: later.bounds, counts };
}

/** How many observations there are. */
export function observations(histogram: Histogram): number {
  return histogram.counts.at(-1) ?? 0;
}

/**
 * The value below which the share `quantile` (0 to 1) lies, by linear interpolation inside a bucket as Prometheus
 * does it; the last finite bound for what lies beyond it. Undefined without observations.
 */
export function quantileOf({ bounds, counts }: Histogram, quantile: number): number | undefined {
  const total = counts.at(-1) ?? 0;
  if (total <= 0) return undefined;
  const rank = quantile * total;
  const bucket = counts.findIndex((count) => count >= rank);
  const upper = bounds[bucket]!;
  const lower = bucket === 0 ? 0 : bounds[bucket - 1]!;
  if (!Number.isFinite(upper)) return lower;
  const below = bucket === 0 ? 0 : counts[bucket - 1]!;
  const inside = counts[bucket]! - below;
  return inside === 0 ? upper : lower + ((upper - lower) * (rank - below)) / inside;
}
