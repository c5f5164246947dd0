import type { PutRequest, RequestOp, TxnRequest } from "../../codec/index.ts";
import { limits } from "../../lib/limits.ts";

/** What one record weighs beside its key and value when the quota is checked (semantics-kv-mvcc 10). */
const RECORD_COST_BYTES = 256;

/** Bytes that a put counts against the quota. */
export function putCost(request: PutRequest): number {
  return RECORD_COST_BYTES + request.key.length + request.value.length;
}

/**
 * Bytes that a transaction counts: the dearer of its branches, nested transactions added. The quota is checked
 * before the shape, so levels beyond limits.txnDepthMax, which validation refuses, are not walked.
 */
export function txnCost(request: TxnRequest): number {
  return costAt(request, 1);
}

function costAt(request: TxnRequest, depth: number): number {
  if (depth > limits.txnDepthMax) return 0;
  return Math.max(branchCost(request.success, depth), branchCost(request.failure, depth));
}

function branchCost(operations: readonly RequestOp[], depth: number): number {
  let cost = 0;
  for (const operation of operations) {
    if (operation.case === "put") cost += putCost(operation.request);
    else if (operation.case === "txn") cost += costAt(operation.request, depth + 1);
  }
  return cost;
}
