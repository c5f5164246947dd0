import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from "../../../codec/index.ts";

/**
 * What the plain key API asks of the member: the KV service's own handlers, so that limits, quota, alarms, log and
 * store are those of gRPC. Requests are checked there; rejections are RequestError or StatusError.
 */
export interface KeyOperations {
  range(request: RangeRequest): Promise<RangeResponse>;
  put(request: PutRequest): Promise<PutResponse>;
  deleteRange(request: DeleteRangeRequest): Promise<DeleteRangeResponse>;
  txn(request: TxnRequest): Promise<TxnResponse>;
}
