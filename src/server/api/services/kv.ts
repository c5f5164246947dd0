import {
  type CompactionResponse,
  type DeleteRangeResponse,
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  encodeCompactionResponse,
  encodeDeleteRangeResponse,
  encodePutResponse,
  encodeTxnResponse,
  type PutResponse,
  type RangeRequest,
  type RangeResponse,
  type TxnRequest,
  type TxnResponse,
} from "../../../codec/index.ts";
import { RequestError } from "../../../lib/errors.ts";
import { andThen, type Eventual } from "../../../lib/eventual.ts";
import {
  assertValidDeleteRange,
  assertValidPut,
  assertValidRange,
  assertValidTxn,
  isReadOnlyTxn,
  isSerializableTxn,
  putCost,
  txnCost,
} from "../../mvcc/index.ts";
import { completeHeader } from "../response-header.ts";
import type { CallContext, MethodHandler, UnaryHandler } from "../transport.ts";
import { RangeAnswers } from "./range-answers.ts";
import { createRangeStream } from "./range-stream.ts";
import type { ServiceContext } from "./service-context.ts";

/**
 * etcdserverpb.KV. Per request: guard, quota, shape, then the log or the local store (errors.md section 2).
 * Compact with `physical` waits for the removal on this member, also when the request itself fails.
 */
export function createKvService(context: ServiceContext): Record<string, MethodHandler> {
  const { node, guard, txnOpsMax } = context;
  const rangeAnswers = new RangeAnswers(context.clock);

  const answerPut = (response: PutResponse): Buffer => {
    completeHeader(response, node);
    return encodePutResponse(response);
  };
  const answerDeleteRange = (response: DeleteRangeResponse): Buffer => {
    completeHeader(response, node);
    return encodeDeleteRangeResponse(response);
  };
  const answerTxn = (response: TxnResponse): Buffer => {
    completeHeader(response, node);
    return encodeTxnResponse(response);
  };
  const answerCompaction = (response: CompactionResponse): Buffer => {
    completeHeader(response, node);
    return encodeCompactionResponse(response);
  };

  /**
   * A read without a quorum. A client that has its revision from another member is not wrong, this member is behind:
   * it is a future one only if a quorum says so, or none answers.
   */
  const readHere = (read: () => Eventual<Buffer>): Eventual<Buffer> => {
    try {
      const answer = read();
      return answer instanceof Promise ? answer.catch((error) => readBehind(error, read)) : answer;
    } catch (error) {
      return readBehind(error, read);
    }
  };
  const readBehind = (error: unknown, read: () => Eventual<Buffer>): Promise<Buffer> => {
    if (!(error instanceof RequestError && error.code === "futureRevision")) throw error;
    return node.readBarrier().then(read, read);
  };

  const readRange = (request: RangeRequest, call: CallContext): Eventual<Buffer> =>
    andThen(node.kv.range(request), (response: RangeResponse) => {
      completeHeader(response, node);
      return rangeAnswers.encode(response, call);
    });
  const readTxn = (request: TxnRequest): Eventual<Buffer> => andThen(node.kv.readTxn(request), answerTxn);

  const range: UnaryHandler = (bytes, call) => {
    const request = decodeRangeRequest(bytes);
    guard.admit(call, request.serializable);
    assertValidRange(request);
    if (request.serializable) return readHere(() => readRange(request, call));
    return node.readBarrier().then(() => readRange(request, call));
  };

  const put: UnaryHandler = (bytes, call) => {
    const request = decodePutRequest(bytes);
    guard.admit(call, false);
    const refusal = guard.refuseByQuota(putCost(request));
    if (refusal !== undefined) return refusal;
    assertValidPut(request);
    return node.ask<"put">({ kind: "put", request }).map(answerPut);
  };

  const deleteRange: UnaryHandler = (bytes, call) => {
    const request = decodeDeleteRangeRequest(bytes);
    guard.admit(call, false);
    assertValidDeleteRange(request);
    return node.ask<"deleteRange">({ kind: "deleteRange", request }).map(answerDeleteRange);
  };

  const txn: UnaryHandler = (bytes, call) => {
    const request = decodeTxnRequest(bytes, { opsMax: txnOpsMax });
    guard.admit(call, false);
    const refusal = guard.refuseByQuota(txnCost(request));
    if (refusal !== undefined) return refusal;
    assertValidTxn(request, txnOpsMax);
    if (!isReadOnlyTxn(request)) return node.ask<"txn">({ kind: "txn", request }).map(answerTxn);
    if (isSerializableTxn(request)) return readHere(() => readTxn(request));
    return node.readBarrier().then(() => readTxn(request));
  };

  const compact: UnaryHandler = async (bytes, call) => {
    const request = decodeCompactionRequest(bytes);
    guard.admit(call, false);
    try {
      return answerCompaction(await node.propose<"compaction">({ kind: "compaction", request }));
    } finally {
      if (request.physical) await node.compactionFinished();
    }
  };

  return {
    Range: { kind: "unary", handle: range },
    RangeStream: createRangeStream(context),
    Put: { kind: "unary", handle: put },
    DeleteRange: { kind: "unary", handle: deleteRange },
    Txn: { kind: "unary", handle: txn },
    Compact: { kind: "unary", handle: compact },
  };
}
