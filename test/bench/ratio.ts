/** The middle one, and how far the repetitions lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const half = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(half)) + at(Math.ceil(half))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

export const medianOf = (values: readonly number[]): number => spreadOf(values).median;

/** Each repetition's ratio is that of the two runs that lay beside each other: what slowed both cancels out. */
export function ratioOf<T>(runs: readonly T[], baseRuns: readonly T[], pick: (run: T) => number): Spread {
  return spreadOf(runs.map((run, index) => pick(run) / baseline(baseRuns[index], pick)));
}

function baseline<T>(run: T | undefined, pick: (run: T) => number): number {
  return run === undefined ? Number.NaN : pick(run);
}

/** Where a ratio lies: above 1 in every repetition, below in every one, or neither. */
export function sideOf({ min, max }: Spread): "above" | "below" | "same" {
  if (min > 1) return "above";
  return max < 1 ? "below" : "same";
}

export function spreadText({ median, min, max }: Spread): string {
  if (min === max) return median.toFixed(2);
  return `${median.toFixed(2)} (${min.toFixed(2)}..${max.toFixed(2)})`;
}
