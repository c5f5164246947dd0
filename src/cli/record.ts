import type { KeyValue, WatchEvent } from "../client/index.ts";
import { toJsonField } from "./bytes-text.ts";

export type JsonRecord = Record<string, unknown>;

/** Ids are 64 bits wide and would be rounded as JSON numbers: hexadecimal text. */
export function toHexId(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}

/** The record that get, watch and (later) export share, one line of jsonl each. */
export function toPutRecord(kv: KeyValue, fields: { readonly isKeysOnly?: boolean } = {}): JsonRecord {
  return {
    type: "put",
    ...toJsonField("key", kv.key),
    ...(fields.isKeysOnly ? {} : toJsonField("value", kv.value)),
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    version: kv.version,
    lease: toHexId(kv.lease),
  };
}

export function toEventRecord(event: WatchEvent): JsonRecord {
  const previous = event.previous === undefined ? {} : toJsonField("prevValue", event.previous.value);
  if (event.type === "put") return { ...toPutRecord(event.kv), ...previous };
  return {
    type: "delete",
    ...toJsonField("key", event.kv.key),
    modRevision: event.kv.modRevision,
    ...previous,
  };
}
