import { Args, Flags } from "@oclif/core";
import {
  CommandError,
  type Connected,
  ConnectedCommand,
  exitCode,
  targetFlags,
  toLine,
  toPutRecord,
  toTarget,
} from "../cli/index.ts";
import type { DeleteResult, KeyTarget, KeyValue } from "../client/index.ts";
import { UsageError } from "../lib/errors.ts";
import { limits } from "../lib/limits.ts";

export default class Del extends ConnectedCommand {
  static override summary = "Delete keys.";
  static override description =
    `Several keys are several keys, never a range; they go in one transaction (one per ${limits.txnOpsMax} keys). A range is only what --prefix, --from-key or --range-end say.

Prints the number of keys deleted. Deleting one key that does not exist ends with exit code 3; among several keys, and in a range, a key that is not there is no error. Deleting every key of the store needs --yes.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> /config/color",
    "<%= config.bin %> <%= command.id %> key1 key2 key3",
    "<%= config.bin %> <%= command.id %> /config/ --prefix --dry-run",
    "<%= config.bin %> <%= command.id %> a --range-end c --prev",
  ];
  static override args = {
    keys: Args.string({
      required: true,
      multiple: true,
      ignoreStdin: true,
      description: "The keys; use -- before one that starts with a dash",
    }),
  };
  static override flags = {
    ...targetFlags,
    "range-end": Flags.string({
      description: "Delete the keys from KEY up to, not including, this one",
      helpValue: "<key>",
      exclusive: ["prefix", "from-key"],
    }),
    prev: Flags.boolean({ description: "Print the pairs that were deleted", aliases: ["prev-kv"] }),
    "dry-run": Flags.boolean({ description: "Delete nothing, print what would go" }),
    yes: Flags.boolean({ char: "y", description: "Confirm that every key of the store may go" }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(Del);
    const out = this.outputFor(flags);
    const keys = [...new Set(args.keys as unknown as string[])];
    const isRange = flags.prefix || flags["from-key"] || flags["range-end"] !== undefined;
    if (isRange && keys.length > 1) {
      throw new UsageError("a range has one KEY", "leave out the other keys, or the range");
    }
    if (isRange && keys[0] === "" && flags["range-end"] === undefined && !flags.yes && !flags["dry-run"]) {
      throw new UsageError("this would delete every key of the store", "add --yes if that is meant");
    }
    const connected = await this.connect(flags);
    const targets = keys.map((key) => toTarget(connected.library, key, flags["range-end"], flags));
    const isReporting = flags.prev || flags["dry-run"];
    const result = flags["dry-run"]
      ? await preview(connected, targets)
      : await remove(connected, targets, flags.prev);
    if (out.isJson) {
      await out.json({
        revision: result.header.revision,
        deleted: result.deleted,
        ...(flags["dry-run"] ? { dryRun: true } : {}),
        ...(isReporting ? { prevKvs: result.previous.map((kv) => toPutRecord(kv)) } : {}),
      });
    } else {
      await out.line(String(result.deleted));
      if (isReporting) {
        for (const kv of result.previous) await out.line(`${toLine(kv.key)}\t${toLine(kv.value)}`);
      }
      const effect = flags["dry-run"] ? "would be deleted" : "deleted";
      out.remark(`${effect} · rev ${result.header.revision}`);
    }
    if (!isRange && keys.length === 1 && result.deleted === 0) {
      throw new CommandError("NOT_FOUND", exitCode.notFound, `key ${JSON.stringify(keys[0])} does not exist`);
    }
  }
}

async function remove(
  { client, library }: Connected,
  targets: readonly KeyTarget[],
  previous: boolean,
): Promise<DeleteResult> {
  const first = targets[0]!;
  if (targets.length === 1) return client.kv.delete(first, { previous });
  let deleted = 0;
  const pairs: KeyValue[] = [];
  let header: DeleteResult["header"] | undefined;
  for (let start = 0; start < targets.length; start += limits.txnOpsMax) {
    const batch = targets.slice(start, start + limits.txnOpsMax);
    const operations = batch.map((target) => library.op.delete(target, { previous }));
    const result = await client.kv
      .txn()
      .do(...operations)
      .commit();
    header = result.header;
    for (const response of result.responses) {
      if (response.kind !== "delete") continue;
      deleted += response.deleted;
      pairs.push(...response.previous);
    }
  }
  return { header: header!, deleted, previous: pairs };
}

async function preview({ client }: Connected, targets: readonly KeyTarget[]): Promise<DeleteResult> {
  const ranges = [];
  for (const target of targets) ranges.push(await client.kv.range(target));
  const pairs = ranges.flatMap((range) => range.kvs);
  return { header: ranges.at(-1)!.header, deleted: pairs.length, previous: pairs };
}
