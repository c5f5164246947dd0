import assert from "node:assert/strict";
import { rest } from "../../../src/lib/pace.ts";
import { SimClock } from "../../sim/clock.ts";

/** How long the rest after 5 ms of work is, by its factor and limit. */
async function restMs(factor: number, restMsMax?: number, isHurried = false): Promise<number> {
  const clock = new SimClock();
  clock.advance(5);
  let isOver = false;
  void rest({ clock, isHurried: () => isHurried }, 0, factor, restMsMax).then(() => {
    isOver = true;
  });
  for (let ms = 0; ; ms++) {
    await new Promise((resolve) => setImmediate(resolve));
    if (isOver) return ms;
    clock.advance(1);
  }
}

describe("A rest", () => {
  it("is as many times as long as the work, up to its limit", async () => {
    assert.deepEqual([await restMs(1), await restMs(4), await restMs(4, 12)], [5, 20, 12]);
  });

  it("is left out when somebody waits for the end, and where the work took no time", async () => {
    assert.equal(await restMs(4, undefined, true), 0);
    const clock = new SimClock();
    await rest({ clock, isHurried: () => false }, clock.nowMs(), 4);
  });
});
