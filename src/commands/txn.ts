import { extname } from "node:path";
import { Args, Flags } from "@oclif/core";
import {
  ConnectedCommand,
  ExitWith,
  exitCode,
  type JsonRecord,
  type Output,
  parseTxn,
  readInput,
  type TxnFormat,
  toLine,
  toPutRecord,
  toTxnRequest,
} from "../cli/index.ts";
import type { OperationResult, TxnResult } from "../client/index.ts";

const formatsByExtension = new Map<string, TxnFormat>([
  [".yaml", "yaml"],
  [".yml", "yaml"],
  [".json", "json"],
  [".txt", "text"],
]);

export default class Txn extends ConnectedCommand {
  static override summary = "Run a transaction: conditions, then one of two lists of operations.";
  static override description = `Three ways to write it, told apart by the file's extension or its first line:

etcdctl's text: conditions, an empty line, operations if all hold, an empty line, operations otherwise.

  mod("/config/color") = "17"

  put /config/color green

  get /config/color

YAML or JSON: items are lines of that text, or mappings.

  if:   [{key: /config/color, mod: 17}]
  then: [{put: {key: /config/color, value: green}}, "del /config/old --prefix"]
  else: [{get: {key: /config/color}}]

Conditions compare version, create, mod, value or lease with = != < >. Operations are put, get, del (in mappings: delete) and, in mappings, txn.

Exit code 6 when the conditions do not hold and there is nothing to do otherwise; 0 when the else operations ran.`;
  static override examples = [
    "<%= config.bin %> <%= command.id %> change-color.yaml",
    "<%= config.bin %> <%= command.id %> - < change-color.txt",
  ];
  static override args = {
    file: Args.string({ ignoreStdin: true, description: "File with the transaction; - or nothing is stdin" }),
  };
  static override flags = {
    format: Flags.option({
      options: ["text", "yaml", "json"] as const,
      description: "How the transaction is written, when it cannot be told",
    })(),
  };

  protected override async execute(): Promise<void> {
    const { args, flags } = await this.parse(Txn);
    const out = this.outputFor(flags);
    const path = args.file ?? "-";
    if (path === "-" && process.stdin.isTTY) {
      out.notice("Enter the transaction, as in metastore txn --help, and end with Ctrl-D:");
    }
    const source = (await readInput(path)).toString("utf8");
    const spec = await parseTxn(source, flags.format ?? formatsByExtension.get(extname(path).toLowerCase()));
    const { client, library } = await this.connect(flags);
    const result = await client.kv.commit(toTxnRequest(library, spec));
    if (out.isJson) await out.json(toRecord(result));
    else await print(out, result);
    out.remark(`rev ${result.header.revision}`);
    if (!result.succeeded && spec.failure.length === 0) throw new ExitWith(exitCode.conditionFailed);
  }
}

function toRecord(result: TxnResult): JsonRecord {
  return {
    revision: result.header.revision,
    succeeded: result.succeeded,
    responses: result.responses.map(toResponseRecord),
  };
}

function toResponseRecord(response: OperationResult): JsonRecord {
  switch (response.kind) {
    case "range":
      return {
        get: { count: response.count, more: response.more, kvs: response.kvs.map((kv) => toPutRecord(kv)) },
      };
    case "put":
      return { put: response.previous === undefined ? {} : { prev: toPutRecord(response.previous) } };
    case "delete":
      return {
        delete: {
          deleted: response.deleted,
          ...(response.previous.length === 0
            ? {}
            : { prevKvs: response.previous.map((kv) => toPutRecord(kv)) }),
        },
      };
    case "txn":
      return { txn: { succeeded: response.succeeded, responses: response.responses.map(toResponseRecord) } };
  }
}

/** The branch, then for each operation an empty line and its result, as etcdctl does. */
async function print(out: Output, result: TxnResult): Promise<void> {
  await out.line(result.succeeded ? "SUCCESS" : "FAILURE");
  for (const response of result.responses) {
    await out.line("");
    switch (response.kind) {
      case "range":
        for (const kv of response.kvs) await out.line(`${toLine(kv.key)}\t${toLine(kv.value)}`);
        break;
      case "put":
        await out.line("OK");
        if (response.previous) {
          await out.line(`${toLine(response.previous.key)}\t${toLine(response.previous.value)}`);
        }
        break;
      case "delete":
        await out.line(String(response.deleted));
        for (const kv of response.previous) await out.line(`${toLine(kv.key)}\t${toLine(kv.value)}`);
        break;
      case "txn":
        await print(out, response);
        break;
    }
  }
}
