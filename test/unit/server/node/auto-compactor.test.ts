import assert from "node:assert/strict";
import { RequestError } from "../../../../src/lib/errors.ts";
import { silentLog } from "../../../../src/lib/log.ts";
import { type AutoCompactionPolicy, AutoCompactor } from "../../../../src/server/node/auto-compactor.ts";
import { SimClock } from "../../../sim/clock.ts";

const minuteMs = 60_000;

function setUp(policy: AutoCompactionPolicy) {
  const clock = new SimClock();
  const compacted: number[] = [];
  const world = {
    memberId: 1n,
    leaderId: 1n,
    kv: { currentRevision: 1, compactRevision: 0 },
    error: undefined as Error | undefined,
  };
  const node = Object.assign(world, {
    propose: async (command: { kind: string; request?: { revision: number } }) => {
      if (world.error !== undefined) throw world.error;
      world.kv.compactRevision = command.request!.revision;
      compacted.push(world.kv.compactRevision);
    },
  });
  const compactor = new AutoCompactor(node as never, policy, clock, silentLog);
  compactor.start();
  /** One write a minute. */
  const pass = async (minutes: number) => {
    for (let i = 0; i < minutes; i++) {
      world.kv.currentRevision++;
      clock.advance(minuteMs);
      await Promise.resolve();
    }
  };
  return { world, compacted, pass, compactor };
}

describe("AutoCompactor", () => {
  it("keeps a full period of history, and compacts five times a period, so that it keeps little more", async () => {
    const { world, compacted, pass } = setUp({ kind: "periodic", retentionMs: 10 * minuteMs });
    await pass(9);
    assert.deepEqual(compacted, []);
    await pass(1);
    // Revision 1 was current at the start, ten minutes and ten writes ago.
    assert.deepEqual([compacted, world.kv.currentRevision], [[1], 11]);
    await pass(10);
    assert.deepEqual(compacted, [1, 3, 5, 7, 9, 11]);
  });

  it("compacts five times an hour when it keeps more than an hour", async () => {
    const { compacted, pass } = setUp({ kind: "periodic", retentionMs: 179 * minuteMs });
    await pass(179);
    assert.deepEqual(compacted, []);
    await pass(61);
    assert.deepEqual(compacted, [1, 13, 25, 37, 49, 61]);
  });

  it("compacts nothing again while nothing is written", async () => {
    const { world, compacted, pass } = setUp({ kind: "periodic", retentionMs: 10 * minuteMs });
    await pass(5);
    for (let i = 0; i < 60; i++) {
      world.kv.currentRevision--;
      await pass(1);
    }
    assert.deepEqual(compacted, [1, 3, 5, 6]);
  });

  it("keeps the newest revisions in mode revision", async () => {
    const { compacted, pass } = setUp({ kind: "revision", retentionRevisions: 3 });
    await pass(5);
    assert.deepEqual(compacted, [3]);
    await pass(5);
    assert.deepEqual(compacted, [3, 8]);
  });

  for (const [retentionRevisions, beyondMax] of [
    [1_000, 10_000],
    [100_000, 20_000],
  ] as const) {
    it(`keeps at most ${beyondMax} revisions more than ${retentionRevisions} where many come in five minutes`, async () => {
      const { world, compacted, pass } = setUp({ kind: "revision", retentionRevisions });
      world.kv.currentRevision = retentionRevisions + beyondMax - 2;
      await pass(1);
      assert.deepEqual(compacted, []);
      await pass(1);
      assert.deepEqual(compacted, [beyondMax]);
      world.kv.currentRevision += beyondMax - 2;
      await pass(1);
      assert.equal(compacted.length, 1);
      await pass(1);
      assert.deepEqual(compacted, [beyondMax, 2 * beyondMax]);
    });
  }

  it("does nothing on a member that does not lead, nor after it was stopped", async () => {
    const { world, compacted, pass, compactor } = setUp({ kind: "revision", retentionRevisions: 3 });
    world.leaderId = 2n;
    await pass(10);
    assert.deepEqual(compacted, []);
    world.leaderId = 1n;
    compactor.stop();
    await pass(10);
    assert.deepEqual(compacted, []);
  });

  it("goes on after a failure, and takes a store that is compacted further for done", async () => {
    const { world, compacted, pass } = setUp({ kind: "revision", retentionRevisions: 1 });
    world.error = new RequestError("timeout");
    await pass(5);
    world.error = new RequestError("compacted");
    await pass(5);
    world.error = undefined;
    await pass(5);
    assert.deepEqual(compacted, [15]);
  });
});
