import assert from "node:assert/strict";
import { alarmAction, alarmType } from "../../../../src/codec/index.ts";
import { limits } from "../../../../src/lib/limits.ts";
import { SimFs } from "../../../sim/disk.ts";
import { digestOf, simIdentity } from "../../../sim/member.ts";
import { NodeWorld } from "./node-world.ts";

const stopped = { name: "RequestError", message: "etcdserver: server stopped" };

describe("A member", () => {
  let world: NodeWorld;

  beforeEach(async () => {
    world = new NodeWorld();
    await world.start();
  });

  it("leads, at once, a cluster of its own, and has told its name and client URLs", () => {
    assert.equal(world.node.leaderId, simIdentity.memberId);
    assert.ok(world.clock.nowMs() < 1_000, "no election timeout has passed");
    assert.deepEqual(world.node.members(), [
      {
        id: simIdentity.memberId,
        name: "sim",
        peerUrls: ["http://127.0.0.1:2380"],
        clientUrls: ["http://127.0.0.1:2379"],
        isLearner: false,
      },
    ]);
    assert.equal(world.node.stats().leaderChanges, 1);
    assert.equal(world.node.raftIndex, world.node.appliedIndex);
  });

  it("answers a command with what applying it gave, once it is applied", async () => {
    const { header } = await world.settle(world.put("a", "1"));
    assert.equal(header?.revision, 2);
    assert.equal(world.value("a"), "1");
    assert.equal(world.node.kv.currentRevision, 2);
  });

  it("answers a refusal by the state as a refusal, and goes on", async () => {
    await assert.rejects(world.settle(world.put("a", "1", 99n)), /requested lease not found/);
    assert.deepEqual(world.member.failures, []);
    await world.settle(world.put("a", "1"));
    assert.equal(world.node.stats().proposalsPending, 0);
  });

  it("answers commands that were proposed together in their order", async () => {
    const answers = await world.settle(
      Promise.all(Array.from({ length: 100 }, (_, i) => world.put("a", `${i}`))),
    );
    assert.deepEqual(
      answers.map(({ header }) => header?.revision),
      Array.from({ length: 100 }, (_, i) => i + 2),
    );
    assert.equal(world.value("a"), "99");
  });

  it("reads behind every write that was answered before", async () => {
    const write = world.put("a", "1");
    const barrier = world.node.readBarrier();
    await world.settle(Promise.all([write, barrier]));
    await world.settle(world.node.readBarrier());
    assert.equal(world.value("a"), "1");
  });

  it("refuses a command that exceeds requestSizeBytesMax, and takes one just below it", async () => {
    const overhead = 12;
    const largest = limits.requestSizeBytesMax - overhead;
    await world.settle(world.put("a", "x".repeat(largest)));
    await assert.rejects(world.put("a", "x".repeat(limits.requestSizeBytesMax + 64)), /request is too large/);
    assert.equal(world.value("a")?.length, largest);
  });

  it("refuses more than proposalsInFlightMax commands at a time, and answers those it took", async () => {
    const taken = Array.from({ length: limits.proposalsInFlightMax }, () =>
      world.node.propose({ kind: "leaseTick", leaseTimeMs: 0, fixed: [] }),
    );
    assert.equal(world.node.stats().proposalsPending, limits.proposalsInFlightMax);
    await assert.rejects(world.put("a"), /too many requests/);
    assert.equal(world.node.stats().proposalsFailed, 1);
    await world.settle(Promise.all(taken));
    await world.settle(world.put("a"));
  });

  it("refuses commands while more than applyLagEntriesMax committed ones wait to be applied", async () => {
    // With a clock that says "too long" at every look, a turn applies one batch of about a thousand and ends.
    const value = "x".repeat(1_000);
    const taken = Array.from({ length: limits.applyLagEntriesMax + 3_000 }, () => world.put("a", value));
    world.clock.stepMs = 20;
    let refused: Error | undefined;
    const defer = world.clock.defer.bind(world.clock);
    world.clock.defer = (fn) =>
      defer(() => {
        const { raftIndex, appliedIndex } = world.node;
        if (refused === undefined && raftIndex - appliedIndex > limits.applyLagEntriesMax) {
          world.put("b").catch((error: Error) => {
            refused = error;
          });
        }
        fn();
      });
    await world.settle(Promise.all(taken));
    assert.equal(refused?.message, "etcdserver: too many requests");
    world.clock.stepMs = 0;
    await world.settle(world.put("b"));
  });

  it("gives up on a command after 5 s and two election timeouts when the disk does not answer", async () => {
    const waiting = world.put("a");
    waiting.catch(() => {});
    world.fs.crash();
    await world.pass(6_900);
    assert.equal(world.node.stats().proposalsPending, 1);
    await world.pass(700);
    await assert.rejects(waiting, /request timed out/);
  });

  it("answers 'server stopped' to all that waits when it stops, and to all that comes later", async () => {
    const waiting = [world.put("a"), world.node.readBarrier()].map((each) => assert.rejects(each, stopped));
    await world.node.stop();
    await Promise.all(waiting);
    await assert.rejects(world.put("b"), stopped);
    await assert.rejects(world.node.readBarrier(), stopped);
    await world.node.stop();
    assert.deepEqual(world.member.failures, []);
  });

  it("keeps keys, leases, alarms and members over a restart", async () => {
    await world.settle(world.node.leaseGrant(5n, 100));
    await world.settle(world.put("a", "1", 5n));
    const raise = { action: alarmAction.activate, memberId: 1n, alarm: alarmType.noSpace };
    await world.settle(world.node.propose({ kind: "alarm", request: raise }));
    const before = await world.settle(digestOf(world.member.state));
    const members = world.node.members();
    const { term } = world.node;
    await world.restart();
    assert.equal(await world.settle(digestOf(world.member.state)), before);
    assert.deepEqual(world.node.members(), members);
    assert.deepEqual(world.node.leases(), [5n]);
    assert.deepEqual(world.node.alarms(), [{ memberId: 1n, alarm: alarmType.noSpace }]);
    assert.ok(world.node.term > term);
    await assert.rejects(world.settle(world.put("b")), /database space exceeded/);
    const clear = { ...raise, action: alarmAction.deactivate };
    await world.settle(world.node.propose({ kind: "alarm", request: clear }));
    await world.settle(world.put("b"));
  });

  it("does not take the answers of an earlier run for its own", async () => {
    const lost = world.put("a", "lost");
    lost.catch(() => {});
    await world.crash();
    const answers = await world.settle(Promise.all([world.put("b", "1"), world.put("b", "2")]));
    const [first, second] = answers.map(({ header }) => header?.revision ?? 0) as [number, number];
    assert.equal(second, first + 1);
    assert.equal(world.node.kv.currentRevision, second);
  });

  it("publishes new client URLs and another name over a restart", async () => {
    await world.restart({ name: "renamed" });
    await world.settle(world.node.publish(["https://a:1", "https://b:2"]));
    const [member] = world.node.members();
    assert.deepEqual([member?.name, member?.clientUrls], ["renamed", ["https://a:1", "https://b:2"]]);
  });

  it("admits what fits in the quota, and everything when there is none", async () => {
    assert.equal(world.node.admits(limits.quotaBytes), true);
    await world.restart({ quotaBytes: 1_000 });
    const { sizeBytes } = world.node.kv.stats();
    assert.equal(world.node.admits(999 - sizeBytes), true);
    assert.equal(world.node.quotaRefusals, 0);
    assert.equal(world.node.admits(1_000 - sizeBytes), false);
    assert.equal(world.node.quotaRefusals, 1);
    assert.equal(world.node.admits(0), true);
    await world.restart({ quotaBytes: Number.POSITIVE_INFINITY });
    assert.equal(world.node.admits(Number.MAX_SAFE_INTEGER), true);
  });

  it("gives back what compaction removes before it says that it has", async () => {
    for (let i = 0; i < 20; i++) await world.settle(world.put("a", `${i}`));
    await world.settle(world.node.propose({ kind: "compaction", request: { revision: 21, physical: true } }));
    await world.settle(world.node.compactionFinished());
    assert.equal(world.node.kv.stats().records, 1);
    await world.settle(world.node.defragment());
  });

  it("counts and logs a command that took longer to apply than --warning-apply-duration", async () => {
    const lines: string[] = [];
    const note = (text: string): void => {
      lines.push(text);
    };
    await world.restart({ slowApplyMs: 100, log: { debug: note, info: note, warn: note, error: note } });
    await world.settle(world.put("a"));
    assert.equal(world.node.stats().slowApplies, 0);
    world.clock.stepMs = 150;
    await world.settle(world.put("a"));
    assert.equal(world.node.stats().slowApplies, 1);
    assert.ok(lines.includes("apply request took too long"));
  });
});

