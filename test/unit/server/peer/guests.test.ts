import assert from "node:assert/strict";
import { peerLimits } from "../../../../src/server/peer/index.ts";
import { messageType } from "../../../../src/server/raft/index.ts";
import { introduce, message, PeerWorld, peersOf, until } from "./peer-world.ts";

describe("A member that another has not been told of", () => {
  const world = new PeerWorld();
  afterEach(() => world.close());

  it("is heard and answered, and is a peer like any other once the log says so", async () => {
    const [old, added] = [await world.member(1n), await world.member(2n)];
    introduce(old, [old]);
    introduce(added, [old, added]);
    const send = (from: typeof old, to: bigint): void =>
      from.network.send([message(messageType.heartbeat, from.id, to, { term: 3 })]);
    await until(() => {
      send(added, 1n);
      return old.handler.messages.length > 0;
    }, "the stranger is heard");
    await until(() => {
      send(old, 2n);
      return added.handler.messages.length > 0;
    }, "the stranger is answered");
    old.network.setPeers(peersOf([old, added], 1n));
    assert.notEqual(old.network.connectedSinceMs(2n), undefined);
    assert.equal(old.log.count("hearing a member that this one has not been told of yet"), 1);
  });

  it("is not heard any more when it was removed", async () => {
    const [old, added] = [await world.member(1n), await world.member(2n)];
    introduce(old, [old]);
    introduce(added, [old, added]);
    await until(
      () => old.log.count("hearing a member that this one has not been told of yet") > 0,
      "the stranger is heard",
    );
    old.removedIds.add(2n);
    old.network.setPeers([]);
    await until(() => added.handler.removals > 0, "the stranger is told that it was removed");
  });

  it("is one of guestsMax at most", async () => {
    const old = await world.member(1n);
    introduce(old, [old]);
    const many = [];
    for (let id = 2; id <= peerLimits.guestsMax + 3; id++) many.push(await world.member(BigInt(id)));
    for (const member of many) introduce(member, [old, member]);
    await until(() => old.log.count("refused a request of another member") > 0, "one is too many");
    assert.equal(
      old.log.count("hearing a member that this one has not been told of yet"),
      peerLimits.guestsMax,
    );
  });
});
