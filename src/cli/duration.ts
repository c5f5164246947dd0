import { UsageError } from "../lib/errors.ts";

const unitMs = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/**
 * Reads "200ms", "5s", "1h30m" or a plain number of seconds, as milliseconds.
 *
 * @throws UsageError
 */
export function parseDuration(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1_000);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join("") !== text) {
    throw new UsageError(`invalid duration ${JSON.stringify(text)}`, "write it like 200ms, 5s or 1h30m");
  }
  return Math.round(parts.reduce((sum, part) => sum + Number(part[1]) * unitMs.get(part[2]!)!, 0));
}

/** "250ms", "5s", "1.5s". */
export function formatDuration(durationMs: number): string {
  return durationMs < 1_000 ? `${durationMs}ms` : `${durationMs / 1_000}s`;
}
