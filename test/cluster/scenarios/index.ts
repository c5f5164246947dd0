import { catchUp } from "./catch-up.ts";
import { gracefulStop } from "./graceful-stop.ts";
import { growAndShrink } from "./grow-and-shrink.ts";
import { killLeader } from "./kill-leader.ts";
import { minorityPartition } from "./minority-partition.ts";
import { pausedLeader } from "./paused-leader.ts";
import type { ScenarioOptions, ScenarioResult } from "./scenario.ts";

export interface Scenario {
  readonly name: string;
  /** What it shows, as a sentence. */
  readonly promise: string;
  /** Minutes at most: for the full size, and for the short one that tests run. */
  readonly minutes: readonly [full: number, short: number];
  run(options: ScenarioOptions, isShort: boolean): Promise<ScenarioResult>;
}

export const scenarios: readonly Scenario[] = [
  {
    name: "kill-leader",
    promise: "writes go on within two election time-outs of the leader's death, and none is lost",
    minutes: [15, 1],
    run: (options, isShort) => killLeader({ ...options, kills: isShort ? 3 : 50 }),
  },
  {
    name: "minority-3",
    promise: "a leader alone acknowledges no write and serves no linearizable read",
    minutes: [5, 1],
    run: (options, isShort) => minorityPartition({ ...options, size: 3, rounds: isShort ? 2 : 12 }),
  },
  {
    name: "minority-5",
    promise: "a leader with one follower out of four does not either",
    minutes: [5, 1],
    run: (options, isShort) => minorityPartition({ ...options, size: 5, rounds: isShort ? 1 : 12 }),
  },
  {
    name: "paused-leader",
    promise: "a leader that wakes up answers no stale linearizable read",
    minutes: [10, 1],
    run: (options, isShort) => pausedLeader({ ...options, rounds: isShort ? 2 : 30 }),
  },
  {
    name: "grow-and-shrink",
    promise: "a cluster grows from one member to five and shrinks to three under its clients",
    minutes: [10, 2],
    run: (options, isShort) =>
      growAndShrink({ ...options, clients: isShort ? 6 : 16, cycles: isShort ? 1 : 3 }),
  },
  {
    name: "graceful-stop",
    promise: "a leader that is asked to stop hands over first",
    minutes: [5, 1],
    run: (options, isShort) => gracefulStop({ ...options, rounds: isShort ? 3 : 20 }),
  },
  {
    name: "catch-up",
    promise: "a member that missed more than the log keeps comes back by a snapshot while the others serve",
    minutes: [30, 2],
    run: (options, isShort) =>
      catchUp(
        isShort
          ? { ...options, entries: 20_000, writers: 32, snapshotCount: 2_000, keptMin: 0.2 }
          : { ...options, entries: Number(process.env["CATCH_UP_ENTRIES"] ?? 1_000_000) },
      ),
  },
];