describe("The leases of a member", () => {
  let world: NodeWorld;

  beforeEach(async () => {
    world = new NodeWorld();
    await world.start();
  });

  it("end with their keys when their time is over, not earlier", async () => {
    await world.settle(world.node.leaseGrant(1n, 5));
    await world.settle(world.put("a", "v", 1n));
    await world.pass(4_900);
    assert.equal(world.value("a"), "v");
    await world.pass(1_200);
    assert.equal(world.value("a"), undefined);
    assert.equal(await world.ttl(1n), -1);
    const { leasesGranted, leasesRevoked, leasesExpired } = world.node.stats();
    assert.deepEqual([leasesGranted, leasesRevoked, leasesExpired], [1, 1, 1]);
  });

  it("count on after a restart from what they had left, to about a second, and never end early", async () => {
    for (const kind of ["close", "crash"] as const) {
      await world.settle(world.node.leaseGrant(1n, 60));
      await world.settle(world.put("a", "v", 1n));
      await world.pass(20_000);
      if (kind === "close") await world.restart();
      else await world.crash();
      const left = await world.ttl(1n);
      assert.ok(left >= 39 && left <= 41, `${left} s left after ${kind}`);
      await world.pass(39_500);
      assert.equal(world.value("a"), "v", `40 s must pass after ${kind}`);
      await world.pass(2_500);
      assert.equal(world.value("a"), undefined, `42 s are enough after ${kind}`);
    }
  });

  it("have their whole time after a restart when a client renewed them lately", async () => {
    await world.settle(world.node.leaseGrant(1n, 60));
    for (let i = 0; i < 3; i++) {
      await world.pass(15_000);
      assert.equal(await world.settle(world.node.leaseRenew(1n)), 60);
    }
    await world.pass(10_000);
    await world.crash();
    const left = await world.ttl(1n);
    assert.ok(left >= 59 && left <= 60, `${left} s left`);
    assert.equal(world.node.stats().leasesRenewed, 0);
    await world.pass(59_000);
    assert.deepEqual(world.node.leases(), [1n]);
    await world.pass(2_500);
    assert.deepEqual(world.node.leases(), []);
  });

  it("do not get their whole time again when their client fell silent long before", async () => {
    await world.settle(world.node.leaseGrant(1n, 60));
    await world.settle(world.node.leaseRenew(1n));
    await world.pass(40_000);
    await world.crash();
    const left = await world.ttl(1n);
    assert.ok(left >= 19 && left <= 21, `${left} s left`);
  });

  it("are chosen ids that no later run chooses again", async () => {
    const { id: first } = await world.settle(world.node.leaseGrant(0n, 60));
    await world.settle(world.node.propose({ kind: "leaseRevoke", request: { id: first } }));
    await world.pass(1_000);
    await world.restart();
    const { id: second } = await world.settle(world.node.leaseGrant(0n, 60));
    assert.ok(first > 0n && second > 0n);
    assert.notEqual(first, second);
  });
});

