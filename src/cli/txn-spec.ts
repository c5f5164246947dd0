import type { Compare, RequestOp, TxnRequest } from "../client/index.ts";
import { UsageError } from "../lib/errors.ts";
import { parseLeaseId } from "./lease-id.ts";
import { parseWhole, toTarget } from "./target.ts";

type Library = typeof import("../client/index.ts");

/** A transaction as it was written down, whichever way: texts are checked when it becomes a request. */
export interface TxnSpec {
  readonly compare: readonly CompareSpec[];
  readonly success: readonly OperationSpec[];
  readonly failure: readonly OperationSpec[];
}

export interface CompareSpec {
  readonly target: "version" | "create" | "mod" | "value" | "lease";
  readonly key: string;
  readonly op: "=" | "!=" | "<" | ">";
  readonly operand: string;
}

interface RangeSpec {
  readonly key: string;
  readonly rangeEnd: string | undefined;
  readonly prefix: boolean;
  readonly fromKey: boolean;
}

export type OperationSpec =
  | ({
      readonly kind: "get";
      readonly revision: string | undefined;
      readonly limit: string | undefined;
      readonly keysOnly: boolean;
      readonly countOnly: boolean;
    } & RangeSpec)
  | {
      readonly kind: "put";
      readonly key: string;
      readonly value: string;
      readonly lease: string | undefined;
      readonly previous: boolean;
      readonly ignoreValue: boolean;
      readonly ignoreLease: boolean;
    }
  | ({ readonly kind: "delete"; readonly previous: boolean } & RangeSpec)
  | { readonly kind: "txn"; readonly txn: TxnSpec };

/** @throws UsageError for numbers, ids and ranges that are none */
export function toTxnRequest(library: Library, spec: TxnSpec): TxnRequest {
  return {
    compare: spec.compare.map((compare) => toCompare(library, compare)),
    success: spec.success.map((operation) => toOperation(library, operation)),
    failure: spec.failure.map((operation) => toOperation(library, operation)),
  };
}

const comparisonMethods = {
  "=": "equals",
  "!=": "notEquals",
  "<": "lessThan",
  ">": "greaterThan",
} as const satisfies Record<CompareSpec["op"], string>;

function toCompare({ compare }: Library, spec: CompareSpec): Compare {
  if (spec.key === "") throw new UsageError("the key of a comparison is empty", "name the key to compare");
  const method = comparisonMethods[spec.op];
  switch (spec.target) {
    case "value":
      return compare.value(spec.key)[method](spec.operand);
    case "lease":
      return compare.lease(spec.key)[method](spec.operand === "0" ? 0n : parseLeaseId(spec.operand));
    case "version":
      return compare.version(spec.key)[method](parseWhole(spec.operand, "the version"));
    case "create":
      return compare.createRevision(spec.key)[method](parseWhole(spec.operand, "the revision"));
    case "mod":
      return compare.modRevision(spec.key)[method](parseWhole(spec.operand, "the revision"));
  }
}

function toOperation(library: Library, spec: OperationSpec): RequestOp {
  const { op } = library;
  switch (spec.kind) {
    case "put":
      return op.put(spec.key, spec.value, {
        lease: spec.lease === undefined ? 0n : parseLeaseId(spec.lease),
        previous: spec.previous,
        ignoreValue: spec.ignoreValue,
        ignoreLease: spec.ignoreLease,
      });
    case "get":
      return op.range(rangeTarget(library, spec), {
        revision: spec.revision === undefined ? 0 : parseWhole(spec.revision, "--rev"),
        limit: spec.limit === undefined ? 0 : parseWhole(spec.limit, "--limit"),
        keysOnly: spec.keysOnly,
        countOnly: spec.countOnly,
      });
    case "delete":
      return op.delete(rangeTarget(library, spec), { previous: spec.previous });
    case "txn":
      return { case: "txn", request: toTxnRequest(library, spec.txn) };
  }
}

function rangeTarget(library: Library, spec: RangeSpec) {
  return toTarget(library, spec.key, spec.rangeEnd, { prefix: spec.prefix, "from-key": spec.fromKey });
}
