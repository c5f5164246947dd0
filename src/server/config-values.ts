import { UsageError } from "../lib/errors.ts";
import type { FlagSpec } from "./flag-spec.ts";

/** One value of a flag as it was given, and where. */
export interface RawValue {
  readonly text: string;
  /** For messages: "--name", "METASTORE_NAME", "name in FILE". */
  readonly source: string;
}

const trueWords = new Set(["true", "t", "1"]);
const falseWords = new Set(["false", "f", "0"]);

/** Go's strconv.ParseBool words, in any case. Throws UsageError. */
export function parseBoolean({ text, source }: RawValue): boolean {
  const word = text.toLowerCase();
  if (trueWords.has(word)) return true;
  if (falseWords.has(word)) return false;
  throw new UsageError(
    `${source}: ${JSON.stringify(text)} is neither true nor false`,
    `write ${source}=true`,
  );
}

/** A whole number within `min` and `max`, both included. Throws UsageError. */
export function parseInteger({ text, source }: RawValue, { min, max }: { min: number; max: number }): number {
  const number = /^[+-]?\d{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number) || number < min || number > max) {
    throw new UsageError(
      `${source}: ${JSON.stringify(text)} is not a whole number from ${min} to ${max}`,
      `write it in plain digits, without a unit`,
    );
  }
  return number;
}

const unitMs: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3,
};

/** Go's time.ParseDuration without a sign, in milliseconds. Throws UsageError. */
export function parseDurationMs({ text, source }: RawValue): number {
  if (text === "0") return 0;
  const parts = /^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)
    ? [...text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)]
    : [];
  const totalMs = parts.reduce(
    (sum, [, number, unit]) => sum + Number(number) * (unitMs[unit ?? ""] ?? 0),
    0,
  );
  // Go's durations end at 2^63 nanoseconds.
  if (parts.length === 0 || totalMs > 2 ** 63 / 1e6) {
    throw new UsageError(
      `${source}: ${JSON.stringify(text)} is no duration`,
      "write a number with a unit: 500ms, 5s, 10m, 1h30m",
    );
  }
  return totalMs;
}

/** The non-empty items of a comma list, trimmed. */
export function parseList({ text }: RawValue): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Throws UsageError when the value is not one of the flag's choices. */
export function parseChoice({ text, source }: RawValue, flag: FlagSpec): string {
  const choices = flag.choices ?? [];
  if (choices.includes(text)) return text;
  throw new UsageError(
    `${source}: ${JSON.stringify(text)} is not one of its values`,
    `choose ${choices.join(" or ")}`,
  );
}

/** Whether a value means the flag's default, whatever its notation. Throws UsageError when it cannot be read. */
export function isDefault(value: RawValue, flag: FlagSpec): boolean {
  const fallback: RawValue = { text: flag.default, source: value.source };
  switch (flag.type) {
    case "boolean":
      return parseBoolean(value) === parseBoolean(fallback);
    case "duration":
      return parseDurationMs(value) === parseDurationMs(fallback);
    case "integer":
      return Number(value.text) === Number(fallback.text);
    case "list":
    case "urls":
      return parseList(value).join() === parseList(fallback).join();
    case "choice":
    case "string":
      return value.text === flag.default;
  }
}
