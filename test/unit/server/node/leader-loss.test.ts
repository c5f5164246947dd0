import assert from "node:assert/strict";
import { LeaderLoss } from "../../../../src/server/node/leader-loss.ts";
import { emptyConfState, type RawNode, role } from "../../../../src/server/raft/index.ts";
import { SimClock } from "../../../sim/clock.ts";

const TURN_MS = 100;

function setUp(memberId: bigint, options: { voters?: bigint[]; leader?: bigint } = {}) {
  const clock = new SimClock();
  const events: string[] = [];
  const raw = {
    leader: options.leader ?? 2n,
    role: role.follower as RawNode["role"],
    confState: { ...emptyConfState, voters: options.voters ?? [1n, 2n, 3n] },
    forgetLeader() {
      events.push("forget");
      raw.leader = 0n;
    },
    campaign() {
      events.push(`campaign at ${clock.nowMs()}`);
    },
  };
  const loss = new LeaderLoss({
    memberId,
    raw: raw as unknown as RawNode,
    clock,
    wake: () => undefined,
    turnMs: TURN_MS,
  });
  return { loss, raw, clock, events };
}

describe("A member whose leader's process is gone", () => {
  it("forgets the leader and stands at once when it is first by id", () => {
    const { loss, clock, events } = setUp(1n);
    loss.gone(2n);
    clock.advance(0);
    assert.deepEqual(events, ["forget", "campaign at 0"]);
  });

  it("leaves every voter before it a turn", () => {
    const { loss, clock, events } = setUp(5n, { voters: [1n, 2n, 3n, 4n, 5n] });
    loss.gone(2n);
    clock.advance(299);
    assert.deepEqual(events, ["forget"]);
    clock.advance(1);
    assert.deepEqual(events, ["forget", "campaign at 300"]);
  });

  it("stands three times, once a round, and then leaves it to the election time-out", () => {
    const { loss, clock, events } = setUp(3n);
    loss.gone(2n);
    clock.advance(10_000);
    assert.deepEqual(events, ["forget", "campaign at 100", "campaign at 300", "campaign at 500"]);
  });

  it("does not stand once there is a leader again", () => {
    const { loss, raw, clock, events } = setUp(3n);
    loss.gone(2n);
    raw.leader = 1n;
    clock.advance(10_000);
    assert.deepEqual(events, ["forget"]);
  });

  it("does not disturb the election that it is in the middle of", () => {
    const { loss, raw, clock, events } = setUp(1n);
    raw.role = role.candidate;
    loss.gone(2n);
    clock.advance(TURN_MS);
    assert.deepEqual(events, ["forget"]);
  });

  it("does nothing when the peer does not lead, or this member does", () => {
    const follower = setUp(1n);
    follower.loss.gone(3n);
    const leader = setUp(2n);
    leader.loss.gone(2n);
    for (const { clock, events } of [follower, leader]) {
      clock.advance(10_000);
      assert.deepEqual(events, []);
    }
  });

  it("only forgets when it is a learner", () => {
    const { loss, clock, events } = setUp(9n);
    loss.gone(2n);
    clock.advance(10_000);
    assert.deepEqual(events, ["forget"]);
  });

  it("stands no more after it was stopped", () => {
    const { loss, clock, events } = setUp(3n);
    loss.gone(2n);
    loss.stop();
    clock.advance(10_000);
    assert.deepEqual(events, ["forget"]);
  });
});
