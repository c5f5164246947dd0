import type { ClusterEvent } from "./cluster-event.ts";
import type { MemberMemory } from "./member-memory.ts";
import type { MemberModel } from "./member-model.ts";

export type ClusterHealth = "healthy" | "degraded" | "noLeader" | "noQuorum" | "unreachable";

/** One row of numbers over time. */
export interface Series {
  readonly name: string;
  /** Undefined while it is not known. */
  readonly current: number | undefined;
  /** The oldest first, one per sample. */
  readonly history: readonly (number | undefined)[];
}

export interface SpaceModel {
  readonly dbSizeBytes: number;
  readonly inUseBytes: number;
  /** 0 when nobody says. */
  readonly quotaBytes: number;
  readonly keys: number | undefined;
  readonly compactRevision: number | undefined;
  readonly watchers: number | undefined;
  readonly slowWatchers: number | undefined;
}

/** All that the screen shows, computed from samples alone. */
export interface ClusterModel {
  readonly atMs: number;
  readonly wallMs: number;
  readonly clusterId: string | undefined;
  readonly revision: number;
  readonly term: number;
  readonly health: ClusterHealth;
  /** The leader that the member with the highest term names. */
  readonly leaderId: string | undefined;
  /** The last leader there was. */
  readonly lastLeaderId: string | undefined;
  readonly voters: number;
  /** Voters that answered and know a leader. */
  readonly votersReady: number;
  readonly learners: number;
  /** Ordered by name. */
  readonly members: readonly MemberModel[];
  /** Counts per second. */
  readonly throughput: readonly Series[];
  /** Milliseconds, 99th percentile, of the worst member. */
  readonly latency: readonly Series[];
  readonly space: SpaceModel;
  /** "NOSPACE n2" */
  readonly alarms: readonly string[];
  /** The latest first. */
  readonly events: readonly ClusterEvent[];
  /** Monotonic milliseconds of the last sample in which a member answered; undefined when none ever has. */
  readonly answeredAtMs: number | undefined;
  /** Why no member could be asked; undefined when some answered. */
  readonly failure: string | undefined;
  readonly memory: ReadonlyMap<string, MemberMemory>;
}