describe("The snapshots of a member", () => {
  const files = (world: NodeWorld, folder: string): Promise<string[]> =>
    world.fs.readDirectory(`/data/member/${folder}`);

  it("are taken when enough log has gathered, let log files go, and are what a restart begins from", async () => {
    const world = new NodeWorld();
    await world.start();
    const firstSegment = (await files(world, "wal"))[0];
    for (let i = 0; i < 400; i++) await world.settle(world.put(`key${i % 50}`, "x".repeat(300)));
    await world.pass(500);
    const snapshots = await files(world, "snap");
    assert.equal(snapshots.length, 1, `the newest alone: ${snapshots}`);
    const segments = await files(world, "wal");
    assert.ok(!segments.includes(firstSegment ?? ""), `${firstSegment} is still there: ${segments}`);
    const before = await world.settle(digestOf(world.member.state));
    const members = world.node.members();
    await world.restart();
    assert.equal(await world.settle(digestOf(world.member.state)), before);
    assert.deepEqual(world.node.members(), members);
    await world.settle(world.put("after", "1"));
    await world.crash();
    assert.equal(world.value("after"), "1");
    assert.equal(world.value("key49"), "x".repeat(300));
  });

  it("are not begun by a member that stops", async () => {
    const world = new NodeWorld();
    await world.start();
    await world.settle(Promise.all(Array.from({ length: 60 }, () => world.put("a", "x".repeat(300)))));
    await world.settle(world.member.close());
    assert.deepEqual(world.member.failures, []);
  });
});

