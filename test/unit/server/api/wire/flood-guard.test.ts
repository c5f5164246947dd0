import assert from "node:assert/strict";
import { limits } from "../../../../../src/lib/limits.ts";
import { type CheapFrame, FloodGuard } from "../../../../../src/server/api/wire/flood-guard.ts";
import { SimClock } from "../../../../sim/clock.ts";

const rates: Record<CheapFrame, [burst: number, perSecond: number]> = {
  reset: [limits.http2ResetBurst, limits.http2ResetsPerSecond],
  settings: [limits.http2SettingsBurst, limits.http2SettingsPerSecond],
  idle: [limits.http2IdleFrameBurst, limits.http2IdleFramesPerSecond],
};
const kinds = Object.keys(rates) as CheapFrame[];

function admitted(guard: FloodGuard, kind: CheapFrame, count: number): boolean {
  let isAdmitted = true;
  for (let i = 0; i < count; i++) isAdmitted = guard.admit(kind) && isAdmitted;
  return isAdmitted;
}

describe("FloodGuard", () => {
  for (const kind of kinds) {
    const [burst, perSecond] = rates[kind];

    it(`admits a burst of ${kind} frames and refuses the next`, () => {
      const guard = new FloodGuard(new SimClock());
      assert.equal(admitted(guard, kind, burst), true);
      assert.equal(guard.admit(kind), false);
    });

    it(`admits ${kind} frames at their rate for ever, behind a burst too`, () => {
      const clock = new SimClock();
      const guard = new FloodGuard(clock);
      assert.equal(admitted(guard, kind, burst), true);
      for (let second = 0; second < 20; second++) {
        clock.advance(1_000);
        assert.equal(admitted(guard, kind, perSecond), true);
      }
      assert.equal(guard.admit(kind), false);
    });

    it(`lets one burst of ${kind} frames through at once, however long the silence before`, () => {
      const clock = new SimClock();
      const guard = new FloodGuard(clock);
      for (let day = 0; day < 2; day++) {
        clock.advance(86_400_000);
        assert.equal(admitted(guard, kind, burst), true);
        assert.equal(guard.admit(kind), false);
      }
    });
  }

  it("counts each kind for itself", () => {
    const guard = new FloodGuard(new SimClock());
    for (const kind of kinds) assert.equal(admitted(guard, kind, rates[kind][0]), true);
    for (const kind of kinds) assert.equal(guard.admit(kind), false);
  });
});
