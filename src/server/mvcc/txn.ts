import type { RequestOp, ResponseOp, TxnRequest, TxnResponse } from "../../codec/index.ts";
import { assert, unreachable } from "../../lib/assert.ts";
import { limits } from "../../lib/limits.ts";
import type { EngineView } from "../storage/index.ts";
import { holds } from "./compare.ts";
import { readRange } from "./range-read.ts";
import { assertReadable, headerAt, type RevisionWindow } from "./revision.ts";
import type { LeaseDirectory } from "./types.ts";
import { assertPuttable, type WriteTransaction } from "./write-transaction.ts";

/**
 * A transaction with its branches chosen: the operations that will run, in order. All compares, those of nested
 * transactions too, look at the state before the transaction (semantics-kv-mvcc 5.3).
 */
export interface ChosenTxn {
  readonly succeeded: boolean;
  /** Compares looked at until one failed, without those of nested transactions. */
  readonly comparesDone: number;
  readonly operations: readonly ChosenOperation[];
}

type ChosenOperation = Exclude<RequestOp, { case: "txn" | undefined }> | { case: "txn"; chosen: ChosenTxn };

/** Depth is bounded by validation (request-rules.ts), so the walks below may recurse. */
export function chooseTxn(request: TxnRequest, engine: EngineView, revision: number): ChosenTxn {
  return choose(request, engine, revision, 1);
}

function choose(request: TxnRequest, engine: EngineView, revision: number, depth: number): ChosenTxn {
  assert(depth <= limits.txnDepthMax, "a transaction nested too deep was refused by validation");
  const failed = request.compare.findIndex((condition) => !holds(condition, engine, revision));
  const succeeded = failed < 0;
  const operations: ChosenOperation[] = [];
  for (const operation of succeeded ? request.success : request.failure) {
    assert(operation.case !== undefined, "an empty operation was refused by validation");
    if (operation.case === "txn") {
      operations.push({ case: "txn", chosen: choose(operation.request, engine, revision, depth + 1) });
    } else {
      operations.push(operation);
    }
  }
  return { succeeded, comparesDone: succeeded ? request.compare.length : failed + 1, operations };
}

/**
 * Throws what any operation of the chosen path would meet (compacted, futureRevision, leaseNotFound, keyNotFound),
 * in order of the operations, before anything is changed (5.4).
 */
export function assertRunnable(
  chosen: ChosenTxn,
  engine: EngineView,
  leases: LeaseDirectory,
  window: RevisionWindow,
): void {
  for (const operation of chosen.operations) {
    switch (operation.case) {
      case "range":
        // Revision 0 alone means the newest here: unlike in a plain Range, a negative one may be compacted.
        if (operation.request.revision !== 0) assertReadable(operation.request.revision, window);
        break;
      case "put":
        assertPuttable(operation.request, engine, leases);
        break;
      case "txn":
        assertRunnable(operation.chosen, engine, leases, window);
        break;
      case "deleteRange":
        break;
      default:
        unreachable(operation);
    }
  }
}

/** Runs the chosen operations on one write transaction; inner headers hold the revision each one saw or made (5.5). */
export function runTxn(chosen: ChosenTxn, writes: WriteTransaction): TxnResponse {
  const responses = runAll(chosen, writes);
  return { header: headerAt(writes.revision), succeeded: chosen.succeeded, responses };
}

function runAll(chosen: ChosenTxn, writes: WriteTransaction): ResponseOp[] {
  return chosen.operations.map((operation) => {
    switch (operation.case) {
      case "range":
        return { case: "range", response: writes.range(operation.request) };
      case "put":
        return { case: "put", response: writes.put(operation.request) };
      case "deleteRange":
        return { case: "deleteRange", response: writes.deleteRange(operation.request) };
      case "txn": {
        const responses = runAll(operation.chosen, writes);
        // A nested answer has a header, and nothing in it.
        const header = headerAt(0);
        return { case: "txn", response: { header, succeeded: operation.chosen.succeeded, responses } };
      }
      default:
        return unreachable(operation);
    }
  });
}

/** Runs a transaction of ranges only. */
export function runReadTxn(chosen: ChosenTxn, engine: EngineView, revision: number): TxnResponse {
  const responses = chosen.operations.map((operation): ResponseOp => {
    assert(operation.case === "range", "a read-only transaction has nothing but ranges");
    return { case: "range", response: readRange(engine, operation.request, revision) };
  });
  return { header: headerAt(revision), succeeded: chosen.succeeded, responses };
}
