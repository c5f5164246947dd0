import assert from "node:assert/strict";
import type { NodeObserver } from "../../../../src/server/node/index.ts";
import { NodeWorld } from "./node-world.ts";

/** Writes down what it is told, without durations. */
class RecordingObserver implements NodeObserver {
  readonly told: string[] = [];
  readonly durationsMs: number[] = [];

  applied(kind: string, succeeded: boolean, durationMs: number): void {
    this.told.push(`${kind} ${succeeded ? "applied" : "refused"}`);
    this.durationsMs.push(durationMs);
  }

  leaseGranted(ttlSeconds: number): void {
    this.told.push(`lease of ${ttlSeconds} s`);
  }

  loaded(): void {
    this.told.push("loaded");
  }

  snapshotSaved(): void {
    this.told.push("snapshot");
  }

  defragmented(durationMs: number): void {
    this.told.push("defragmented");
    this.durationsMs.push(durationMs);
  }
}

describe("The observer of a member", () => {
  let world: NodeWorld;
  let observer: RecordingObserver;
  beforeEach(async () => {
    world = new NodeWorld();
    observer = new RecordingObserver();
    await world.start({ observer });
    observer.told.length = 0;
    observer.durationsMs.length = 0;
  });
  afterEach(() => world.settle(world.member.close()));

  it("is told of each command, applied or refused, and of the TTL of each lease", async () => {
    await world.settle(world.put("a"));
    await assert.rejects(world.settle(world.put("a", "v", 99n)), { code: "leaseNotFound" });
    await world.settle(world.node.leaseGrant(7n, 60));
    assert.deepEqual(observer.told, ["put applied", "put refused", "lease of 60 s", "leaseGrant applied"]);
  });

  it("is told the time of each command alone: one begins where the one before ended", async () => {
    world.clock.stepMs = 1;
    await world.settle(Promise.all([world.put("a"), world.put("b"), world.put("c")]));
    world.clock.stepMs = 0;
    assert.deepEqual(observer.durationsMs, [1, 1, 1]);
  });

  it("is told when the space of a compaction has been given back", async () => {
    for (let i = 0; i < 3; i++) await world.settle(world.put("a", `${i}`));
    await world.settle(
      world.node.propose<"compaction">({ kind: "compaction", request: { revision: 3, physical: false } }),
    );
    await world.settle(world.node.defragment());
    assert.equal(observer.told.at(-1), "defragmented");
  });

  it("is told of a snapshot once, when all of it is done", async () => {
    for (let i = 0; i < 60; i++) await world.settle(world.put("a", "v".repeat(200)));
    await world.pass(1_000);
    assert.equal(observer.told.filter((told) => told === "snapshot").length, 1);
  });
});
