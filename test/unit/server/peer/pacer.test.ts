import assert from "node:assert/strict";
import { Pacer } from "../../../../src/server/peer/pacer.ts";
import { SimClock } from "../../../sim/clock.ts";

describe("The pacer of snapshots", () => {
  it("keeps all that share it at one rate: snapshotBytesPerSecond", () => {
    const clock = new SimClock();
    const pacer = new Pacer(clock, 1_000_000);
    clock.advance(1_000);
    const startMs = clock.nowMs();
    for (let i = 0; i < 100; i++) clock.advance(pacer.reserve(50_000));
    const durationMs = clock.nowMs() - startMs;
    // 5 MB at 1 MB a second, less what may be caught up with, and the last is not waited for.
    assert.ok(durationMs >= 4_800 && durationMs <= 5_000, `${durationMs}`);
  });

  it("lets late timers be made up for, but saves nothing up while idle", () => {
    const clock = new SimClock();
    const pacer = new Pacer(clock, 1_000_000);
    clock.advance(1_000);
    const startMs = clock.nowMs();
    // Each wait ends a millisecond late.
    for (let i = 0; i < 200; i++) clock.advance(pacer.reserve(10_000) + 1);
    assert.ok(clock.nowMs() - startMs <= 2_010);
    clock.advance(60_000);
    const burst = [pacer.reserve(100_000), pacer.reserve(100_000), pacer.reserve(100_000)];
    assert.deepEqual(burst, [0, 0, 100]);
  });
});
