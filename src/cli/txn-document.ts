import { UsageError } from "../lib/errors.ts";
import type { CompareSpec, OperationSpec, TxnSpec } from "./txn-spec.ts";
import { parseCompare, parseOperation, parseTxnText } from "./txn-text.ts";

export type TxnFormat = "text" | "yaml" | "json";

/**
 * Reads a transaction. Without a format: JSON when it begins with a brace, YAML when its first line is `if:`,
 * `then:` or `else:`, otherwise etcdctl's text.
 *
 * @throws UsageError
 */
export async function parseTxn(source: string, format: TxnFormat | undefined): Promise<TxnSpec> {
  const actual = format ?? detectFormat(source);
  if (actual === "text") return parseTxnText(source);
  return toTxn(actual === "json" ? parseJson(source) : await parseYaml(source), "");
}

function detectFormat(source: string): TxnFormat {
  const first = source
    .split(/\r?\n/)
    .map((line) => line.trim())
    .find((line) => line !== "" && !line.startsWith("#"));
  if (first?.startsWith("{")) return "json";
  return first !== undefined && /^(---|(if|then|else)\s*:)/.test(first) ? "yaml" : "text";
}

function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new UsageError(`the transaction is not JSON: ${(error as Error).message}`, documentHint);
  }
}

async function parseYaml(source: string): Promise<unknown> {
  const { parse } = await import("yaml");
  try {
    return parse(source);
  } catch (error) {
    throw new UsageError(`the transaction is not YAML: ${(error as Error).message}`, documentHint);
  }
}

const documentHint = "metastore txn --help shows the shape";

type Fields = Readonly<Record<string, unknown>>;

function toFields(value: unknown, path: string, allowed: readonly string[]): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${path || "the transaction"} is not a mapping`, documentHint);
  }
  for (const name of Object.keys(value)) {
    if (!allowed.includes(name)) {
      throw new UsageError(`${at(path, name)} is not known`, `known here: ${allowed.join(", ")}`);
    }
  }
  return value as Fields;
}

function at(path: string, name: string | number): string {
  return typeof name === "number" ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`;
}

function toTxn(value: unknown, path: string): TxnSpec {
  const fields = toFields(value, path, ["if", "then", "else"]);
  return {
    compare: toList(fields["if"], at(path, "if")).map((item, index) =>
      toCompare(item, at(at(path, "if"), index)),
    ),
    success: toOperations(fields["then"], at(path, "then")),
    failure: toOperations(fields["else"], at(path, "else")),
  };
}

function toList(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new UsageError(`${path} is not a list`, documentHint);
  return value;
}

function toOperations(value: unknown, path: string): OperationSpec[] {
  return toList(value, path).map((item, index) => toOperation(item, at(path, index)));
}

const compareTargets = ["version", "create", "mod", "value", "lease"] as const;
const compareOps = ["=", "!=", "<", ">"] as const;

/** `'mod("key") > "0"'`, or `{key, mod: 0, op: ">"}` with `op` "=" when it is left out. */
function toCompare(value: unknown, path: string): CompareSpec {
  if (typeof value === "string") return parseCompare(value);
  const fields = toFields(value, path, ["key", "op", ...compareTargets]);
  const given = compareTargets.filter((target) => fields[target] !== undefined);
  const [target] = given;
  if (target === undefined || given.length > 1) {
    throw new UsageError(
      `${path} compares ${given.length} things`,
      `give one of ${compareTargets.join(", ")}`,
    );
  }
  const op = compareOps.find((known) => known === (fields["op"] ?? "="));
  if (op === undefined)
    throw new UsageError(`${at(path, "op")} is not known`, `one of ${compareOps.join(" ")}`);
  return {
    key: toText(fields["key"], at(path, "key")),
    target,
    op,
    operand: toText(fields[target], at(path, target)),
  };
}

const rangeFields = ["key", "rangeEnd", "prefix", "fromKey"];

/** `'put key value'`, or `{put: {...}}`, `{get: {...}}`, `{delete: {...}}`, `{txn: {...}}`. */
function toOperation(value: unknown, path: string): OperationSpec {
  if (typeof value === "string") return parseOperation(value);
  const fields = toFields(value, path, ["put", "get", "delete", "txn"]);
  const [name, ...others] = Object.keys(fields);
  if (name === undefined || others.length > 0) {
    throw new UsageError(
      `${path} holds ${others.length + (name ? 1 : 0)} operations`,
      "give one in each item",
    );
  }
  const inside = at(path, name);
  if (name === "txn") return { kind: "txn", txn: toTxn(fields[name], inside) };
  if (name === "put") return toPut(fields[name], inside);
  if (name === "delete") {
    const range = toFields(fields[name], inside, [...rangeFields, "previous"]);
    return { kind: "delete", ...toRange(range, inside), previous: toSwitch(range, "previous", inside) };
  }
  const range = toFields(fields[name], inside, [
    ...rangeFields,
    "revision",
    "limit",
    "keysOnly",
    "countOnly",
  ]);
  return {
    kind: "get",
    ...toRange(range, inside),
    revision: toOptionalText(range, "revision", inside),
    limit: toOptionalText(range, "limit", inside),
    keysOnly: toSwitch(range, "keysOnly", inside),
    countOnly: toSwitch(range, "countOnly", inside),
  };
}

function toPut(value: unknown, path: string): OperationSpec {
  const fields = toFields(value, path, ["key", "value", "lease", "previous", "ignoreValue", "ignoreLease"]);
  const ignoreValue = toSwitch(fields, "ignoreValue", path);
  return {
    kind: "put",
    key: toText(fields["key"], at(path, "key")),
    value: ignoreValue ? "" : toText(fields["value"], at(path, "value")),
    lease: toOptionalText(fields, "lease", path),
    previous: toSwitch(fields, "previous", path),
    ignoreValue,
    ignoreLease: toSwitch(fields, "ignoreLease", path),
  };
}

function toRange(fields: Fields, path: string) {
  return {
    key: toText(fields["key"], at(path, "key")),
    rangeEnd: toOptionalText(fields, "rangeEnd", path),
    prefix: toSwitch(fields, "prefix", path),
    fromKey: toSwitch(fields, "fromKey", path),
  };
}

/** Numbers stand for their digits: YAML reads `value: 1` as one. */
function toText(value: unknown, path: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  throw new UsageError(
    `${path} is ${value === undefined ? "missing" : "not text"}`,
    "put texts that look like something else in quotes",
  );
}

function toOptionalText(fields: Fields, name: string, path: string): string | undefined {
  return fields[name] === undefined ? undefined : toText(fields[name], at(path, name));
}

function toSwitch(fields: Fields, name: string, path: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean")
    throw new UsageError(`${at(path, name)} is not true or false`, documentHint);
  return value;
}
