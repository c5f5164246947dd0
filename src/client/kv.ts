import type { TxnRequest, TxnResponse } from "../codec/index.ts";
import type { Bytes, KeyTarget } from "./key.ts";
import { type Header, type KeyValue, toHeader } from "./key-value.ts";
import { methods } from "./methods.ts";
import {
  type DeleteOptions,
  type PutOptions,
  type RangeOptions,
  toDeleteRangeRequest,
  toPutRequest,
  toRangeRequest,
} from "./operations.ts";
import type { CallOptions } from "./options.ts";
import {
  type DeleteResult,
  type PutResult,
  type RangeResult,
  type TxnResult,
  toDeleteResult,
  toPutResult,
  toRangeResult,
  toTxnResult,
} from "./results.ts";
import { isReadOnlyTxn, TxnBuilder } from "./txn.ts";
import type { UnaryCaller } from "./unary-caller.ts";

/** Keys and values. Every method throws MetaStoreError. */
export class KvClient {
  readonly #caller: UnaryCaller;

  constructor(caller: UnaryCaller) {
    this.#caller = caller;
  }

  /** The pair at `key`, or undefined when there is none. */
  async get(key: Bytes, options: RangeOptions & CallOptions = {}): Promise<KeyValue | undefined> {
    const result = await this.range(key, options);
    return result.kvs[0];
  }

  async range(target: KeyTarget, options: RangeOptions & CallOptions = {}): Promise<RangeResult> {
    return toRangeResult(await this.#caller.call(methods.range, toRangeRequest(target, options), options));
  }

  async put(key: Bytes, value: Bytes, options: PutOptions & CallOptions = {}): Promise<PutResult> {
    return toPutResult(await this.#caller.call(methods.put, toPutRequest(key, value, options), options));
  }

  async delete(target: KeyTarget, options: DeleteOptions & CallOptions = {}): Promise<DeleteResult> {
    const request = toDeleteRangeRequest(target, options);
    return toDeleteResult(await this.#caller.call(methods.deleteRange, request, options));
  }

  txn(options: CallOptions = {}): TxnBuilder {
    return new TxnBuilder((request) => this.commit(request, options));
  }

  /** A transaction whose request is at hand, made by TxnBuilder.request() or by its own means. */
  async commit(request: TxnRequest, options: CallOptions = {}): Promise<TxnResult> {
    return toTxnResult(await this.rawTxn(request, options));
  }

  /** A transaction with the API's own messages as request and answer. */
  rawTxn(request: TxnRequest, options: CallOptions = {}): Promise<TxnResponse> {
    return this.#caller.call(methods.txn, request, options, isReadOnlyTxn(request));
  }

  /**
   * Forgets the history before `revision`.
   *
   * @param options.physical answer only once the space is given back on the answering member
   */
  async compact(
    revision: number,
    options: CallOptions & { readonly physical?: boolean } = {},
  ): Promise<Header> {
    const request = { revision, physical: options.physical ?? false };
    const response = await this.#caller.call(methods.compact, request, options);
    return toHeader(response.header);
  }
}
