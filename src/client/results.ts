import type {
  DeleteRangeResponse,
  PutResponse,
  RangeResponse,
  ResponseOp,
  TxnResponse,
} from "../codec/index.ts";
import { type Header, KeyValue, toHeader, toKeyValue } from "./key-value.ts";

/** Every answer names the revision of the store when it was given: `header.revision`. */
export interface RangeResult {
  readonly header: Header;
  readonly kvs: readonly KeyValue[];
  /** Whether the limit cut the answer short. */
  readonly more: boolean;
  /** Keys in the whole range, whatever the limit. */
  readonly count: number;
}

export interface PutResult {
  readonly header: Header;
  /** Only with the option `previous`, and only when the key existed. */
  readonly previous: KeyValue | undefined;
}

export interface DeleteResult {
  readonly header: Header;
  /** Keys removed. */
  readonly deleted: number;
  /** Only with the option `previous`. */
  readonly previous: readonly KeyValue[];
}

export interface TxnResult {
  readonly header: Header;
  /** Whether all comparisons held, so that the `do` branch ran. */
  readonly succeeded: boolean;
  /** One per operation of the branch that ran, in order. */
  readonly responses: readonly OperationResult[];
}

export type OperationResult =
  | ({ readonly kind: "range" } & RangeResult)
  | ({ readonly kind: "put" } & PutResult)
  | ({ readonly kind: "delete" } & DeleteResult)
  | ({ readonly kind: "txn" } & TxnResult);

export function toRangeResult(response: RangeResponse): RangeResult {
  return {
    header: toHeader(response.header),
    kvs: response.kvs.map((kv) => new KeyValue(kv)),
    more: response.more,
    count: response.count,
  };
}

export function toPutResult(response: PutResponse): PutResult {
  return { header: toHeader(response.header), previous: toKeyValue(response.prevKv) };
}

export function toDeleteResult(response: DeleteRangeResponse): DeleteResult {
  return {
    header: toHeader(response.header),
    deleted: response.deleted,
    previous: response.prevKvs.map((kv) => new KeyValue(kv)),
  };
}

export function toTxnResult(response: TxnResponse): TxnResult {
  return {
    header: toHeader(response.header),
    succeeded: response.succeeded,
    responses: response.responses.map(toOperationResult),
  };
}

function toOperationResult(op: ResponseOp): OperationResult {
  switch (op.case) {
    case "range":
      return { kind: "range", ...toRangeResult(op.response) };
    case "put":
      return { kind: "put", ...toPutResult(op.response) };
    case "deleteRange":
      return { kind: "delete", ...toDeleteResult(op.response) };
    case "txn":
      return { kind: "txn", ...toTxnResult(op.response) };
  }
}
