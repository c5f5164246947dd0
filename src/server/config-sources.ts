import { UsageError } from "../lib/errors.ts";
import { parseConfigFile } from "./config-file.ts";
import { serveFlags } from "./config-flags.ts";
import { isDefault, type RawValue } from "./config-values.ts";
import { environmentNames, type FlagSpec } from "./flag-spec.ts";

export interface ConfigInput {
  /** Flags that were given on the command line, by name without dashes. */
  readonly flags: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Content of the configuration file as text; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}

/** The values that count, by flag name, after precedence; flags left at their default are absent. */
export interface ResolvedValues {
  readonly values: ReadonlyMap<string, RawValue>;
  readonly warnings: readonly string[];
}

/** ETCD_* variables that are nobody's flag and yet normal: etcd's own, and what Kubernetes sets for a service. */
const foreignVariable =
  /^ETCD_(?:VERSION|UNSUPPORTED_ARCH|SERVICE_(?:HOST|PORT(?:_\w+)?)|PORT(?:_\d+_(?:TCP|UDP)(?:_\w+)?)?)$/;

/**
 * Flag over METASTORE_* over ETCD_* over default. With a configuration file its values stand alone for etcd's
 * flags, as in etcd; ours (--port and so on) still come from flag and environment first.
 *
 * etcd ends when a flag and its variable are both set; here the flag wins, with a warning. Throws UsageError.
 */
export function resolveValues(input: ConfigInput): ResolvedValues {
  const warnings: string[] = [];
  const fromUser = new Map<string, RawValue>();
  for (const flag of serveFlags) {
    const value = userValue(flag, input, warnings);
    if (value !== undefined) fromUser.set(flag.name, value);
  }
  refuseUnknownFlags(input);
  warnOfUnknownVariables(input, warnings);

  const file = fromUser.get("config-file");
  const values = file === undefined ? fromUser : withFile(file, fromUser, input, warnings);
  for (const flag of serveFlags) {
    const value = values.get(flag.name);
    if (value !== undefined) checkSupport(flag, value, warnings);
  }
  return { values, warnings };
}

function userValue(flag: FlagSpec, input: ConfigInput, warnings: string[]): RawValue | undefined {
  const found: RawValue[] = [];
  const given = input.flags[flag.name];
  if (given !== undefined && given !== "") found.push({ text: String(given), source: `--${flag.name}` });
  for (const name of environmentNames(flag)) {
    const text = input.env[name];
    if (text === undefined || text === "") continue;
    if (/^(?:tcp|udp):\/\//.test(text) && flag.name === "port") {
      warnings.push(`${name}=${text} comes from Kubernetes service links and is ignored`);
      continue;
    }
    found.push({ text, source: name });
  }
  const [winner, ...shadowed] = found;
  for (const { source, text } of shadowed) {
    if (winner !== undefined && text !== winner.text) {
      warnings.push(`${source} is shadowed by ${winner.source} and ignored`);
    }
  }
  return winner;
}

function withFile(
  file: RawValue,
  fromUser: ReadonlyMap<string, RawValue>,
  input: ConfigInput,
  warnings: string[],
): Map<string, RawValue> {
  const path = file.text;
  let text: string;
  try {
    text = input.readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `${file.source}: cannot read ${path}: ${reason}`,
      "check the path and its permissions",
    );
  }
  const { values: fromFile, warnings: fileWarnings } = parseConfigFile(path, text, serveFlags);
  warnings.push(...fileWarnings);
  const values = new Map(fromFile);
  const ignored: string[] = [];
  for (const flag of serveFlags) {
    const value = fromUser.get(flag.name);
    if (value === undefined || flag.name === "config-file") continue;
    if (flag.family === "metastore") values.set(flag.name, value);
    else ignored.push(value.source);
  }
  if (ignored.length > 0) {
    warnings.push(`ignored because ${path} is used, as in etcd: ${ignored.join(", ")}`);
  }
  return values;
}

function checkSupport(flag: FlagSpec, value: RawValue, warnings: string[]): void {
  switch (flag.support) {
    case "served":
      return;
    case "legacy":
      warnings.push(`${value.source} is ignored: ${flag.reason ?? ""}`);
      return;
    case "inert":
      if (!isDefault(value, flag)) warnings.push(`${value.source} has no effect: ${flag.reason ?? ""}`);
      return;
    case "refused":
      if (isDefault(value, flag)) return;
      throw new UsageError(
        `${value.source} is not supported: ${flag.reason ?? ""}`,
        `start without ${value.source}; ignoring it silently would not be what you asked for`,
      );
  }
}

function refuseUnknownFlags(input: ConfigInput): void {
  const known = new Set(serveFlags.map(({ name }) => name));
  const unknown = Object.keys(input.flags).find(
    (name) => input.flags[name] !== undefined && !known.has(name),
  );
  if (unknown !== undefined) {
    throw new UsageError(`--${unknown} is no flag of serve`, "metastore serve --help lists the flags");
  }
}

function warnOfUnknownVariables(input: ConfigInput, warnings: string[]): void {
  const known = new Set(serveFlags.flatMap(environmentNames));
  for (const name of Object.keys(input.env)) {
    if (!name.startsWith("ETCD_") || known.has(name) || foreignVariable.test(name)) continue;
    warnings.push(`unrecognized environment variable ${name}`);
  }
}
