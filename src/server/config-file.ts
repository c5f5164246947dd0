import { createRequire } from "node:module";
import type { Document } from "yaml";
import { UsageError } from "../lib/errors.ts";
import type { RawValue } from "./config-values.ts";
import type { FlagSpec } from "./flag-spec.ts";

export interface ConfigFile {
  /** By flag name. Empty values are left out: they mean the default. */
  readonly values: ReadonlyMap<string, RawValue>;
  readonly warnings: readonly string[];
}

/** The sections that etcd keeps TLS flags in, and what their keys are called as flags. */
const tlsSections: Record<string, Record<string, string>> = {
  "client-transport-security": {
    "cert-file": "cert-file",
    "key-file": "key-file",
    "client-cert-file": "client-cert-file",
    "client-key-file": "client-key-file",
    "client-cert-auth": "client-cert-auth",
    "trusted-ca-file": "trusted-ca-file",
    "auto-tls": "auto-tls",
    "allowed-hostname": "client-cert-allowed-hostname",
    "crl-file": "client-crl-file",
  },
  "peer-transport-security": {
    "cert-file": "peer-cert-file",
    "key-file": "peer-key-file",
    "client-cert-file": "peer-client-cert-file",
    "client-key-file": "peer-client-key-file",
    "client-cert-auth": "peer-client-cert-auth",
    "trusted-ca-file": "peer-trusted-ca-file",
    "auto-tls": "peer-auto-tls",
    "allowed-cn": "peer-cert-allowed-cn",
    "allowed-hostname": "peer-cert-allowed-hostname",
    "skip-client-san-verification": "peer-skip-client-san-verification",
    "crl-file": "peer-crl-file",
  },
};

/**
 * Reads the YAML of --config-file: flag names as keys, TLS in two sections, durations as text or as whole
 * nanoseconds, lists as comma text or YAML lists (etcd flags.md section 1). Unknown keys only warn, as in etcd.
 * Throws UsageError for YAML that does not parse and values of the wrong shape.
 */
export function parseConfigFile(path: string, text: string, flags: readonly FlagSpec[]): ConfigFile {
  // Loaded when there is a file: it is a twentieth of what a start takes, and most have none.
  const { parseDocument } = createRequire(import.meta.url)("yaml") as typeof import("yaml");
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true });
  const problem = document.errors[0];
  if (problem !== undefined) throw notYaml(path, problem);
  const root = plainValue(path, document);
  const values = new Map<string, RawValue>();
  const warnings: string[] = [];
  if (root === null || root === undefined) return { values, warnings };
  const known = new Map(flags.map((flag) => [flag.name, flag]));
  const take = (key: string, flagName: string | undefined, value: unknown): void => {
    const flag = flagName === undefined ? undefined : known.get(flagName);
    if (flag === undefined) {
      warnings.push(`${path}: the key ${key} is not known and ignored`);
      return;
    }
    const source = `${key} in ${path}`;
    const scalar = scalarText(value, flag, source);
    if (scalar !== "") values.set(flag.name, { text: scalar, source });
  };
  for (const [key, value] of Object.entries(asMapping(root, path))) {
    const section = tlsSections[key];
    if (section === undefined) {
      take(key, key, value);
    } else if (value !== null) {
      for (const [inner, innerValue] of Object.entries(asMapping(value, `${key} in ${path}`))) {
        take(`${key}.${inner}`, section[inner], innerValue);
      }
    }
  }
  return { values, warnings };
}

/** Aliases may repeat values, but not multiply them without end: the parser counts and throws. */
function plainValue(path: string, document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw notYaml(path, error);
  }
}

function notYaml(path: string, problem: unknown): UsageError {
  const message = problem instanceof Error ? problem.message : String(problem);
  return new UsageError(
    `${path} is no valid YAML: ${message.split("\n")[0] ?? ""}`,
    "keys are flag names without dashes in front, one per line: name: default",
  );
}

function asMapping(value: unknown, where: string): object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new UsageError(`${where} holds no keys`, "write one KEY: VALUE per line");
}

function scalarText(value: unknown, flag: FlagSpec, source: string): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" && flag.type === "duration") return `${value}ns`;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return String(value);
  }
  const isList = flag.type === "list" || flag.type === "urls";
  if (isList && Array.isArray(value)) return value.map((item) => scalarText(item, flag, source)).join(",");
  throw new UsageError(`${source} has a value of the wrong shape`, `write it as a plain ${flag.type}`);
}
