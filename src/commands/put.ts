import { Args, Flags } from "@oclif/core";
import {
  CommandError,
  type Connected,
  ConnectedCommand,
  exitCode,
  keyArg,
  type Output,
  parseDuration,
  parseLeaseId,
  readInput,
  toHexId,
  toJsonField,
  toLine,
  toPutRecord,
  wholeFlag,
} from "../cli/index.ts";
import type { Compare, PutResult } from "../client/index.ts";
import { UsageError } from "../lib/errors.ts";

export default class Put extends ConnectedCommand {
  static override summary = "Store a value under a key.";
  static override description =
    `The value is stored byte for byte: what "-" reads from stdin or --file from a file is not trimmed.

Of --if-absent, --if-rev and --if-value one may be given; when it does not hold nothing is stored and the exit code is 6. --ttl grants a lease for this key alone, so that the key goes when its time is over.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> /config/color blue",
    "<%= config.bin %> <%= command.id %> /img/logo - < logo.png",
    "<%= config.bin %> <%= command.id %> /session/42 alice --ttl 30s",
    "<%= config.bin %> <%= command.id %> /config/color green --if-rev 17",
  ];
  static override args = {
    key: keyArg,
    value: Args.string({
      ignoreStdin: true,
      description: "The value as UTF-8 text; - reads stdin to its end",
    }),
  };
  static override flags = {
    file: Flags.string({ description: "Read the value from a file; - is stdin", helpValue: "<file>" }),
    ttl: Flags.string({
      description: "Delete the key after this time, in whole seconds: 30s, 5m",
      helpValue: "<duration>",
      exclusive: ["lease", "ignore-lease"],
    }),
    lease: Flags.string({
      description: "Attach the key to this lease (hexadecimal id)",
      helpValue: "<id>",
      exclusive: ["ignore-lease"],
    }),
    prev: Flags.boolean({ description: "Print the pair that was there before", aliases: ["prev-kv"] }),
    "if-absent": Flags.boolean({
      description: "Only if the key does not exist",
      exclusive: ["if-rev", "if-value"],
    }),
    "if-rev": wholeFlag("Only if the key was last changed at this revision; 0: never", "<revision>"),
    "if-value": Flags.string({
      description: "Only if the key holds this value",
      helpValue: "<text>",
      exclusive: ["if-rev"],
    }),
    "ignore-value": Flags.boolean({ description: "Keep the value, change the lease; the key must exist" }),
    "ignore-lease": Flags.boolean({ description: "Keep the lease, change the value; the key must exist" }),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(Put);
    const out = this.outputFor(flags);
    if (args.key === "") throw new UsageError("the key is empty", "give a key of at least one byte");
    const value = await readValue(args.value, flags.file, flags["ignore-value"]);
    const ttl = flags.ttl === undefined ? undefined : toTtl(flags.ttl);
    const leaseFlag = flags.lease === undefined ? undefined : parseLeaseId(flags.lease);
    const connected = await this.connect(flags);
    const { client } = connected;
    const granted = ttl === undefined ? undefined : (await client.lease.grant(ttl)).id;
    const lease = granted ?? leaseFlag ?? 0n;
    const options = {
      lease,
      previous: flags.prev,
      ignoreValue: flags["ignore-value"],
      ignoreLease: flags["ignore-lease"],
    };
    let result: PutResult;
    try {
      const condition = conditionOf(connected, args.key, flags);
      result =
        condition === undefined
          ? await client.kv.put(args.key, value, options)
          : await this.#putIf(connected, args.key, value, options, condition);
    } catch (error) {
      // A lease that was granted for this key has no use without it. If this fails too it runs out by itself.
      if (granted !== undefined) await client.lease.revoke(granted).catch(() => undefined);
      throw error;
    }
    await print(out, args.key, lease, result, flags.prev);
  }

  async #putIf(
    { client, library }: Connected,
    key: string,
    value: Buffer | string,
    options: { readonly lease: bigint; readonly previous: boolean },
    condition: Compare,
  ): Promise<PutResult> {
    const { op } = library;
    const txn = client.kv
      .txn()
      .if(condition)
      .do(op.put(key, value, options))
      .else(op.range(key));
    const { header, succeeded, responses } = await txn.commit();
    const response = responses[0];
    if (succeeded && response?.kind === "put") return { header, previous: response.previous };
    const current = response?.kind === "range" ? response.kvs[0] : undefined;
    throw new CommandError(
      "CONDITION_FAILED",
      exitCode.conditionFailed,
      current === undefined
        ? `nothing was stored: key ${JSON.stringify(key)} does not exist`
        : `nothing was stored: key ${JSON.stringify(key)} exists, last changed at revision ${current.modRevision}`,
      `metastore get ${key}`,
    );
  }
}

async function readValue(
  text: string | undefined,
  file: string | undefined,
  ignoreValue: boolean,
): Promise<Buffer | string> {
  const given = [text !== undefined, file !== undefined, ignoreValue].filter(Boolean).length;
  if (given > 1)
    throw new UsageError("the value is given twice", "give one of VALUE, --file and --ignore-value");
  if (given === 0)
    throw new UsageError("no value given", "add the value, - to read it from stdin, or --file");
  if (ignoreValue) return "";
  if (file !== undefined) return readInput(file);
  return text === "-" ? readInput("-") : text!;
}

function toTtl(text: string): number {
  const ttlMs = parseDuration(text);
  if (ttlMs < 1_000 || ttlMs % 1_000 !== 0) {
    throw new UsageError(`--ttl ${text} is not a whole number of seconds`, "give at least 1s");
  }
  return ttlMs / 1_000;
}

function conditionOf(
  { library }: Connected,
  key: string,
  flags: {
    readonly "if-absent": boolean;
    readonly "if-rev"?: number | undefined;
    readonly "if-value"?: string | undefined;
  },
): Compare | undefined {
  const { compare } = library;
  if (flags["if-absent"]) return compare.createRevision(key).equals(0);
  if (flags["if-rev"] !== undefined) return compare.modRevision(key).equals(flags["if-rev"]);
  return flags["if-value"] === undefined ? undefined : compare.value(key).equals(flags["if-value"]);
}

async function print(
  out: Output,
  key: string,
  lease: bigint,
  result: PutResult,
  isPreviousWanted: boolean,
): Promise<void> {
  const { previous, header } = result;
  if (out.isJson) {
    await out.json({
      revision: header.revision,
      ...toJsonField("key", Buffer.from(key)),
      lease: toHexId(lease),
      ...(isPreviousWanted ? { prev: previous === undefined ? null : toPutRecord(previous) } : {}),
    });
    return;
  }
  await out.line("OK");
  if (previous !== undefined) await out.line(`${toLine(previous.key)}\t${toLine(previous.value)}`);
  out.remark(`rev ${header.revision}${lease === 0n ? "" : ` · lease ${toHexId(lease)}`}`);
}
