import assert from "node:assert/strict";
import { LeaderTransfer } from "../../../../src/server/node/leader-transfer.ts";
import { confChangeType, type RawNode } from "../../../../src/server/raft/index.ts";
import { encodePeerUrls } from "../../../../src/server/state/index.ts";
import { SimClock } from "../../../sim/clock.ts";
import { createState } from "../../../sim/member.ts";

function setUp() {
  const clock = new SimClock();
  const { membership } = createState();
  for (const nodeId of [1n, 2n, 3n]) {
    const context = encodePeerUrls([`http://m${nodeId}:1`]);
    membership.applyConfChange({ type: confChangeType.addNode, nodeId, context });
  }
  membership.applyConfChange({
    type: confChangeType.addLearnerNode,
    nodeId: 4n,
    context: encodePeerUrls(["http://m4:1"]),
  });
  const asked: bigint[] = [];
  const raw = {
    leader: 1n,
    get isLeader() {
      return this.leader === 1n;
    },
    transferLeader: (target: bigint) => asked.push(target),
    status: () => ({
      peers: [
        { id: 1n, match: 9, isLearner: false },
        { id: 2n, match: 7, isLearner: false },
        { id: 3n, match: 8, isLearner: false },
        { id: 4n, match: 9, isLearner: true },
      ],
    }),
  };
  const connected = new Set([2n, 3n, 4n]);
  const transfer = new LeaderTransfer({
    memberId: 1n,
    raw: raw as unknown as RawNode,
    membership,
    clock,
    wake: () => {},
    connectedSinceMs: (member) => (connected.has(member) ? 0 : undefined),
    pollMs: 10,
  });
  const pass = async (durationMs: number): Promise<void> => {
    for (let passed = 0; passed < durationMs; passed += 10) {
      clock.advance(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { raw, asked, connected, transfer, pass };
}

describe("A transfer of leadership", () => {
  it("ends when the other member leads", async () => {
    const { raw, asked, transfer, pass } = setUp();
    let isDone = false;
    const transferred = transfer.to(2n, 1_000).then(() => {
      isDone = true;
    });
    await pass(50);
    assert.deepEqual([asked, isDone], [[2n], false]);
    raw.leader = 2n;
    await pass(20);
    await transferred;
  });

  it("to the leader itself has nothing to do", async () => {
    const { asked, transfer } = setUp();
    await transfer.to(1n, 1_000);
    assert.deepEqual(asked, []);
  });

  it("is refused to learners and strangers, and by who does not lead", async () => {
    const { raw, transfer } = setUp();
    await assert.rejects(transfer.to(4n, 1), /bad leader transferee/);
    await assert.rejects(transfer.to(9n, 1), /bad leader transferee/);
    raw.leader = 2n;
    await assert.rejects(transfer.to(2n, 1), /not leader/);
  });

  it("that takes too long says so", async () => {
    const { transfer, pass } = setUp();
    const failed = assert.rejects(transfer.to(2n, 100), /leader transfer took too long/);
    await pass(120);
    await failed;
  });

  it("before the leader goes is to the connected voter that has the most", async () => {
    const { raw, asked, connected, transfer, pass } = setUp();
    const away = transfer.away(100);
    raw.leader = 3n;
    await pass(20);
    await away;
    assert.deepEqual(asked, [3n]);
    raw.leader = 1n;
    connected.clear();
    await transfer.away(100);
    raw.leader = 2n;
    await transfer.away(100);
    assert.deepEqual(asked, [3n]);
  });
});
