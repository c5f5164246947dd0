import assert from "node:assert/strict";
import { ReadQueue } from "../../../../src/server/node/reads.ts";
import { SimClock } from "../../../sim/clock.ts";

function setUp() {
  const clock = new SimClock();
  const world = { hasLeader: true, applied: 5, asked: [] as number[] };
  const reads: ReadQueue = new ReadQueue({
    clock,
    ask: (context) => {
      world.asked.push(context);
      return world.hasLeader;
    },
    appliedIndex: () => world.applied,
    wake: () => clock.defer(() => reads.start()),
    timeoutMs: 2000,
  });
  return { clock, world, reads };
}

async function outcome(promise: Promise<void>): Promise<string> {
  let state = "pending";
  promise.then(
    () => {
      state = "done";
    },
    (error: Error) => {
      state = error.message;
    },
  );
  await new Promise((resolve) => setImmediate(resolve));
  return state;
}

describe("ReadQueue", () => {
  it("serves all waiting reads by one round", async () => {
    const { clock, world, reads } = setUp();
    const waiting = [reads.wait(), reads.wait(), reads.wait()];
    clock.runDeferred();
    assert.equal(world.asked.length, 1);
    reads.confirmed([{ index: 5, context: world.asked[0]! }]);
    for (const each of waiting) assert.equal(await outcome(each), "done");
  });

  it("does not serve a read by a round that began before it", async () => {
    const { clock, world, reads } = setUp();
    const early = reads.wait();
    clock.runDeferred();
    const late = reads.wait();
    reads.confirmed([{ index: 5, context: world.asked[0]! }]);
    assert.equal(await outcome(early), "done");
    assert.equal(await outcome(late), "pending");
    clock.runDeferred();
    assert.equal(world.asked.length, 2);
    reads.confirmed([{ index: 5, context: world.asked[1]! }]);
    assert.equal(await outcome(late), "done");
  });

  it("waits until the read index is applied", async () => {
    const { clock, world, reads } = setUp();
    const read = reads.wait();
    clock.runDeferred();
    reads.confirmed([{ index: 8, context: world.asked[0]! }]);
    assert.equal(await outcome(read), "pending");
    world.applied = 8;
    reads.applied();
    assert.equal(await outcome(read), "done");
  });

  it("asks again under a new context and takes an answer to any of its own", async () => {
    const { clock, world, reads } = setUp();
    const read = reads.wait();
    clock.advance(600);
    assert.deepEqual(world.asked, [1, 2]);
    reads.confirmed([{ index: 1, context: 99 }]);
    assert.equal(await outcome(read), "pending");
    reads.confirmed([{ index: 5, context: 1 }]);
    assert.equal(await outcome(read), "done");
    assert.equal(reads.slowTotal, 1);
  });

  it("never takes an answer to an earlier round", async () => {
    const { clock, world, reads } = setUp();
    const first = reads.wait();
    clock.advance(600);
    reads.confirmed([{ index: 5, context: world.asked[1]! }]);
    assert.equal(await outcome(first), "done");
    const second = reads.wait();
    clock.runDeferred();
    reads.confirmed([{ index: 1, context: world.asked[0]! }]);
    assert.equal(await outcome(second), "pending");
  });

  it("times out when nothing is confirmed", async () => {
    const { clock, reads } = setUp();
    const read = reads.wait();
    clock.advance(2600);
    assert.equal(await outcome(read), "etcdserver: request timed out");
    assert.equal(reads.failedTotal, 1);
  });

  it("fails a round whose leader went away, and asks the new one at once when it had none", async () => {
    const { clock, world, reads } = setUp();
    const lost = reads.wait();
    clock.runDeferred();
    reads.leaderChanged();
    assert.equal(await outcome(lost), "etcdserver: leader changed");
    world.hasLeader = false;
    const early = reads.wait();
    clock.runDeferred();
    world.hasLeader = true;
    reads.leaderChanged();
    reads.confirmed([{ index: 5, context: world.asked[world.asked.length - 1]! }]);
    assert.equal(await outcome(early), "done");
  });

  it("rejects what waits and what comes when it is stopped", async () => {
    const { clock, reads } = setUp();
    const first = reads.wait();
    clock.runDeferred();
    const second = reads.wait();
    reads.stop();
    const outcomes = await Promise.all([first, second, reads.wait()].map(outcome));
    assert.deepEqual(outcomes, Array(3).fill("etcdserver: server stopped"));
  });
});
