import assert from "node:assert/strict";
import {
  decodeHealthCheckRequest,
  decodeHealthCheckResponse,
  decodeHealthListResponse,
  encodeHealthCheckRequest,
  encodeHealthCheckResponse,
  encodeHealthListResponse,
  servingStatus,
} from "../../../src/codec/index.ts";
import { referenceCodec } from "./reference.ts";

describe("health codec", () => {
  it("agrees with proto-loader on requests and responses", () => {
    const request = referenceCodec("grpc.health.v1.HealthCheckRequest");
    const response = referenceCodec("grpc.health.v1.HealthCheckResponse");
    for (const service of ["", "etcdserverpb.KV"]) {
      assert.deepEqual(request.decode(encodeHealthCheckRequest({ service })), { service });
      assert.deepEqual(decodeHealthCheckRequest(request.encode({ service })), { service });
    }
    for (const status of Object.values(servingStatus)) {
      assert.deepEqual(response.decode(encodeHealthCheckResponse({ status })), { status });
      assert.deepEqual(decodeHealthCheckResponse(response.encode({ status })), { status });
    }
  });

  it("agrees with proto-loader on the map of a list", () => {
    const list = referenceCodec("grpc.health.v1.HealthListResponse");
    const statuses = new Map([
      ["", { status: servingStatus.serving }],
      ["etcdserverpb.KV", { status: servingStatus.notServing }],
      ["unknown", { status: servingStatus.unknown }],
    ]);
    assert.deepEqual(list.decode(encodeHealthListResponse({ statuses })), {
      statuses: Object.fromEntries(statuses),
    });
    assert.deepEqual(decodeHealthListResponse(list.encode({ statuses: Object.fromEntries(statuses) })), {
      statuses,
    });
  });

  it("takes an entry without key or value as the defaults", () => {
    assert.deepEqual(decodeHealthListResponse(Buffer.from([0x0a, 0])).statuses.get(""), { status: 0 });
  });
});
