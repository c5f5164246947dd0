import assert from "node:assert/strict";
import { messageType } from "../../../../src/server/raft/index.ts";
import { message, PeerWorld, snapshotMessage, stateOf, until } from "./peer-world.ts";

describe("smoke", () => {
  const world = new PeerWorld();
  afterEach(() => world.close());
  it("works", async () => {
    const [a, b] = await world.cluster(2);
    a!.network.send([message(messageType.heartbeat, 1n, 2n, { term: 3 })]);
    await until(() => b!.handler.messages.length === 1, "message");
    assert.equal(b!.handler.messages[0]!.term, 3);
    const body = await a!.network.call(2n, "hello", Buffer.from("x"), 1000);
    assert.equal(Buffer.from(body).toString(), "hello:x");
    const state = stateOf([Buffer.from("a"), Buffer.alloc(300000)]);
    a!.network.sendSnapshot(snapshotMessage(1n, 2n), state);
    await until(() => a!.handler.snapshotsSent.length === 1, "snap");
    console.log(a!.handler.snapshotsSent, a!.log.lines, b!.log.lines, b!.handler.snapshots[0]!.chunks.length);
    assert.equal(state.closes(), 1);
    console.log(a!.observer.counts);
  });
});
