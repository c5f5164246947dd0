import { Args, Flags } from "@oclif/core";
import type { KeyTarget } from "../client/index.ts";
import { UsageError } from "../lib/errors.ts";

type RangeHelpers = Pick<typeof import("../client/index.ts"), "prefix" | "fromKey" | "between">;

/** What names a range on the command line. */
export interface TargetFlags {
  readonly prefix: boolean;
  readonly "from-key": boolean;
}

export const targetFlags = {
  prefix: Flags.boolean({ description: "Every key that starts with KEY", exclusive: ["from-key"] }),
  "from-key": Flags.boolean({ description: "Every key from KEY on, in byte order" }),
};

/** stdin is never an argument's default: oclif would wait 10 ms for it and trim what comes. */
export const keyArg = Args.string({
  required: true,
  ignoreStdin: true,
  description: "The key, as UTF-8 text; use -- before one that starts with a dash",
});

/**
 * The key or range that a command line names.
 *
 * @throws UsageError for an empty key and for a range named twice
 */
export function toTarget(
  helpers: RangeHelpers,
  key: string,
  rangeEnd: string | undefined,
  flags: TargetFlags,
): KeyTarget {
  if (rangeEnd !== undefined && (flags.prefix || flags["from-key"])) {
    throw new UsageError("the range is named twice", "give either RANGE_END or --prefix or --from-key");
  }
  if (flags.prefix) return helpers.prefix(key);
  if (flags["from-key"]) return helpers.fromKey(key);
  if (key === "") throw new UsageError("the key is empty", 'add --prefix to mean every key: "" --prefix');
  return rangeEnd === undefined ? key : helpers.between(key, rangeEnd);
}

/**
 * Reads a revision or a count: a whole number from 0 up that JavaScript holds exactly.
 *
 * @throws UsageError
 */
export function parseWhole(text: string, name: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new UsageError(`${name} is not a whole number: ${JSON.stringify(text)}`, "give a number from 0 up");
  }
  return value;
}

/** A flag that holds a revision or a count. */
export function wholeFlag(description: string, helpValue: string, aliases: string[] = []) {
  return Flags.custom<number>({
    description,
    helpValue,
    aliases,
    parse: async (text, _context, options) => parseWhole(text, `--${options.name}`),
  })();
}
