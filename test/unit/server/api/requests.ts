import type {
  PutRequest,
  RangeRequest,
  TxnRequest,
  WatchCreateRequest,
} from "../../../../src/codec/index.ts";
import { EMPTY, fromUtf8 } from "../../../../src/lib/bytes.ts";

export function rangeRequest(key: string, fields: Partial<RangeRequest> = {}): RangeRequest {
  return {
    key: fromUtf8(key),
    rangeEnd: EMPTY,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
    ...fields,
  };
}

export function putRequest(key: string, value: string, fields: Partial<PutRequest> = {}): PutRequest {
  return {
    key: fromUtf8(key),
    value: fromUtf8(value),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
    ...fields,
  };
}

export function txnRequest(fields: Partial<TxnRequest>): TxnRequest {
  return { compare: [], success: [], failure: [], ...fields };
}

export function watchCreate(key: string, fields: Partial<WatchCreateRequest> = {}): WatchCreateRequest {
  return {
    key: fromUtf8(key),
    rangeEnd: EMPTY,
    startRevision: 0,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0,
    fragment: false,
    ...fields,
  };
}
