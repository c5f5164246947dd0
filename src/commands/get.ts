import { Args, Flags } from "@oclif/core";
import {
  CommandError,
  ConnectedCommand,
  exitCode,
  keyArg,
  type Output,
  targetFlags,
  toHexId,
  toLine,
  toPutRecord,
  toTarget,
  wholeFlag,
} from "../cli/index.ts";
import type { KeyValue, RangeOptions, RangeResult } from "../client/index.ts";
import { UsageError } from "../lib/errors.ts";

const sortKeys = ["key", "version", "create", "mod", "value"] as const;
type SortKey = (typeof sortKeys)[number];

export default class Get extends ConnectedCommand {
  static override summary = "Read a key, or a range of keys.";
  static override description =
    `One key prints its value: in a pipe the bytes as they are and nothing else. A range prints a line KEY<TAB>VALUE for each key, with tab, newline, backslash and control characters escaped as in C.

A key that does not exist ends with exit code 3; a range without keys is no error.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> /config/color",
    "<%= config.bin %> <%= command.id %> /config/ --prefix",
    "<%= config.bin %> <%= command.id %> /img/logo --raw > logo.png",
    "<%= config.bin %> <%= command.id %> /svc/ --prefix -o jsonl | jq -r .key",
    "<%= config.bin %> <%= command.id %> /config/color --rev 17",
  ];
  static override args = {
    key: keyArg,
    rangeEnd: Args.string({
      ignoreStdin: true,
      description: "Read the keys from KEY up to, not including, this one",
    }),
  };
  static override flags = {
    ...targetFlags,
    rev: wholeFlag("Read the store as it was at this revision", "<revision>"),
    limit: wholeFlag("Keys at most; 0 is all", "<keys>"),
    keys: Flags.boolean({
      description: "Keys without values",
      aliases: ["keys-only"],
      exclusive: ["count", "raw"],
    }),
    count: Flags.boolean({
      description: "Only the number of keys in the range",
      aliases: ["count-only"],
      exclusive: ["raw"],
    }),
    raw: Flags.boolean({
      description: "Only the bytes of the value, on a terminal too",
      aliases: ["print-value-only"],
    }),
    sort: Flags.string({
      description: "Order of a range: key, version, create, mod or value, with :desc for descending",
      helpValue: "<by>",
    }),
    serializable: Flags.boolean({
      description: "Answer from the asked member's own state, which may be behind",
    }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(Get);
    const out = this.outputFor(flags);
    const isRange = args.rangeEnd !== undefined || flags.prefix || flags["from-key"];
    if (flags.raw && isRange) throw new UsageError("--raw prints one value", "give exactly one key");
    if (args.key === "" && !isRange) {
      throw new UsageError("the key is empty", 'add --prefix to mean every key: get "" --prefix');
    }
    const sort = flags.sort === undefined ? undefined : toSort(flags.sort);
    const { client, library } = await this.connect(flags);
    const target = toTarget(library, args.key, args.rangeEnd, flags);
    const result = await client.kv.range(target, {
      revision: flags.rev ?? 0,
      limit: flags.limit ?? 0,
      keysOnly: flags.keys,
      countOnly: flags.count,
      serializable: flags.serializable,
      ...(sort === undefined ? {} : { sort }),
    });
    if (flags.count) {
      await (out.isJson
        ? out.json({ revision: result.header.revision, count: result.count })
        : out.line(String(result.count)));
      return;
    }
    if (!isRange && result.kvs.length === 0) {
      throw new CommandError(
        "NOT_FOUND",
        exitCode.notFound,
        `key ${JSON.stringify(args.key)} does not exist`,
      );
    }
    if (out.isJson && !flags.raw) await printJson(out, result, flags.keys);
    else if (isRange || flags.keys) await printRange(out, result, flags.keys);
    else await printOne(out, result.kvs[0]!, flags.raw);
  }
}

function toSort(text: string): NonNullable<RangeOptions["sort"]> {
  const [name, order = "asc", ...rest] = text.toLowerCase().split(":");
  const isKnown = (sortKeys as readonly string[]).includes(name ?? "");
  if (!isKnown || rest.length > 0 || (order !== "asc" && order !== "desc")) {
    throw new UsageError(
      `invalid --sort ${JSON.stringify(text)}`,
      `one of ${sortKeys.join(", ")}, with :asc or :desc`,
    );
  }
  return { by: name as SortKey, order: order === "asc" ? "ascend" : "descend" };
}

async function printJson(out: Output, result: RangeResult, isKeysOnly: boolean): Promise<void> {
  if (out.format === "jsonl") {
    for (const kv of result.kvs) await out.json(toPutRecord(kv, { isKeysOnly }));
    return;
  }
  await out.json({
    revision: result.header.revision,
    count: result.count,
    more: result.more,
    kvs: result.kvs.map((kv) => toPutRecord(kv, { isKeysOnly })),
  });
}

async function printRange(out: Output, result: RangeResult, isKeysOnly: boolean): Promise<void> {
  if (out.format === "table" && !isKeysOnly) {
    const rows = result.kvs.map((kv) => [
      toLine(kv.key),
      String(kv.modRevision),
      String(kv.version),
      kv.lease === 0n ? "-" : toHexId(kv.lease),
      toLine(kv.value),
    ]);
    await out.table(["KEY", "REV", "VERSION", "LEASE", "VALUE"], rows);
  } else {
    for (const kv of result.kvs) {
      await out.line(isKeysOnly ? toLine(kv.key) : `${toLine(kv.key)}\t${toLine(kv.value)}`);
    }
  }
  const shown = result.more ? `${result.kvs.length} of ${result.count} keys` : `${result.count} keys`;
  out.remark(`${shown} · rev ${result.header.revision}`);
}

async function printOne(out: Output, kv: KeyValue, isRaw: boolean): Promise<void> {
  await out.bytes(kv.value);
  if (isRaw) return;
  if (out.isTerminal || out.format === "table") {
    if (kv.value.at(-1) !== 0x0a) await out.bytes("\n");
    const lease = kv.lease === 0n ? "" : ` · lease ${toHexId(kv.lease)}`;
    out.remark(`rev ${kv.modRevision} · v${kv.version}${lease}`);
  }
}
