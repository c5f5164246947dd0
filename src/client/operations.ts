import {
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  sortOrder,
  sortTarget,
} from "../codec/index.ts";
import { EMPTY } from "../lib/bytes.ts";
import { type Bytes, type KeyTarget, toByteString, toInterval } from "./key.ts";

/** KV.Range: what to read and how. */
export interface RangeOptions {
  /** Keys at most; 0 or absent is all. */
  readonly limit?: number;
  /** Read the store as it was at this revision; absent is now. */
  readonly revision?: number;
  readonly sort?: { readonly by: keyof typeof sortTarget; readonly order: "ascend" | "descend" };
  /** Answers from the asked member's own state, which may be behind the cluster's. */
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
}

/** KV.Put. */
export interface PutOptions {
  /** 0n or absent detaches the key from any lease. */
  readonly lease?: bigint;
  /** Answer the pair that was there before. */
  readonly previous?: boolean;
  /** Keep the value and change the rest; the key must exist. */
  readonly ignoreValue?: boolean;
  /** Keep the lease and change the value; the key must exist. */
  readonly ignoreLease?: boolean;
}

/** KV.DeleteRange. */
export interface DeleteOptions {
  /** Answer the pairs that were removed. */
  readonly previous?: boolean;
}

export function toRangeRequest(target: KeyTarget, options: RangeOptions = {}): RangeRequest {
  return {
    ...toInterval(target),
    limit: options.limit ?? 0,
    revision: options.revision ?? 0,
    sortOrder: sortOrder[options.sort?.order ?? "none"],
    sortTarget: sortTarget[options.sort?.by ?? "key"],
    serializable: options.serializable ?? false,
    keysOnly: options.keysOnly ?? false,
    countOnly: options.countOnly ?? false,
    minModRevision: options.minModRevision ?? 0,
    maxModRevision: options.maxModRevision ?? 0,
    minCreateRevision: options.minCreateRevision ?? 0,
    maxCreateRevision: options.maxCreateRevision ?? 0,
  };
}

export function toPutRequest(key: Bytes, value: Bytes, options: PutOptions = {}): PutRequest {
  return {
    key: toByteString(key),
    value: options.ignoreValue ? EMPTY : toByteString(value),
    lease: options.lease ?? 0n,
    prevKv: options.previous ?? false,
    ignoreValue: options.ignoreValue ?? false,
    ignoreLease: options.ignoreLease ?? false,
  };
}

export function toDeleteRangeRequest(target: KeyTarget, options: DeleteOptions = {}): DeleteRangeRequest {
  return { ...toInterval(target), prevKv: options.previous ?? false };
}
