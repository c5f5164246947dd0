import {
  type DeleteRangeRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  sortOrder,
  sortTarget,
  type TxnRequest,
} from "../../codec/index.ts";
import { type ByteString, EMPTY } from "../../lib/bytes.ts";
import { RequestError } from "../../lib/errors.ts";
import { limits } from "../../lib/limits.ts";
import { assertNoDuplicates } from "./write-set.ts";

/**
 * What a request must be before it is proposed, checked in etcd's order, so that a request with two faults gets
 * the same answer (semantics-kv-mvcc 2, 3.2, 3.9, 4, 5.1). Compaction has no rule of shape: its revision is
 * checked against the store when it is applied.
 */

/** Throws emptyKey or invalidSortOption. */
export function assertValidRange(request: RangeRequest): void {
  assertKey(request.key);
  if (!isOneOf(request.sortOrder, sortOrder) || !isOneOf(request.sortTarget, sortTarget)) {
    throw new RequestError("invalidSortOption");
  }
}

/** Throws what assertValidRange throws, rangeStreamSort or rangeStreamFilter. */
export function assertValidRangeStream(request: RangeRequest): void {
  assertValidRange(request);
  const isInKeyOrder =
    request.sortOrder === sortOrder.none ||
    (request.sortOrder === sortOrder.ascend && request.sortTarget === sortTarget.key);
  if (!isInKeyOrder) throw new RequestError("rangeStreamSort");
  if (
    request.minModRevision !== 0 ||
    request.maxModRevision !== 0 ||
    request.minCreateRevision !== 0 ||
    request.maxCreateRevision !== 0
  ) {
    throw new RequestError("rangeStreamFilter");
  }
}

/** Throws emptyKey, valueProvided or leaseProvided. */
export function assertValidPut(request: PutRequest): void {
  assertKey(request.key);
  if (request.ignoreValue && request.value !== EMPTY) throw new RequestError("valueProvided");
  if (request.ignoreLease && request.lease !== 0n) throw new RequestError("leaseProvided");
}

/** Throws emptyKey. */
export function assertValidDeleteRange(request: DeleteRangeRequest): void {
  assertKey(request.key);
}

/**
 * Throws tooManyOps (also for more than limits.txnDepthMax levels), emptyKey, keyNotFound for an empty operation,
 * what the rules of the operations throw, or duplicateKey.
 */
export function assertValidTxn(request: TxnRequest, operationsMax: number): void {
  assertTxnShape(request, operationsMax, 1);
  assertNoDuplicates(request);
}

/** A nested transaction gets what its parent's longest list leaves of the budget. */
function assertTxnShape(request: TxnRequest, operationsMax: number, depth: number): void {
  if (depth > limits.txnDepthMax) throw new RequestError("tooManyOps");
  const count = Math.max(request.compare.length, request.success.length, request.failure.length);
  if (count > operationsMax) throw new RequestError("tooManyOps");
  for (const condition of request.compare) assertKey(condition.key);
  for (const operation of request.success) assertValidOperation(operation, operationsMax - count, depth);
  for (const operation of request.failure) assertValidOperation(operation, operationsMax - count, depth);
}

function assertValidOperation(operation: RequestOp, operationsMax: number, depth: number): void {
  if (operation.case === undefined) throw new RequestError("keyNotFound");
  if (operation.case === "range") assertValidRange(operation.request);
  else if (operation.case === "put") assertValidPut(operation.request);
  else if (operation.case === "deleteRange") assertValidDeleteRange(operation.request);
  else assertTxnShape(operation.request, operationsMax, depth + 1);
}

/** Whether both branches hold nothing but ranges: such a transaction is not put through the log (5.2). */
export function isReadOnlyTxn(request: TxnRequest): boolean {
  return request.success.every(isRange) && request.failure.every(isRange);
}

/**
 * Whether it asks for nothing but serializable ranges, and for one at least: it may be read without a quorum. Compares
 * alone are linearizable; etcd lets a member that is behind answer them (found by its own client against three members).
 */
export function isSerializableTxn(request: TxnRequest): boolean {
  const { success, failure } = request;
  if (success.length + failure.length === 0) return false;
  return success.every(isSerializableRange) && failure.every(isSerializableRange);
}

function isRange(operation: RequestOp): boolean {
  return operation.case === "range";
}

function isSerializableRange(operation: RequestOp): boolean {
  return operation.case === "range" && operation.request.serializable;
}

function assertKey(key: ByteString): void {
  if (key === EMPTY) throw new RequestError("emptyKey");
}

function isOneOf(value: number, members: Readonly<Record<string, number>>): boolean {
  return Object.values(members).includes(value);
}
