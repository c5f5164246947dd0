import {
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
  decodeLeaseTimeToLiveRequest,
  encodeLeaseGrantResponse,
  encodeLeaseLeasesResponse,
  encodeLeaseRevokeResponse,
  encodeLeaseTimeToLiveResponse,
} from "../../../codec/index.ts";
import { RequestError } from "../../../lib/errors.ts";
import { limits } from "../../../lib/limits.ts";
import { completeHeader, headerAt } from "../response-header.ts";
import type { MethodHandler, UnaryHandler } from "../transport.ts";
import { KeepAliveCall } from "./keep-alive.ts";
import type { ServiceContext } from "./service-context.ts";

/** What a lease costs against the quota, in bytes (semantics-kv-mvcc 10). */
const LEASE_COST_BYTES = 64;

/** etcdserverpb.Lease (semantics-watch-lease, part B). */
export function createLeaseService(context: ServiceContext): Record<string, MethodHandler> {
  const { node, guard } = context;

  const grant: UnaryHandler = (bytes, call) => {
    const request = decodeLeaseGrantRequest(bytes);
    guard.admit(call, false);
    const refusal = guard.refuseByQuota(LEASE_COST_BYTES);
    if (refusal !== undefined) return refusal;
    if (request.ttl > limits.leaseTtlSecondsMax) throw new RequestError("leaseTtlTooLarge");
    return node.leaseGrant(request.id, request.ttl).then((response) => {
      completeHeader(response, node);
      return encodeLeaseGrantResponse(response);
    });
  };

  const revoke: UnaryHandler = (bytes, call) => {
    const request = decodeLeaseRevokeRequest(bytes);
    guard.admit(call, false);
    return node.propose<"leaseRevoke">({ kind: "leaseRevoke", request }).then((response) => {
      completeHeader(response, node);
      return encodeLeaseRevokeResponse(response);
    });
  };

  const timeToLive: UnaryHandler = (bytes, call) => {
    const request = decodeLeaseTimeToLiveRequest(bytes);
    guard.admit(call, false);
    return node.leaseTimeToLive(request.id, request.keys).then((response) => {
      completeHeader(response, node);
      return encodeLeaseTimeToLiveResponse(response);
    });
  };

  const leases: UnaryHandler = (_bytes, call) => {
    guard.admit(call, false);
    return encodeLeaseLeasesResponse({
      header: headerAt(node.kv.currentRevision, node),
      leases: node.leases().map((id) => ({ id })),
    });
  };

  return {
    LeaseGrant: { kind: "unary", handle: grant },
    LeaseRevoke: { kind: "unary", handle: revoke },
    LeaseKeepAlive: {
      kind: "duplex",
      handle: (stream) => {
        new KeepAliveCall(stream, node).open(guard);
      },
    },
    LeaseTimeToLive: { kind: "unary", handle: timeToLive },
    LeaseLeases: { kind: "unary", handle: leases },
  };
}
