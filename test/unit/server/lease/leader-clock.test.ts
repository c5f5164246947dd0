import { strict as assert } from "node:assert";
import { toLeaseTimeMs, toMonotonicMs } from "../../../../src/server/lease/leader-clock.ts";

describe("LeaderClock", () => {
  const clock = { promotedAtMs: 1_000.5, leaseTimeAtPromoteMs: 70_000 };

  it("goes on from the lease time of the log", () => {
    assert.equal(toLeaseTimeMs(clock, 1_000.5), 70_000);
    assert.equal(toLeaseTimeMs(clock, 3_000.75), 72_000.25);
  });

  it("does not go below it", () => {
    assert.equal(toLeaseTimeMs(clock, 0), 70_000);
  });

  it("leads back", () => {
    assert.equal(toMonotonicMs(clock, toLeaseTimeMs(clock, 5_000)), 5_000);
  });
});
