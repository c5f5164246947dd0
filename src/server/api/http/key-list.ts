import { isUtf8 } from "node:buffer";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { KeyValue, RangeResponse } from "../../../codec/index.ts";
import { type ByteString, toBytes } from "../../../lib/bytes.ts";

export interface ListShape {
  /** One JSON object with a "kvs" list; otherwise one record per line. */
  readonly isObject: boolean;
  readonly keysOnly: boolean;
}

/**
 * One key as JSON, in the shape that the CLI's jsonl output has: text as text, bytes that are not UTF-8 as
 * keyB64 and valueB64 (standard base64), the lease as a hexadecimal string.
 */
export function jsonRecord(kv: KeyValue, keysOnly: boolean): string {
  const record: Record<string, string | number> = { type: "put" };
  addBytes(record, "key", kv.key);
  if (!keysOnly) addBytes(record, "value", kv.value);
  record["createRevision"] = kv.createRevision;
  record["modRevision"] = kv.modRevision;
  record["version"] = kv.version;
  record["lease"] = BigInt.asUintN(64, kv.lease).toString(16);
  return JSON.stringify(record);
}

function addBytes(record: Record<string, string | number>, name: string, bytes: ByteString): void {
  const buffer = toBytes(bytes);
  if (isUtf8(buffer)) record[name] = buffer.toString("utf8");
  else record[`${name}B64`] = buffer.toString("base64");
}

/**
 * Writes a listing record by record, waiting for the client, so that a large answer is never a second time in
 * memory. Gives up quietly when the client has gone.
 */
export async function sendList(
  res: ServerResponse,
  response: RangeResponse,
  shape: ListShape,
): Promise<void> {
  res.setHeader("Content-Type", shape.isObject ? "application/json" : "application/x-ndjson; charset=utf-8");
  if (shape.isObject) {
    const { count, more } = response;
    const revision = response.header?.revision ?? 0;
    res.write(`{"revision":${revision},"count":${count},"more":${more},"kvs":[`);
  }
  let separator = "";
  for (const kv of response.kvs) {
    const record = jsonRecord(kv, shape.keysOnly);
    const isFlowing = res.write(shape.isObject ? `${separator}${record}` : `${record}\n`);
    separator = ",";
    if (!isFlowing && !(await drained(res))) return;
  }
  res.end(shape.isObject ? "]}\n" : "");
}

/** Resolves true when the client takes more, false when it is gone. */
async function drained(res: ServerResponse): Promise<boolean> {
  if (res.destroyed) return false;
  const abort = new AbortController();
  const gone = once(res, "close", { signal: abort.signal }).then(() => false);
  const ready = once(res, "drain", { signal: abort.signal }).then(() => true);
  try {
    return await Promise.race([gone, ready]);
  } finally {
    abort.abort();
    await Promise.allSettled([gone, ready]);
  }
}
