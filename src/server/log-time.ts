import type { Clock } from "../lib/clock.ts";

/** The wall clock may be set while we count; beyond this difference, in milliseconds, we follow it. */
const driftMsMax = 2;

/** Timestamps with microseconds and a numeric zone: 2026-08-20T15:13:15.123456+0100, "Z" for UTC. */
export class LogTime {
  readonly #clock: Clock;
  #wallAnchorMs: number;
  #monotonicAnchorMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wallAnchorMs = clock.wallMs();
    this.#monotonicAnchorMs = clock.nowMs();
  }

  now(): string {
    const wallMs = this.#clock.wallMs();
    const monotonicMs = this.#clock.nowMs();
    let exactMs = this.#wallAnchorMs + (monotonicMs - this.#monotonicAnchorMs);
    if (Math.abs(exactMs - wallMs) > driftMsMax) {
      this.#wallAnchorMs = wallMs;
      this.#monotonicAnchorMs = monotonicMs;
      exactMs = wallMs;
    }
    return formatTimestamp(exactMs, -new Date(exactMs).getTimezoneOffset());
  }
}

/** `epochMs` may have a fraction; `zoneMinutes` is minutes east of UTC. */
export function formatTimestamp(epochMs: number, zoneMinutes: number): string {
  const micros = Math.floor(epochMs * 1e3);
  const wholeMs = Math.floor(micros / 1e3);
  const local = new Date(wholeMs + zoneMinutes * 60_000).toISOString().slice(0, -1);
  const digits = String(micros - wholeMs * 1e3).padStart(3, "0");
  return `${local}${digits}${zone(zoneMinutes)}`;
}

function zone(minutes: number): string {
  if (minutes === 0) return "Z";
  const size = Math.abs(minutes);
  const hours = String(Math.floor(size / 60)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${hours}${String(size % 60).padStart(2, "0")}`;
}
