import { UsageError } from "../lib/errors.ts";
import { serveFlags } from "./config-flags.ts";
import {
  parseBoolean,
  parseChoice,
  parseDurationMs,
  parseInteger,
  parseList,
  type RawValue,
} from "./config-values.ts";
import type { FlagSpec } from "./flag-spec.ts";

/** Reads flags by name from what was given, else from their defaults. */
export class Settings {
  readonly #values: ReadonlyMap<string, RawValue>;

  constructor(values: ReadonlyMap<string, RawValue>) {
    this.#values = values;
  }

  isSet(name: string): boolean {
    return this.#values.has(name);
  }

  raw(name: string): RawValue {
    return this.#values.get(name) ?? { text: specOf(name).default, source: `--${name}` };
  }

  text(name: string): string {
    return this.raw(name).text;
  }

  boolean(name: string): boolean {
    return parseBoolean(this.raw(name));
  }

  integer(name: string, bounds: { min: number; max: number }): number {
    return parseInteger(this.raw(name), bounds);
  }

  durationMs(name: string): number {
    return parseDurationMs(this.raw(name));
  }

  list(name: string): string[] {
    return parseList(this.raw(name));
  }

  choice(name: string): string {
    return parseChoice(this.raw(name), specOf(name));
  }
}

function specOf(name: string): FlagSpec {
  const spec = serveFlags.find((flag) => flag.name === name);
  if (spec === undefined) throw new UsageError(`--${name} is no flag of serve`, "metastore serve --help");
  return spec;
}
