import { UsageError } from "../../../src/lib/errors.ts";
import { type Config, loadConfig } from "../../../src/server/config.ts";

export interface GivenConfig {
  readonly flags?: Record<string, string | number | boolean | undefined>;
  readonly env?: Record<string, string>;
  /** Files by path. */
  readonly files?: Record<string, string>;
}

export function load({ flags = {}, env = {}, files = {} }: GivenConfig = {}): Config {
  return loadConfig({
    flags,
    env,
    readFile(path) {
      const text = files[path];
      if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
      return text;
    },
  });
}

/** Whether `error` is a UsageError that says `message` and has a hint. */
export function saying(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof UsageError && message.test(error.message) && error.hint !== "";
}
