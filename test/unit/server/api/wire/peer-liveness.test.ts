import assert from "node:assert/strict";
import { limits } from "../../../../../src/lib/limits.ts";
import { PeerLiveness } from "../../../../../src/server/api/wire/peer-liveness.ts";
import { SimClock } from "../../../../sim/clock.ts";

function liveness(): { clock: SimClock; liveness: PeerLiveness; isGone: () => boolean } {
  const clock = new SimClock();
  let isGone = false;
  const made = new PeerLiveness(clock, 200, () => {
    isGone = true;
  });
  return { clock, liveness: made, isGone: () => isGone };
}

describe("PeerLiveness", () => {
  it("asks a peer that was silent for a whole sweep, once, and gives it up without an answer", () => {
    const { clock, liveness: peer, isGone } = liveness();
    assert.equal(peer.needsPing(), false);
    assert.equal(peer.needsPing(), true);
    assert.equal(peer.needsPing(), false);
    clock.advance(199);
    assert.equal(isGone(), false);
    clock.advance(1);
    assert.equal(isGone(), true);
  });

  it("takes whatever comes for an answer", () => {
    const { clock, liveness: peer, isGone } = liveness();
    peer.needsPing();
    assert.equal(peer.needsPing(), true);
    peer.hasRead();
    clock.advance(10_000);
    assert.equal(isGone(), false);
    assert.equal(peer.needsPing(), false);
  });

  it("gives nobody up once it is stopped", () => {
    const { clock, liveness: peer, isGone } = liveness();
    peer.needsPing();
    peer.needsPing();
    peer.stop();
    clock.advance(10_000);
    assert.equal(isGone(), false);
  });

  it("tells a stall when nothing of what waits has gone for http2StallMsMax", () => {
    const { clock, liveness: peer } = liveness();
    assert.equal(peer.isStalled(true, 1), false);
    assert.equal(peer.isStalled(true, 1), false);
    clock.advance(limits.http2StallMsMax - 1);
    assert.equal(peer.isStalled(true, 1), false);
    clock.advance(1);
    assert.equal(peer.isStalled(true, 1), true);
    assert.equal(peer.isStalled(true, 2), false);
    assert.equal(peer.isStalled(false, 2), false);
  });
});
