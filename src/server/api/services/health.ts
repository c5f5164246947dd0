import {
  decodeHealthCheckRequest,
  encodeHealthCheckResponse,
  encodeHealthListResponse,
  servingStatus,
} from "../../../codec/index.ts";
import { grpcCode, StatusError } from "../../../lib/errors.ts";
import type { MethodHandler } from "../transport.ts";

/** The whole server; the only name that etcd registers. */
const WHOLE_SERVER = "";

const serving = encodeHealthCheckResponse({ status: servingStatus.serving });
const serviceUnknown = encodeHealthCheckResponse({ status: servingStatus.serviceUnknown });
const list = encodeHealthListResponse({
  statuses: new Map([[WHOLE_SERVER, { status: servingStatus.serving }]]),
});

/**
 * grpc.health.v1.Health (rpc.md 0.1). The transport listens only while the member serves, so whoever reaches this
 * is told SERVING; a Watch says so once and stays open until the caller or the server leaves.
 */
export function createHealthService(): Record<string, MethodHandler> {
  return {
    Check: {
      kind: "unary",
      handle: (bytes) => {
        if (decodeHealthCheckRequest(bytes).service === WHOLE_SERVER) return serving;
        throw new StatusError(grpcCode.notFound, "unknown service");
      },
    },
    List: { kind: "unary", handle: () => list },
    Watch: {
      kind: "serverStream",
      handle: (bytes, stream) => {
        const isKnown = decodeHealthCheckRequest(bytes).service === WHOLE_SERVER;
        stream.send(isKnown ? serving : serviceUnknown);
      },
    },
  };
}
