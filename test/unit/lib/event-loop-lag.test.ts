import assert from "node:assert/strict";
import { type Clock, SystemClock } from "../../../src/lib/clock.ts";
import { EventLoopLag } from "../../../src/lib/event-loop-lag.ts";

const wait = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

function block(durationMs: number): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end);
}

describe("The event-loop lag", () => {
  it("sees a blocked loop, and forgets it with the window", async () => {
    let skippedMs = 0;
    const system = new SystemClock();
    const clock: Clock = Object.assign(new SystemClock(), { nowMs: () => system.nowMs() + skippedMs });
    const lag = new EventLoopLag(clock);
    try {
      await wait(30);
      block(120);
      await wait(30);
      const blocked = lag.read();
      assert.ok(blocked.max > 0.08 && blocked.max < 5, String(blocked.max));
      assert.ok(blocked.p50 <= blocked.p99 && blocked.p99 <= blocked.p999 && blocked.p999 <= blocked.max);
      assert.ok(lag.read().max > 0.08, "a second scraper sees it too");
      skippedMs = 31_000;
      lag.read();
      assert.ok(lag.read().max < blocked.max);
    } finally {
      lag.close();
    }
  });
});
