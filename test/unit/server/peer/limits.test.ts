import assert from "node:assert/strict";
import { limits } from "../../../../src/lib/limits.ts";
import { peerLimits } from "../../../../src/server/peer/index.ts";

describe("The limits between members", () => {
  it("leave room for the largest entry that any member's flags allow", () => {
    assert.ok(peerLimits.frameBytesMax > limits.proposalBytesInFlightMax / 2);
    assert.ok(peerLimits.bulkQueueBytesMax > peerLimits.frameBytesTarget);
  });

  it("notice a dead link within five seconds", () => {
    assert.equal(peerLimits.linkHeartbeatMs * peerLimits.linkSilenceHeartbeatsMax, 5_000);
  });
});
