import assert from "node:assert/strict";
import { RequestError } from "../../../../src/lib/errors.ts";
import { LeaderOnly } from "../../../../src/server/node/leader-only.ts";
import { SimClock } from "../../../sim/clock.ts";

function setUp() {
  const clock = new SimClock();
  const raw = { isLeader: false, leader: 0n };
  const state = { isEnded: false };
  const isEnded = (): boolean => state.isEnded;
  const leaderOnly = new LeaderOnly({ raw, clock, timeoutMs: 100, retryMs: 10, isEnded });
  const asked: string[] = [];
  const here = async (): Promise<string> => {
    asked.push("here");
    return "done here";
  };
  const there = async (leader: bigint): Promise<string> => {
    asked.push(`member ${leader}`);
    return "done there";
  };
  const pass = async (durationMs: number): Promise<void> => {
    for (let i = 0; i < durationMs; i += 10) {
      clock.advance(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { raw, state, leaderOnly, asked, here, there, pass };
}

const refusal = (code: "notLeader" | "leaseNotFound" | "stopped" | "timeout") => (error: unknown) =>
  error instanceof RequestError && error.code === code;

describe("What only the leader can do", () => {
  it("is done by the member that leads, wherever it is asked for", async () => {
    const { raw, leaderOnly, asked, here, there } = setUp();
    raw.isLeader = true;
    assert.equal(await leaderOnly.done(here, there), "done here");
    raw.isLeader = false;
    raw.leader = 7n;
    assert.equal(await leaderOnly.done(here, there), "done there");
    assert.deepEqual(asked, ["here", "member 7"]);
  });

  it("waits for a leader, and is done again when the one asked has lost its place", async () => {
    const { raw, leaderOnly, asked, here, there, pass } = setUp();
    const done = leaderOnly.done(here, async (leader) => {
      if (leader === 7n) {
        asked.push("member 7 refuses");
        raw.leader = 8n;
        throw new RequestError("notLeader");
      }
      return await there(leader);
    });
    await pass(30);
    assert.deepEqual(asked, []);
    raw.leader = 7n;
    await pass(20);
    assert.equal(await done, "done there");
    assert.deepEqual(asked, ["member 7 refuses", "member 8"]);
  });

  it("is refused after its time without a leader, when the member ends, and as the leader refuses it", async () => {
    const { raw, state, leaderOnly, here, there, pass } = setUp();
    const timedOut = assert.rejects(leaderOnly.done(here, there), refusal("timeout"));
    await pass(110);
    await timedOut;
    const ended = assert.rejects(leaderOnly.done(here, there), refusal("stopped"));
    state.isEnded = true;
    await pass(10);
    await ended;
    state.isEnded = false;
    raw.leader = 7n;
    const refused = leaderOnly.done(here, () => Promise.reject(new RequestError("leaseNotFound")));
    await assert.rejects(refused, refusal("leaseNotFound"));
  });

  it("is not done for others by a member that does not lead", async () => {
    const { raw, leaderOnly, asked, here } = setUp();
    await assert.rejects(leaderOnly.here(here), refusal("notLeader"));
    assert.deepEqual(asked, []);
    raw.isLeader = true;
    assert.equal(await leaderOnly.here(here), "done here");
  });
});