describe("A member that must not go on", () => {
  /** The disk operations that a start takes, and one write more. */
  const operationsOfStart = async (): Promise<number> => {
    const world = new NodeWorld();
    await world.start();
    return world.fs.operations;
  };

  it("answers nothing after a failed write of its log, and says once why", async () => {
    const operation = (await operationsOfStart()) + 1;
    const world = new NodeWorld(new SimFs({ seed: 1, failAt: { operation, code: "EIO" } }));
    await world.start();
    const refused = [world.put("a"), world.put("b"), world.node.readBarrier()].map((each) =>
      each.then(
        () => "answered",
        (error: Error) => error.message,
      ),
    );
    const [first, second] = await world.settle(Promise.all(refused));
    assert.deepEqual([first, second], [stopped.message, stopped.message]);
    await assert.rejects(world.put("c"), stopped);
    await assert.rejects(world.node.readBarrier(), stopped);
    await world.pass(2_000);
    assert.deepEqual(
      world.member.failures.map((error) => error.name),
      ["StorageFailure"],
    );
    assert.equal(world.value("a"), undefined);
    await world.node.stop();
  });

  it("rejects its start with the failure itself when the log fails under it", async () => {
    const total = await operationsOfStart();
    const world = new NodeWorld(new SimFs({ seed: 1, failAt: { operation: total, code: "ENOSPC" } }));
    await assert.rejects(world.start(), (error: Error) => {
      assert.equal(error.name, "StorageFailure");
      assert.notEqual((error as Error & { hint: string }).hint, "");
      return true;
    });
  });

  it("ends when applying a command throws what is no answer", async () => {
    const world = new NodeWorld();
    await world.start();
    const { store } = world.member.state;
    store.put = () => {
      throw new TypeError("a bug");
    };
    await assert.rejects(world.settle(world.put("a")), stopped);
    assert.deepEqual(
      world.member.failures.map((error) => error.message),
      ["a bug"],
    );
    world.node.fail(new Error("another"));
    assert.equal(world.member.failures.length, 1);
  });

  it("ends when a snapshot cannot be written", async () => {
    const world = new NodeWorld();
    await world.start({
      snapshots: {
        write: () => Promise.reject(new Error("no space for the snapshot")),
        open: () => Promise.reject(new Error("nobody sends one")),
        removeBefore: async () => {},
      },
    });
    await world.settle(Promise.allSettled(Array.from({ length: 60 }, () => world.put("a", "x".repeat(300)))));
    await world.pass(100);
    assert.deepEqual(
      world.member.failures.map((error) => error.message),
      ["no space for the snapshot"],
    );
    await assert.rejects(world.put("b"), stopped);
  });
});
