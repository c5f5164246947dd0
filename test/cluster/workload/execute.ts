import {
  between,
  compare,
  type Header,
  type KeyTarget,
  type KeyValue,
  type MetaStoreClient,
  type OperationResult,
  op,
} from "../../../src/client/index.ts";
import type {
  Compare as CompareMessage,
  KeyValue as KeyValueMessage,
  RequestOp,
} from "../../../src/codec/index.ts";
import { toUtf8 } from "../../../src/lib/bytes.ts";
import type {
  Compare,
  KeyValueSeen,
  ModelRequest,
  ModelResponse,
  WriteOrRead,
} from "../../checkers/index.ts";

export interface ExecuteOptions {
  readonly timeoutMs: number;
  /** For ranges. */
  readonly serializable?: boolean;
}

/**
 * Sends a request of the model to a server and answers in the model's words.
 *
 * @throws MetaStoreError
 */
export async function execute(
  client: MetaStoreClient,
  request: ModelRequest,
  options: ExecuteOptions,
): Promise<ModelResponse> {
  const { timeoutMs } = options;
  switch (request.kind) {
    case "range": {
      const result = await client.kv.range(target(request.key, request.rangeEnd), {
        revision: request.revision,
        serializable: options.serializable ?? false,
        timeoutMs,
      });
      return { kind: "range", revision: result.header.revision, kvs: result.kvs.map(seen) };
    }
    case "txn":
      return write(client, request, timeoutMs);
    case "leaseGrant": {
      const id = BigInt(request.lease);
      return done((await client.lease.grant(request.ttlSeconds, { id, timeoutMs })).header);
    }
    case "leaseRevoke":
      return done(await client.lease.revoke(BigInt(request.lease), { timeoutMs }));
    case "compaction":
      return done(await client.kv.compact(request.revision, { timeoutMs }));
  }
}

/** One put or delete goes by its own method, everything else by Txn. */
async function write(
  client: MetaStoreClient,
  request: ModelRequest & { kind: "txn" },
  timeoutMs: number,
): Promise<ModelResponse> {
  const [only, ...others] = request.success;
  if (request.compares.length === 0 && only !== undefined && others.length === 0) {
    if (only.kind === "put") {
      const { header } = await client.kv.put(only.key, only.value, { lease: leaseId(only.lease), timeoutMs });
      return { kind: "txn", revision: header.revision, succeeded: true, results: [{ kind: "put" }] };
    }
    if (only.kind === "delete") {
      const { header, deleted } = await client.kv.delete(target(only.key, only.rangeEnd), { timeoutMs });
      return {
        kind: "txn",
        revision: header.revision,
        succeeded: true,
        results: [{ kind: "delete", deleted }],
      };
    }
  }
  const result = await client.kv
    .txn({ timeoutMs })
    .if(...request.compares.map(comparison))
    .do(...request.success.map(operation))
    .else(...request.failure.map(operation))
    .commit();
  return {
    kind: "txn",
    revision: result.header.revision,
    succeeded: result.succeeded,
    results: result.responses.map(operationSeen),
  };
}

export function seen(kv: KeyValue): KeyValueSeen {
  return seenMessage(kv.message);
}

export function seenMessage(kv: KeyValueMessage): KeyValueSeen {
  return {
    key: toUtf8(kv.key),
    value: toUtf8(kv.value),
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    version: kv.version,
    lease: kv.lease === 0n ? "" : String(kv.lease),
  };
}

function done(header: Header): ModelResponse {
  return { kind: "done", revision: header.revision };
}

function target(key: string, rangeEnd: string): KeyTarget {
  return rangeEnd === "" ? key : between(key, rangeEnd);
}

function leaseId(lease: string): bigint {
  return lease === "" ? 0n : BigInt(lease);
}

function comparison({ key, target, equals }: Compare): CompareMessage {
  if (target === "value") return compare.value(key).equals(String(equals));
  return compare[target](key).equals(Number(equals));
}

function operation(part: WriteOrRead): RequestOp {
  if (part.kind === "put") return op.put(part.key, part.value, { lease: leaseId(part.lease) });
  return op[part.kind](target(part.key, part.rangeEnd));
}

function operationSeen(result: OperationResult): (ModelResponse & { kind: "txn" })["results"][number] {
  switch (result.kind) {
    case "put":
      return { kind: "put" };
    case "delete":
      return { kind: "delete", deleted: result.deleted };
    case "range":
      return { kind: "range", kvs: result.kvs.map(seen) };
    case "txn":
      throw new Error("the model nests no transactions");
  }
}
