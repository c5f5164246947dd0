import { UsageError } from "../lib/errors.ts";
import type { CompareSpec, OperationSpec, TxnSpec } from "./txn-spec.ts";

/**
 * Reads etcdctl's text of a transaction: a block of comparisons, an empty line, the operations for success, an
 * empty line, the operations for failure. Missing blocks are empty (flags.md section 3.2).
 *
 * @throws UsageError naming the line
 */
export function parseTxnText(text: string): TxnSpec {
  const blocks: { line: string; number: number }[][] = [[]];
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === "") blocks.push([]);
    else blocks.at(-1)!.push({ line: line.trim(), number: index + 1 });
  });
  // Empty lines after the last block end it and mean nothing more.
  while (blocks.length > 3 && blocks.at(-1)!.length === 0) blocks.pop();
  if (blocks.length > 3) {
    const extra = blocks.slice(3).find((block) => block.length > 0)!;
    throw new UsageError(
      `line ${extra[0]!.number}: a transaction has three blocks at most`,
      "separate comparisons, success and failure operations by one empty line each",
    );
  }
  const [compare = [], success = [], failure = []] = blocks.map((block, index) =>
    block.map(({ line, number }) =>
      located(number, () => (index === 0 ? parseCompare(line) : parseOperation(line))),
    ),
  );
  return {
    compare: compare as CompareSpec[],
    success: success as OperationSpec[],
    failure: failure as OperationSpec[],
  };
}

function located<T>(line: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`line ${line}: ${error.message}`, error.hint);
  }
}

const targets = new Map<string, CompareSpec["target"]>([
  ["ver", "version"],
  ["version", "version"],
  ["c", "create"],
  ["create", "create"],
  ["m", "mod"],
  ["mod", "mod"],
  ["val", "value"],
  ["value", "value"],
  ["lease", "lease"],
]);
const compareLine = /^(\w+)\s*\(\s*(.*?)\s*\)\s*(!=|=|<|>)\s*(.*)$/s;

/**
 * Reads one comparison: `mod("key") > "0"`.
 *
 * @throws UsageError
 */
export function parseCompare(line: string): CompareSpec {
  const match = compareLine.exec(line);
  const target = targets.get(match?.[1]?.toLowerCase() ?? "");
  if (!match || target === undefined) {
    throw new UsageError(
      `not a comparison: ${line}`,
      'write it like mod("key") > "0", with version, create, mod, value or lease',
    );
  }
  const [key, ...moreKeys] = splitWords(match[2]!);
  const [operand, ...moreOperands] = splitWords(match[4]!);
  if (key === undefined || operand === undefined || moreKeys.length > 0 || moreOperands.length > 0) {
    throw new UsageError(`not a comparison: ${line}`, "put keys and values that hold spaces in quotes");
  }
  return { target, key, op: match[3] as CompareSpec["op"], operand };
}

/** The flags that operations of a transaction know; "value" ones take the next word or follow "=". */
const operationFlags = {
  get: {
    prefix: "switch",
    "from-key": "switch",
    rev: "value",
    limit: "value",
    "keys-only": "switch",
    keys: "switch",
    "count-only": "switch",
    count: "switch",
  },
  put: {
    lease: "value",
    "prev-kv": "switch",
    prev: "switch",
    "ignore-value": "switch",
    "ignore-lease": "switch",
  },
  del: { prefix: "switch", "from-key": "switch", "prev-kv": "switch", prev: "switch", range: "switch" },
} as const;
type OperationName = keyof typeof operationFlags;

/**
 * Reads one operation: `put key "a value" --lease 1f`, `get key --prefix`, `del a c`.
 *
 * @throws UsageError
 */
export function parseOperation(line: string): OperationSpec {
  const [name, ...words] = splitWords(line);
  if (name === undefined || !(name in operationFlags)) {
    throw new UsageError(`not an operation: ${line}`, "begin it with get, put or del");
  }
  const { positional, flags } = splitFlags(name as OperationName, words);
  const has = (...names: string[]): boolean => names.some((flag) => flags.has(flag));
  const [key, second, ...rest] = positional;
  if (key === undefined || rest.length > 0) {
    throw new UsageError(
      `wrong number of arguments: ${line}`,
      "put keys and values that hold spaces in quotes",
    );
  }
  if (name === "put") {
    if (second === undefined && !has("ignore-value"))
      throw new UsageError(`no value: ${line}`, "put KEY VALUE");
    return {
      kind: "put",
      key,
      value: second ?? "",
      lease: flags.get("lease"),
      previous: has("prev", "prev-kv"),
      ignoreValue: has("ignore-value"),
      ignoreLease: has("ignore-lease"),
    };
  }
  const range = { key, rangeEnd: second, prefix: has("prefix"), fromKey: has("from-key") };
  if (name === "del") return { kind: "delete", ...range, previous: has("prev", "prev-kv") };
  return {
    kind: "get",
    ...range,
    revision: flags.get("rev"),
    limit: flags.get("limit"),
    keysOnly: has("keys", "keys-only"),
    countOnly: has("count", "count-only"),
  };
}

function splitFlags(
  name: OperationName,
  words: readonly string[],
): { positional: string[]; flags: Map<string, string> } {
  const known: Readonly<Record<string, "switch" | "value">> = operationFlags[name];
  const positional: string[] = [];
  const flags = new Map<string, string>();
  let areFlagsOver = false;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (areFlagsOver || !word.startsWith("--")) {
      positional.push(word);
      continue;
    }
    if (word === "--") {
      areFlagsOver = true;
      continue;
    }
    const [flag, inline] = splitOnce(word.slice(2), "=");
    const kind = known[flag];
    if (kind === undefined)
      throw new UsageError(`${name} has no flag --${flag}`, `one of ${flagList(known)}`);
    if (kind === "switch") {
      if (inline !== "false") flags.set(flag, "true");
      continue;
    }
    const value = inline ?? words[++index];
    if (value === undefined) throw new UsageError(`--${flag} has no value`, `write it as --${flag}=...`);
    flags.set(flag, value);
  }
  return { positional, flags };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function flagList(known: Readonly<Record<string, unknown>>): string {
  return Object.keys(known)
    .map((flag) => `--${flag}`)
    .join(", ");
}

const simpleEscapes = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["0", "\0"],
]);

/**
 * Splits at blanks outside quotes. Double quotes know \n, \t, \r, \0, \\, \"; single quotes keep all as it is.
 *
 * @throws UsageError for a quote that is not closed
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let index = 0; index < line.length; index++) {
    const character = line[index]!;
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else if (character === "\\" && quote === '"') {
        const next = line[++index];
        if (next === undefined)
          throw new UsageError(`the line ends in a backslash: ${line}`, "write \\\\ for one");
        word += simpleEscapes.get(next) ?? next;
      } else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  if (quote !== undefined) throw new UsageError(`a quote is not closed: ${line}`, `end it with ${quote}`);
  if (word !== undefined) words.push(word);
  return words;
}
