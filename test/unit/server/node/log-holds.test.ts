import assert from "node:assert/strict";
import { LogHolds, logHoldLimits } from "../../../../src/server/node/log-holds.ts";
import {
  confChangeType,
  type Entry,
  entryType,
  type Message,
  messageType,
} from "../../../../src/server/raft/index.ts";
import { encodePeerUrls } from "../../../../src/server/state/index.ts";
import { simIdentity } from "../../../sim/member.ts";
import { NodeWorld } from "./node-world.ts";
import { answerTo, message, ScriptedNetwork } from "./scripted-network.ts";

function entryOf(bytes: number): Entry {
  return { term: 1, index: 1, type: entryType.normal, data: new Uint8Array(bytes) };
}

describe("LogHolds", () => {
  let nowMs = 0;
  const replicating = new Set<bigint>();
  let holds: LogHolds;

  beforeEach(() => {
    replicating.clear();
    nowMs = 0;
    holds = new LogHolds({ nowMs: () => nowMs }, (peer) => replicating.has(peer));
  });

  it("keep the log behind the snapshots on their way, and let all else go", () => {
    assert.equal(holds.droppable(500), 500);
    holds.begin(2n, 100);
    holds.begin(3n, 200);
    assert.equal(holds.droppable(50), 50);
    assert.equal(holds.droppable(500), 100);
    replicating.add(2n);
    assert.equal(holds.droppable(500), 200);
    replicating.add(3n);
    assert.equal(holds.droppable(500), 500);
  });

  it("are forgotten once their member follows, whatever becomes of it later", () => {
    holds.begin(2n, 100);
    replicating.add(2n);
    holds.droppable(500);
    replicating.delete(2n);
    assert.equal(holds.droppable(500), 500);
  });

  it("begin again with the next snapshot", () => {
    holds.begin(2n, 100);
    holds.begin(2n, 300);
    assert.equal(holds.droppable(500), 300);
  });

  it("end when their entries take more than bytesMax", () => {
    const quarter = [entryOf(logHoldLimits.bytesMax / 4)];
    holds.begin(2n, 100);
    for (let i = 0; i < 3; i++) holds.applied(quarter);
    assert.equal(holds.droppable(500), 100);
    holds.applied(quarter);
    assert.equal(holds.droppable(500), 500);
    const small = Array.from({ length: logHoldLimits.bytesMax / 256 + 1 }, () => entryOf(0));
    holds.begin(2n, 100);
    holds.applied(small);
    assert.equal(holds.droppable(500), 500);
  });

  it("end when their member has needed more than ageMsMax", () => {
    holds.begin(2n, 100);
    nowMs = logHoldLimits.ageMsMax;
    assert.equal(holds.droppable(500), 100);
    nowMs++;
    assert.equal(holds.droppable(500), 500);
  });

  it("spare a member a second snapshot when the first takes longer than the log reaches back", async () => {
    const [self, other, late] = [simIdentity.memberId, 2n, 3n];
    const world = new NodeWorld();
    const network = new ScriptedNetwork(() => world.clock);
    // Down, it says nothing. Up, it takes what follows on what it has.
    let isDown = true;
    let lateIndex = 0;
    network.answerTo = (sent: Message) => {
      if (sent.to !== late) return answerTo(sent);
      if (isDown) return undefined;
      if (sent.type !== messageType.app) return answerTo(sent);
      const { term, index } = sent;
      if (index > lateIndex) {
        const refusal = { to: self, from: late, term, index, reject: true, rejectHint: lateIndex };
        return message({ type: messageType.appResp, ...refusal });
      }
      lateIndex = index + sent.entries.length;
      return answerTo(sent);
    };
    const write = async (puts: number): Promise<void> => {
      for (let i = 0; i < puts; i += 50) {
        await world.settle(Promise.all(Array.from({ length: 50 }, () => world.put("k"))));
      }
    };
    await world.start({
      network,
      catchUpEntries: 100,
      bootstrap: [self, other, late].map((nodeId) => ({
        type: confChangeType.addNode,
        nodeId,
        context: encodePeerUrls([`http://member-${nodeId}:2380`]),
      })),
    });
    for (let snapshots = 1; snapshots <= 2; snapshots++) {
      isDown = true;
      await write(2_000);
      isDown = false;
      await world.pass(1_000);
      assert.equal(network.snapshots.length, snapshots);
      await write(2_000);
      lateIndex = network.snapshots.at(-1)?.snapshot?.metadata.index ?? 0;
      network.handler.snapshotSent(late, true);
      await world.pass(1_000);
      assert.equal(network.snapshots.length, snapshots);
      assert.equal(lateIndex, world.node.raftIndex);
    }
  });
});
