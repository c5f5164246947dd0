import {
  type Compare,
  compareResult,
  compareTarget,
  type Event,
  eventType,
  type KeyValue,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
  type TxnResponse,
} from "../../src/codec/index.ts";
import { assert } from "../../src/lib/assert.ts";
import { type ByteString, EMPTY, fromUtf8, toUtf8 } from "../../src/lib/bytes.ts";
import type {
  Compare as CompareSeen,
  EventSeen,
  KeyValueSeen,
  ModelRequest,
  ModelResponse,
  WriteOrRead,
} from "../checkers/index.ts";

/** Between what checkers read and what members take and answer. Leases are hexadecimal text there. */
type TxnModel = Extract<ModelRequest, { kind: "txn" }>;

export function leaseText(id: bigint): string {
  return id === 0n ? "" : id.toString(16);
}

export function leaseId(text: string): bigint {
  return text === "" ? 0n : BigInt(`0x${text}`);
}

export function rangeRequest(key: string, rangeEnd: string, revision: number): RangeRequest {
  return {
    key: fromUtf8(key),
    rangeEnd: endOf(rangeEnd),
    limit: 0,
    revision,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
}

export function txnRequest({ compares, success, failure }: TxnModel): TxnRequest {
  return {
    compare: compares.map(compareOf),
    success: success.map(operationOf),
    failure: failure.map(operationOf),
  };
}

export function txnResponse(response: TxnResponse): ModelResponse {
  return {
    kind: "txn",
    revision: response.header?.revision ?? 0,
    succeeded: response.succeeded,
    results: response.responses.map((result) => {
      if (result.case === "put") return { kind: "put" };
      if (result.case === "deleteRange") return { kind: "delete", deleted: result.response.deleted };
      assert(result.case === "range", "nobody nests transactions here");
      return { kind: "range", kvs: result.response.kvs.map(keyValueSeen) };
    }),
  };
}

export function keyValueSeen(kv: KeyValue): KeyValueSeen {
  return {
    key: toUtf8(kv.key),
    value: toUtf8(kv.value),
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    version: kv.version,
    lease: leaseText(kv.lease),
  };
}

export function eventSeen({ type, kv, prevKv }: Event): EventSeen {
  return {
    type: type === eventType.put ? "put" : "delete",
    kv: keyValueSeen(kv),
    prev: prevKv === undefined ? undefined : keyValueSeen(prevKv),
  };
}

function endOf(rangeEnd: string): ByteString {
  return rangeEnd === "" ? EMPTY : fromUtf8(rangeEnd);
}

function compareOf({ key, target, equals }: CompareSeen): Compare {
  const common = { result: compareResult.equal, key: fromUtf8(key), rangeEnd: EMPTY };
  switch (target) {
    case "modRevision":
      return { ...common, target: compareTarget.mod, union: { case: "modRevision", value: Number(equals) } };
    case "version":
      return { ...common, target: compareTarget.version, union: { case: "version", value: Number(equals) } };
    case "value":
      return {
        ...common,
        target: compareTarget.value,
        union: { case: "value", value: fromUtf8(String(equals)) },
      };
  }
}

function operationOf(operation: WriteOrRead): RequestOp {
  switch (operation.kind) {
    case "put": {
      const { key, value, lease } = operation;
      const request = {
        ...{ key: fromUtf8(key), value: fromUtf8(value), lease: leaseId(lease) },
        ...{ prevKv: false, ignoreValue: false, ignoreLease: false },
      };
      return { case: "put", request };
    }
    case "delete": {
      const { key, rangeEnd } = operation;
      return {
        case: "deleteRange",
        request: { key: fromUtf8(key), rangeEnd: endOf(rangeEnd), prevKv: false },
      };
    }
    case "range":
      return { case: "range", request: rangeRequest(operation.key, operation.rangeEnd, 0) };
  }
}
