import assert from "node:assert/strict";
import { type Clock, SystemClock } from "../../../../src/lib/clock.ts";
import { RequestError } from "../../../../src/lib/errors.ts";
import { Guard } from "../../../../src/server/api/guard.ts";
import { LeaderMonitor } from "../../../../src/server/api/leader-monitor.ts";
import { FakeStream, tableOptions } from "./fake-call.ts";
import { FakeNode } from "./fake-node.ts";

describe("LeaderMonitor", () => {
  const node = { leaderId: 1n };
  let looks: { periodMs: number; fn: () => void }[];
  let clock: Clock;

  beforeEach(() => {
    node.leaderId = 1n;
    looks = [];
    clock = new SystemClock();
    clock.every = (periodMs, fn) => {
      const look = { periodMs, fn };
      looks.push(look);
      return { cancel: () => looks.splice(looks.indexOf(look), 1) };
    };
  });

  const look = () => looks[0]?.fn();

  it("cancels after three looks in a row without a leader, one election timeout apart", () => {
    const cancelled: string[] = [];
    const monitor = new LeaderMonitor(node, clock, 1_000);
    monitor.watch(() => cancelled.push("a"));
    monitor.watch(() => cancelled.push("b"));
    assert.deepEqual(
      looks.map(({ periodMs }) => periodMs),
      [1_000],
    );
    node.leaderId = 0n;
    look();
    look();
    node.leaderId = 1n;
    look();
    node.leaderId = 0n;
    look();
    look();
    assert.deepEqual(cancelled, []);
    look();
    assert.deepEqual(cancelled, ["a", "b"]);
    assert.equal(looks.length, 0, "nothing is left to look for");
  });

  it("leaves alone what is taken back, and stops looking after the last", () => {
    const monitor = new LeaderMonitor(node, clock, 1_000);
    const first = monitor.watch(() => assert.fail("taken back"));
    const second = monitor.watch(() => assert.fail("taken back"));
    first();
    assert.equal(looks.length, 1);
    second();
    second();
    assert.equal(looks.length, 0);
  });

  it("ends a guarded stream with noLeader after its own cleaning up", () => {
    const fake = new FakeNode();
    const guard = new Guard(fake, { ...tableOptions, clock });
    const stream = new FakeStream({ hasleader: "true" });
    const steps: string[] = [];
    guard.admitStream(stream, () => steps.push(`ended: ${stream.ended !== undefined}`));
    guard.admitStream(new FakeStream(), () => assert.fail("did not ask for a leader"));
    fake.leaderId = 0n;
    for (let i = 0; i < 3; i++) look();
    assert.deepEqual(steps, ["ended: false"]);
    assert.ok(stream.ended instanceof RequestError && stream.ended.code === "noLeader");
  });
});
