import {
  type Compare,
  type CompareUnion,
  compareResult,
  compareTarget,
  type RequestOp,
  type TxnRequest,
} from "../codec/index.ts";
import { type Bytes, type KeyTarget, toByteString, toInterval } from "./key.ts";
import {
  type DeleteOptions,
  type PutOptions,
  type RangeOptions,
  toDeleteRangeRequest,
  toPutRequest,
  toRangeRequest,
} from "./operations.ts";
import type { TxnResult } from "./results.ts";

/** How the stored number, value or lease (left) stands to the given one (right). */
export interface Comparison<T> {
  equals(operand: T): Compare;
  notEquals(operand: T): Compare;
  greaterThan(operand: T): Compare;
  lessThan(operand: T): Compare;
}

function comparison<T>(
  target: number,
  keys: KeyTarget,
  toUnion: (operand: T) => CompareUnion,
): Comparison<T> {
  const compareWith =
    (result: number) =>
    (operand: T): Compare => ({ result, target, ...toInterval(keys), union: toUnion(operand) });
  return {
    equals: compareWith(compareResult.equal),
    notEquals: compareWith(compareResult.notEqual),
    greaterThan: compareWith(compareResult.greater),
    lessThan: compareWith(compareResult.less),
  };
}

/**
 * Conditions of a transaction. Over a range, every key in it must hold; a key that does not exist has version,
 * revisions and lease 0, and no value: comparing its value never holds.
 */
export const compare = {
  version: (keys: KeyTarget): Comparison<number> =>
    comparison(compareTarget.version, keys, (value) => ({ case: "version", value })),
  createRevision: (keys: KeyTarget): Comparison<number> =>
    comparison(compareTarget.create, keys, (value) => ({ case: "createRevision", value })),
  modRevision: (keys: KeyTarget): Comparison<number> =>
    comparison(compareTarget.mod, keys, (value) => ({ case: "modRevision", value })),
  value: (keys: KeyTarget): Comparison<Bytes> =>
    comparison(compareTarget.value, keys, (value) => ({ case: "value", value: toByteString(value) })),
  lease: (keys: KeyTarget): Comparison<bigint> =>
    comparison(compareTarget.lease, keys, (value) => ({ case: "lease", value })),
};

/** Operations of a transaction. */
export const op = {
  range: (target: KeyTarget, options?: RangeOptions): RequestOp => ({
    case: "range",
    request: toRangeRequest(target, options),
  }),
  put: (key: Bytes, value: Bytes, options?: PutOptions): RequestOp => ({
    case: "put",
    request: toPutRequest(key, value, options),
  }),
  delete: (target: KeyTarget, options?: DeleteOptions): RequestOp => ({
    case: "deleteRange",
    request: toDeleteRangeRequest(target, options),
  }),
  txn: (builder: TxnBuilder): RequestOp => ({ case: "txn", request: builder.request() }),
};

/**
 * Collects a transaction: `client.kv.txn().if(compare.version(key).equals(0)).do(op.put(key, value)).commit()`.
 * All conditions must hold for the `do` operations to run; otherwise the `else` operations run. Either way it is
 * one revision.
 */
export class TxnBuilder {
  readonly #compare: Compare[] = [];
  readonly #success: RequestOp[] = [];
  readonly #failure: RequestOp[] = [];
  readonly #commit: (request: TxnRequest) => Promise<TxnResult>;

  constructor(commit: (request: TxnRequest) => Promise<TxnResult>) {
    this.#commit = commit;
  }

  if(...conditions: readonly Compare[]): this {
    this.#compare.push(...conditions);
    return this;
  }

  do(...operations: readonly RequestOp[]): this {
    this.#success.push(...operations);
    return this;
  }

  else(...operations: readonly RequestOp[]): this {
    this.#failure.push(...operations);
    return this;
  }

  /** The message that commit() sends. */
  request(): TxnRequest {
    return { compare: [...this.#compare], success: [...this.#success], failure: [...this.#failure] };
  }

  /** @throws MetaStoreError; with outcome "unknown" the transaction may have been applied */
  commit(): Promise<TxnResult> {
    return this.#commit(this.request());
  }
}

/** Whether neither branch can change anything. */
export function isReadOnlyTxn(request: TxnRequest): boolean {
  return [...request.success, ...request.failure].every(
    (operation) =>
      operation.case === "range" || (operation.case === "txn" && isReadOnlyTxn(operation.request)),
  );
}
