import { strict as assert } from "node:assert";
import { minTtlSeconds } from "../../../../src/server/lease/index.ts";

describe("minTtlSeconds", () => {
  it("is one and a half election timeouts in whole seconds, rounded up", () => {
    assert.equal(minTtlSeconds({ electionTicks: 10, heartbeatIntervalMs: 100 }), 2);
    assert.equal(minTtlSeconds({ electionTicks: 5, heartbeatIntervalMs: 100 }), 1);
    assert.equal(minTtlSeconds({ electionTicks: 50, heartbeatIntervalMs: 1_000 }), 75);
  });
});
