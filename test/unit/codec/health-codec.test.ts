import assert from "node:assert/strict";
import {
  decodeHealthListResponse,
  encodeHealthListResponse,
  servingStatus,
} from "../../../src/codec/index.ts";
import { referenceCodec } from "./reference.ts";

describe("health codec", () => {
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

  it("passes over unknown fields, in the entries too", () => {
    const bytes = Buffer.from("1005 0a09 18050a016112020801".replace(/ /g, ""), "hex");
    assert.deepEqual(decodeHealthListResponse(bytes).statuses.get("a"), { status: servingStatus.serving });
  });

  it("takes an entry without key or value as the defaults", () => {
    assert.deepEqual(decodeHealthListResponse(Buffer.from([0x0a, 0])).statuses.get(""), { status: 0 });
  });
});
