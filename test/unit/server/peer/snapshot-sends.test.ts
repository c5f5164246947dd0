import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { PeerWorld, snapshotMessage, stateOf, type TestMember, until } from "./peer-world.ts";

const endless = function* (): Generator<Buffer> {
  for (;;) yield Buffer.alloc(10_000);
};

describe("Snapshots on their way to peers", () => {
  const world = new PeerWorld();
  afterEach(() => world.close());

  /** Lets snapshots begin at `member` and never end. */
  function holdUp(member: TestMember): { begun: number } {
    const held = { begun: 0 };
    member.handler.onSnapshot = async (_message, chunks) => {
      held.begun++;
      for await (const _ of chunks) await new Promise(() => {});
    };
    return held;
  }

  it("are one per peer: a second is told as failed, the first goes on", async () => {
    const [a, b] = await world.cluster(2);
    const held = holdUp(b!);
    const [first, second] = [stateOf(endless()), stateOf(endless())];
    a!.network.sendSnapshot(snapshotMessage(1n, 2n, 7, 3), first);
    await until(() => held.begun === 1, "the first begun");
    a!.network.sendSnapshot(snapshotMessage(1n, 2n, 8, 3), second);
    await until(() => a!.handler.snapshotsSent.length === 1, "the second told");
    assert.deepEqual([first.closes(), second.closes()], [0, 1]);
  });

  it("give way to one of a later term, at the next attempt", async () => {
    const [a, b] = await world.cluster(2);
    const held = holdUp(b!);
    const [first, second, third] = [stateOf(endless()), stateOf(endless()), stateOf([Buffer.from("x")])];
    a!.network.sendSnapshot(snapshotMessage(1n, 2n, 7, 3), first);
    await until(() => held.begun === 1, "the first begun");
    a!.network.sendSnapshot(snapshotMessage(1n, 2n, 8, 4), second);
    await until(() => a!.handler.snapshotsSent.length === 2, "both told");
    assert.deepEqual([first.closes(), second.closes()], [1, 1]);
    b!.handler.onSnapshot = async (_message, chunks) => {
      for await (const _ of chunks);
    };
    a!.network.sendSnapshot(snapshotMessage(1n, 2n, 8, 4), third);
    await until(() => a!.handler.snapshotsSent.length === 3, "the third told");
    assert.equal(a!.handler.snapshotsSent[2]!.succeeded, true);
  });

  it("are at most snapshotSendsMax to all peers together", async () => {
    const [a, ...others] = await world.cluster(4);
    const held = others.map(holdUp);
    const states = others.map(() => stateOf(endless()));
    for (const [i, state] of states.entries())
      a!.network.sendSnapshot(snapshotMessage(1n, BigInt(i + 2)), state);
    await until(() => a!.handler.snapshotsSent.length === 1, "the third told");
    assert.deepEqual(a!.handler.snapshotsSent, [{ peer: 4n, succeeded: false }]);
    await until(() => held.filter(({ begun }) => begun === 1).length === 2, "the others begun");
    assert.deepEqual(
      states.map((state) => state.closes()),
      [0, 0, 1],
    );
  });

  it("end when the peer leaves the cluster", async () => {
    const [a, b] = await world.cluster(2);
    const held = holdUp(b!);
    const state = stateOf(endless());
    a!.network.sendSnapshot(snapshotMessage(1n, 2n), state);
    await until(() => held.begun === 1, "begun");
    a!.network.setPeers([]);
    await until(() => a!.handler.snapshotsSent.length === 1, "told");
    assert.equal(a!.handler.snapshotsSent[0]!.succeeded, false);
    assert.equal(state.closes(), 1);
  });

  it("keep to snapshotBytesPerSecond", async () => {
    const [a] = await world.cluster(2, { limits: { snapshotBytesPerSecond: 4_000_000 } });
    const startMs = performance.now();
    a!.network.sendSnapshot(
      snapshotMessage(1n, 2n),
      stateOf(Array.from({ length: 16 }, () => Buffer.alloc(100_000))),
    );
    await until(() => a!.handler.snapshotsSent.length === 1, "told");
    const durationMs = performance.now() - startMs;
    // 1.6 MB at 4 MB a second, less the last chunk and what may be caught up with.
    assert.ok(a!.handler.snapshotsSent[0]!.succeeded && durationMs >= 260, `${durationMs} ms`);
  });

  it("are counted", async () => {
    const [a, b] = await world.cluster(2);
    a!.network.sendSnapshot(snapshotMessage(1n, 2n), stateOf([Buffer.from("x")]));
    await until(() => a!.handler.snapshotsSent.length === 1, "told");
    await delay(5);
    assert.equal(a!.observer.count("snapshotSendStarted", 2n), 1);
    assert.equal(a!.observer.count("snapshotSendEnded true", 2n), 1);
    assert.equal(b!.observer.count("snapshotReceiveStarted", 1n), 1);
    assert.equal(b!.observer.count("snapshotReceiveEnded true", 1n), 1);
  });
});
