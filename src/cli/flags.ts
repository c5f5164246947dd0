import { readFile } from "node:fs/promises";
import { Flags } from "@oclif/core";
import type { ConnectOptions, TlsOptions } from "../client/index.ts";
import { UsageError } from "../lib/errors.ts";
import { parseDuration } from "./duration.ts";
import { type OutputFormat, outputFormats } from "./output.ts";

const helpGroup = "GLOBAL";

/** Flags of every command. */
export const outputFlags = {
  output: Flags.option({
    char: "o",
    charAliases: ["w"],
    aliases: ["write-out"],
    options: outputFormats,
    description: "How to print: table on a terminal and simple in a pipe unless set (METASTORE_OUTPUT)",
    helpGroup,
  })(),
  json: Flags.boolean({ description: "Same as --output json", helpGroup }),
  "no-color": Flags.boolean({ description: "Plain text, as with NO_COLOR", helpGroup }),
  quiet: Flags.boolean({ char: "q", description: "No remarks on stderr", helpGroup }),
};

/** Flags of every command that talks to a server. */
export const connectionFlags = {
  endpoints: Flags.string({
    description:
      "Servers as host:port, separated by commas; 127.0.0.1:2379 unless set (METASTORE_ENDPOINTS, ETCDCTL_ENDPOINTS)",
    helpValue: "<host:port,...>",
    helpGroup,
  }),
  timeout: Flags.string({
    description: "Longest wait for an answer, such as 500ms, 5s or 1m; 5s unless set",
    helpValue: "<duration>",
    helpGroup,
    aliases: ["command-timeout"],
  }),
  cacert: Flags.string({
    description: "PEM file of the authorities to trust",
    helpValue: "<file>",
    helpGroup,
  }),
  cert: Flags.string({ description: "PEM file of the client's certificate", helpValue: "<file>", helpGroup }),
  key: Flags.string({ description: "PEM file of the client's key", helpValue: "<file>", helpGroup }),
  "insecure-skip-tls-verify": Flags.boolean({
    description: "Accept any server certificate; for tests only",
    helpGroup,
  }),
  user: Flags.string({
    description: "User name, or name:password (METASTORE_USER, ETCDCTL_USER)",
    helpValue: "<name>",
    helpGroup,
  }),
  "password-file": Flags.string({
    description: "File with the user's password; - is stdin (METASTORE_PASSWORD, ETCDCTL_PASSWORD)",
    helpValue: "<file>",
    helpGroup,
  }),
};

export interface OutputFlagValues {
  readonly output?: OutputFormat | undefined;
  readonly json: boolean;
  readonly "no-color": boolean;
  readonly quiet: boolean;
}

export interface ConnectionFlagValues {
  readonly endpoints?: string | undefined;
  readonly timeout?: string | undefined;
  readonly cacert?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly "insecure-skip-tls-verify": boolean;
  readonly user?: string | undefined;
  readonly "password-file"?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Flag, then METASTORE_<NAME>, then ETCDCTL_<NAME>; an empty variable counts as unset. */
function setting(flag: string | undefined, name: string, environment: Environment): string | undefined {
  return flag ?? (environment[`METASTORE_${name}`] || environment[`ETCDCTL_${name}`] || undefined);
}

/**
 * What connect() needs, from flags and environment.
 *
 * @throws UsageError when a duration is malformed or a file cannot be read
 */
export async function toConnectOptions(
  flags: ConnectionFlagValues,
  environment: Environment,
  readInput: (path: string) => Promise<Buffer>,
): Promise<ConnectOptions & { readonly timeoutMs: number }> {
  const timeoutMs = parseDuration(setting(flags.timeout, "TIMEOUT", environment) ?? "5s");
  if (timeoutMs === 0) throw new UsageError("--timeout is zero", "give it some time, such as 5s");
  const tls = await toTlsOptions(flags, environment);
  const user = await toUser(flags, environment, readInput);
  return {
    endpoints: setting(flags.endpoints, "ENDPOINTS", environment) ?? "127.0.0.1:2379",
    timeoutMs,
    connectTimeoutMs: Math.min(timeoutMs, 2_000),
    // A person or a script waits for this command: say at once that nothing answers.
    retryRoundsMax: 1,
    ...(tls === undefined ? {} : { tls }),
    ...(user === undefined ? {} : { user }),
  };
}

async function toTlsOptions(
  flags: ConnectionFlagValues,
  environment: Environment,
): Promise<TlsOptions | undefined> {
  const ca = setting(flags.cacert, "CACERT", environment);
  const cert = setting(flags.cert, "CERT", environment);
  const key = setting(flags.key, "KEY", environment);
  const insecureSkipVerify = flags["insecure-skip-tls-verify"];
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("--cert and --key belong together", "give both, or neither");
  }
  if (ca === undefined && cert === undefined && !insecureSkipVerify) return undefined;
  return {
    insecureSkipVerify,
    ...(ca === undefined ? {} : { ca: await readPem(ca) }),
    ...(cert === undefined || key === undefined
      ? {}
      : { cert: await readPem(cert), key: await readPem(key) }),
  };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UsageError(
      `cannot read ${path}: ${(error as Error).message}`,
      "check the path of the PEM file",
    );
  }
}

async function toUser(
  flags: ConnectionFlagValues,
  environment: Environment,
  readInput: (path: string) => Promise<Buffer>,
): Promise<{ name: string; password: string } | undefined> {
  const user = setting(flags.user, "USER", environment);
  if (user === undefined) return undefined;
  const colon = user.indexOf(":");
  if (colon >= 0) return { name: user.slice(0, colon), password: user.slice(colon + 1) };
  const file = flags["password-file"];
  const password =
    file === undefined
      ? setting(undefined, "PASSWORD", environment)
      : (await readInput(file)).toString("utf8").replace(/\r?\n$/, "");
  if (password === undefined) {
    throw new UsageError(
      `no password for user ${JSON.stringify(user)}`,
      "give --password-file or METASTORE_PASSWORD",
    );
  }
  return { name: user, password };
}

/**
 * The format that argv and environment ask for, found without parsing: errors of the parser itself need it.
 *
 * @throws nothing; what it does not know is the default
 */
export function formatOf(
  argv: readonly string[],
  isTerminal: boolean,
  environment: Environment,
): OutputFormat {
  const end = argv.indexOf("--");
  const flags = end < 0 ? argv : argv.slice(0, end);
  let format: string | undefined;
  flags.forEach((flag, index) => {
    const match = /^(?:-[ow]=?|--(?:output|write-out)=)(.+)$/.exec(flag);
    if (match) format = match[1];
    else if (/^(?:-[ow]|--(?:output|write-out))$/.test(flag)) format = flags[index + 1];
    else if (flag === "--json") format = "json";
  });
  return defaultFormat(format, isTerminal, environment);
}

export function defaultFormat(
  flag: string | undefined,
  isTerminal: boolean,
  environment: Environment,
): OutputFormat {
  const contentType = environment["METASTORE_CONTENT_TYPE"]?.toLowerCase() === "json" ? "json" : undefined;
  const wanted = flag ?? (environment["METASTORE_OUTPUT"] || contentType);
  const known = outputFormats.find((format) => format === wanted);
  return known ?? (isTerminal ? "table" : "simple");
}
