import type { CatchUpLimits } from "../../src/server/mvcc/index.ts";
import type { NetworkSettings } from "./endpoint.ts";
import type { Random } from "./random.ts";

export const faultKinds = [
  "crash",
  "power loss",
  "restart",
  "partition",
  "pause",
  "clock drift",
  "slow disk",
  "failing disk",
  "membership",
  "left behind",
  "leader move",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Everything that is drawn once for a run: the configuration itself is part of what is tested. */
export interface WorldSettings {
  readonly members: number;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly isPreVote: boolean;
  readonly isElectionTickAdvanced: boolean;
  readonly isStrictReconfiguration: boolean;
  readonly learnersMax: number;
  readonly catchUpEntries: number;
  readonly snapshotEntriesMin: number;
  readonly snapshotLogBytesMin: number;
  readonly segmentBytes: number;
  readonly watchProgressMs: number;
  readonly watchCatchUp: Partial<CatchUpLimits>;
  readonly network: NetworkSettings;
  /** Mean of a write that is made durable. */
  readonly diskMs: number;
  /** 0.05: clocks run between 0.95 and 1.05 times as fast as the world's. */
  readonly driftMax: number;
  readonly faults: readonly FaultKind[];
  /** Mean between two faults. */
  readonly faultMs: number;
  readonly clients: number;
  readonly watchers: number;
  readonly leaseholders: number;
  /** Mean between two operations of one client. */
  readonly thinkMs: number;
  readonly keys: number;
}

export function drawWorldSettings(random: Random, members: number | undefined): WorldSettings {
  const heartbeatMs = random.pick([50, 100]);
  const enabled = random.shuffled(faultKinds).slice(0, random.between(2, faultKinds.length));
  return {
    members: members ?? random.pick([1, 3, 3, 3, 3, 5]),
    heartbeatMs,
    electionMs: heartbeatMs * 10,
    isPreVote: random.chance(0.8),
    isElectionTickAdvanced: random.chance(0.5),
    isStrictReconfiguration: random.chance(0.7),
    learnersMax: random.pick([1, 2]),
    catchUpEntries: random.pick([5, 100, 5_000]),
    snapshotEntriesMin: random.pick([20, 100, 1_000]),
    snapshotLogBytesMin: random.pick([10_000, 100_000]),
    segmentBytes: random.pick([4_096, 16_384, 65_536]),
    watchProgressMs: random.pick([500, 3_000]),
    watchCatchUp: {
      intervalMs: random.pick([10, 100]),
      batchRevisionsMax: random.pick([1, 5, 1_000]),
      scanRecordsMax: random.pick([3, 20_000]),
    },
    network: {
      latencyMs: random.pick([0.2, 1, 10]),
      jitterMs: random.pick([0.1, 1, 20]),
      lossRate: random.pick([0, 0.005, 0.05]),
      duplicateRate: random.pick([0, 0.01, 0.05]),
      isOrdered: random.chance(0.6),
      bytesPerMs: random.pick([1_000, 100_000]),
      queueBytesMax: random.pick([50_000, 10_000_000]),
      snapshotFailureRate: random.pick([0, 0.3]),
    },
    diskMs: random.pick([0.2, 2, 10]),
    driftMax: random.pick([0, 0.01, 0.05]),
    faults: enabled,
    faultMs: random.pick([700, 2_000, 6_000]),
    clients: random.pick([3, 5, 8]),
    watchers: random.pick([1, 3]),
    leaseholders: random.pick([0, 2]),
    thinkMs: random.pick([30, 80, 250]),
    keys: random.pick([2, 5, 12]),
  };
}
