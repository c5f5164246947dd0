import { formatSize } from "../cli/index.ts";

export { formatSize };

/** 2,901,337 */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** 950, 12,400, 291k, 1.3M: at most six characters up to a billion. */
export function formatShortCount(count: number): string {
  const rounded = Math.round(count);
  if (rounded < 100_000) return formatCount(rounded);
  if (rounded < 999_500) return `${Math.round(rounded / 1_000)}k`;
  return `${(rounded / 1_000_000).toFixed(rounded < 99_950_000 ? 1 : 0)}M`;
}

/** 0.4, 9.6, 1,204: a rate per second. */
export function formatRate(perSecond: number): string {
  return perSecond < 9.95 && perSecond > 0 ? perSecond.toFixed(1) : formatCount(perSecond);
}

/** "0.4 ms", "48 ms", "1.2 s" */
export function formatMs(durationMs: number): string {
  if (durationMs < 9.95) return `${durationMs.toFixed(1)} ms`;
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`;
  return `${(durationMs / 1_000).toFixed(1)} s`;
}

/** "8 s", "3 min", "2 h": for how long something has been so. */
export function formatAge(durationMs: number): string {
  const seconds = Math.max(0, Math.round(durationMs / 1_000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6_000) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3_600)} h`;
}

/** "16:24:07" in the time zone of this computer. */
export function formatClock(wallMs: number): string {
  const time = new Date(wallMs);
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}

const levels = "▁▂▃▄▅▆▇█";

/** The last `width` values as bars between zero and the greatest of them; blanks where there is no value. */
export function sparkline(values: readonly (number | undefined)[], width: number): string {
  const shown = values.slice(-width);
  const greatest = Math.max(0, ...shown.map((value) => value ?? 0));
  const bars = shown.map((value) => {
    if (value === undefined) return " ";
    if (greatest === 0 || value <= 0) return levels[0]!;
    return levels[Math.min(levels.length - 1, Math.ceil((value / greatest) * levels.length) - 1)]!;
  });
  return bars.join("").padStart(Math.max(0, width));
}

/** "███████░░░" for a share from 0 to 1. */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "█".repeat(filled) + "░".repeat(Math.max(0, width - filled));
}

/** Text that others chose, without what a terminal would obey. */
export function plainText(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}
