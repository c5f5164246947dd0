import type { ByteString } from "../../../lib/bytes.ts";
import { badRequest } from "./errors.ts";
import { decodePercent } from "./request-target.ts";

const optionsHelp =
  "GET takes prefix, keysOnly, limit, after, revision and serializable; PUT and DELETE take none, POST takes learner. " +
  'A "?" or "&" that belongs to a key is written %3F or %26';

/** Refuses options that are not in `known`: a misspelt one must not be ignored. */
export function refuseUnknownOptions(
  options: ReadonlyMap<string, string>,
  known: readonly string[],
  method: string,
): void {
  for (const name of options.keys()) {
    if (!known.includes(name)) {
      throw badRequest(`the option ${JSON.stringify(name)} is not known to ${method}`, optionsHelp);
    }
  }
}

/** "?name", "?name=true" and "?name=1" are true. */
export function booleanOption(options: ReadonlyMap<string, string>, name: string): boolean {
  const value = options.get(name);
  if (value === undefined || value === "false" || value === "0") return false;
  if (value === "" || value === "true" || value === "1") return true;
  throw badRequest(`${name}=${value} is neither true nor false`, `write ?${name} or ?${name}=true`);
}

/** A whole number from `min` up; `absent` when the option is not given. */
export function integerOption(
  options: ReadonlyMap<string, string>,
  name: string,
  min: number,
  absent: number,
): number {
  const value = options.get(name);
  if (value === undefined) return absent;
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number) || number < min) {
    throw badRequest(`${name}=${value} is not a whole number of at least ${min}`, `write ?${name}=${min}`);
  }
  return number;
}

/** A key given as an option, percent-decoded byte by byte. */
export function keyOption(options: ReadonlyMap<string, string>, name: string): ByteString | undefined {
  const value = options.get(name);
  if (value === undefined) return undefined;
  const key = decodePercent(value);
  if (key === undefined) throw invalidEscape(value);
  return key;
}

export function invalidEscape(text: string): Error {
  return badRequest(
    `${JSON.stringify(text)} has a "%" without two hexadecimal digits after it`,
    'a "%" that belongs to a key is written %25',
  );
}
