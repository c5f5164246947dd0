import type {
  AlarmRequest,
  CompactionRequest,
  DeleteRangeRequest,
  LeaseRevokeRequest,
  PutRequest,
  TxnRequest,
} from "../../codec/index.ts";

/**
 * What travels through the log. Lease time is the replicated lease clock (lease/DESIGN.md): milliseconds that
 * some leader has counted, never wall time.
 */
export type Command =
  | { readonly kind: "put"; readonly request: PutRequest }
  | { readonly kind: "deleteRange"; readonly request: DeleteRangeRequest }
  | { readonly kind: "txn"; readonly request: TxnRequest }
  | { readonly kind: "compaction"; readonly request: CompactionRequest }
  | { readonly kind: "leaseGrant"; readonly id: bigint; readonly ttl: number; readonly leaseTimeMs: number }
  | { readonly kind: "leaseRevoke"; readonly request: LeaseRevokeRequest }
  /** The lease clock advanced; `fixed` leases get a deadline on it again. */
  | {
      readonly kind: "leaseTick";
      readonly leaseTimeMs: number;
      readonly fixed: readonly { readonly id: bigint; readonly deadlineMs: number }[];
    }
  /** These leases are renewed in the leader's memory from now on; a new leader gives them their full TTL. */
  | { readonly kind: "leaseFloat"; readonly ids: readonly bigint[] }
  | { readonly kind: "alarm"; readonly request: AlarmRequest }
  | {
      readonly kind: "memberAttributes";
      readonly memberId: bigint;
      readonly name: string;
      readonly clientUrls: readonly string[];
    };
