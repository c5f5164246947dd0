import assert from "node:assert/strict";
import { PeerPings } from "../../../../../src/server/api/wire/peer-pings.ts";

const MIN_MS = 5_000;
const TWO_HOURS_MS = 7_200_000;

describe("PeerPings", () => {
  it("admits pings at the rhythm it was told, for ever", () => {
    const pings = new PeerPings(MIN_MS);
    for (let i = 0; i < 100; i++) assert.equal(pings.admit(i * MIN_MS, true, 0), true);
  });

  it("refuses the third ping that comes too early", () => {
    const pings = new PeerPings(MIN_MS);
    const answers = [0, 1, 2, 3].map((i) => pings.admit(i * (MIN_MS - 1), true, 0));
    assert.deepEqual(answers, [true, true, true, false]);
  });

  it("does not forgive a strike for a ping that comes in time", () => {
    const pings = new PeerPings(MIN_MS);
    const moments = [0, 1, 1 + MIN_MS, 2 + MIN_MS, 2 + 2 * MIN_MS, 3 + 2 * MIN_MS];
    const answers = moments.map((nowMs) => pings.admit(nowMs, true, 0));
    assert.deepEqual(answers, [true, true, true, true, true, false]);
  });

  it("forgives all strikes once the server has sent something", () => {
    const pings = new PeerPings(MIN_MS);
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 3; i++) assert.equal(pings.admit(round, true, round), true);
    }
    assert.equal(pings.admit(50, true, 49), false);
  });

  it("wants two hours between pings when no call is open", () => {
    const pings = new PeerPings(MIN_MS);
    for (let i = 0; i < 10; i++) assert.equal(pings.admit(i * TWO_HOURS_MS, false, 0), true);
    const early = [1, 2, 3].map((i) => pings.admit(9 * TWO_HOURS_MS + i * MIN_MS, false, 0));
    assert.deepEqual(early, [true, true, false]);
  });
});
