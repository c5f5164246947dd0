import assert from "node:assert/strict";
import {
  decodeHealthCheckResponse,
  decodeHealthListResponse,
  encodeHealthCheckRequest,
  servingStatus,
} from "../../../../../src/codec/index.ts";
import { grpcCode, StatusError } from "../../../../../src/lib/errors.ts";
import { FakeApi } from "../fake-call.ts";
import { FakeNode } from "../fake-node.ts";

const HEALTH = "/grpc.health.v1.Health";

describe("Health service", () => {
  const api = new FakeApi(new FakeNode());

  it("says that the server as a whole serves", async () => {
    const request = encodeHealthCheckRequest({ service: "" });
    const checked = decodeHealthCheckResponse(await api.call(`${HEALTH}/Check`, request));
    assert.equal(checked.status, servingStatus.serving);
    const listed = decodeHealthListResponse(await api.call(`${HEALTH}/List`, Buffer.alloc(0)));
    assert.deepEqual([...listed.statuses], [["", { status: servingStatus.serving }]]);
    const stream = api.stream(`${HEALTH}/Watch`, request);
    assert.deepEqual(
      stream.sent.map((message) => decodeHealthCheckResponse(message).status),
      [servingStatus.serving],
    );
    assert.equal(stream.ended, undefined);
  });

  it("does not know services by name", async () => {
    const request = encodeHealthCheckRequest({ service: "etcdserverpb.KV" });
    await assert.rejects(api.call(`${HEALTH}/Check`, request), (error) => {
      assert.ok(error instanceof StatusError);
      assert.deepEqual([error.grpc, error.message], [grpcCode.notFound, "unknown service"]);
      return true;
    });
    const stream = api.stream(`${HEALTH}/Watch`, request);
    assert.equal(decodeHealthCheckResponse(stream.sent[0] as Buffer).status, servingStatus.serviceUnknown);
  });
});
