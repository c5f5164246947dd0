import assert from "node:assert/strict";
import { type Clock, SystemClock } from "../../../src/lib/clock.ts";
import { formatTimestamp, LogTime } from "../../../src/server/log-time.ts";

describe("Timestamps of the log", () => {
  it("have microseconds and a numeric zone, Z for UTC", () => {
    const epochMs = Date.UTC(2026, 7, 20, 14, 13, 15, 123);
    assert.equal(formatTimestamp(epochMs + 0.456, 60), "2026-08-20T15:13:15.123456+0100");
    assert.equal(formatTimestamp(epochMs, 0), "2026-08-20T14:13:15.123000Z");
    assert.equal(formatTimestamp(epochMs, -210), "2026-08-20T10:43:15.123000-0330");
  });

  it("count on between the milliseconds of the wall clock, and follow it when it is set", () => {
    let wallMs = 1_000_000;
    let nowMs = 10;
    const clock: Clock = Object.assign(new SystemClock(), { wallMs: () => wallMs, nowMs: () => nowMs });
    const time = new LogTime(clock);
    nowMs += 0.25;
    assert.match(time.now(), /:40\.000250/);
    nowMs += 1;
    wallMs += 1;
    assert.match(time.now(), /:40\.001250/);
    wallMs += 60_000;
    assert.match(time.now(), /:40\.001000/);
  });
});
