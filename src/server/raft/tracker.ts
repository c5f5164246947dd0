import { Inflights } from "./inflights.ts";
import { Progress } from "./progress.ts";
import { jointVote, majorityIndex, type VoteResult } from "./quorum.ts";
import type { ConfState } from "./types.ts";

/**
 * Who takes part. `outgoing` has members only in a joint configuration. All lists ascend and are never changed in
 * place.
 */
export interface TrackerConfig {
  readonly incoming: readonly bigint[];
  readonly outgoing: readonly bigint[];
  readonly learners: readonly bigint[];
  /** Voters of the outgoing half that become learners when the joint configuration is left. */
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

export const emptyTrackerConfig: TrackerConfig = {
  incoming: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** A configuration and the progress of each of its members. */
export interface Membership {
  readonly config: TrackerConfig;
  readonly progress: ReadonlyMap<bigint, Progress>;
}

export interface InflightLimits {
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
}

export function newProgress(id: bigint, next: number, limits: InflightLimits): Progress {
  return new Progress(id, next, new Inflights(limits.inflightMessagesMax, limits.inflightBytesMax));
}

export function isJoint(config: TrackerConfig): boolean {
  return config.outgoing.length > 0;
}

/** Ids of both halves, ascending. */
export function votersOf({ incoming, outgoing }: TrackerConfig): bigint[] {
  return [...new Set([...incoming, ...outgoing])].sort(compareIds);
}

export function compareIds(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The members, their progress, and the votes of an election (raft-core-spec 7.3). */
export class Tracker {
  config: TrackerConfig = emptyTrackerConfig;
  /** Ascending by id, which is the order of all that is sent. */
  peers: readonly Progress[] = [];
  #byId: ReadonlyMap<bigint, Progress> = new Map();
  #incoming: readonly Progress[] = [];
  #outgoing: readonly Progress[] = [];
  readonly #votes = new Map<bigint, boolean>();
  readonly #indexes: number[] = [];
  #confState: ConfState | undefined;

  install({ config, progress }: Membership): void {
    this.config = config;
    this.#byId = progress;
    this.peers = [...progress.values()].sort((left, right) => compareIds(left.id, right.id));
    this.#incoming = this.peers.filter(({ id }) => config.incoming.includes(id));
    this.#outgoing = this.peers.filter(({ id }) => config.outgoing.includes(id));
    this.#confState = undefined;
  }

  get membership(): Membership {
    return { config: this.config, progress: this.#byId };
  }

  get(id: bigint): Progress | undefined {
    return this.#byId.get(id);
  }

  isVoter(id: bigint): boolean {
    return this.config.incoming.includes(id) || this.config.outgoing.includes(id);
  }

  /** One voter and nobody to ask. */
  get isSingleton(): boolean {
    return this.config.incoming.length === 1 && this.config.outgoing.length === 0;
  }

  /** The highest index that both majorities have. */
  committed(): number {
    return Math.min(this.#majorityMatch(this.#incoming), this.#majorityMatch(this.#outgoing));
  }

  #majorityMatch(voters: readonly Progress[]): number {
    const indexes = this.#indexes;
    indexes.length = 0;
    for (const { match } of voters) indexes.push(match);
    return majorityIndex(indexes);
  }

  /** Whether majorities of the voters were heard from since the last check. */
  isQuorumActive(): boolean {
    const { incoming, outgoing } = this.config;
    const isActive = (id: bigint) => this.#byId.get(id)?.isRecentlyActive === true;
    return jointVote(incoming, outgoing, isActive) === "won";
  }

  /** The first answer of a voter counts. */
  recordVote(id: bigint, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  tallyVotes(): { granted: number; rejected: number; result: VoteResult } {
    let granted = 0;
    let rejected = 0;
    for (const { id, isLearner } of this.peers) {
      const vote = this.#votes.get(id);
      if (vote === undefined || isLearner) continue;
      if (vote) granted++;
      else rejected++;
    }
    const { incoming, outgoing } = this.config;
    return { granted, rejected, result: jointVote(incoming, outgoing, (id) => this.#votes.get(id)) };
  }

  confState(): ConfState {
    this.#confState ??= confStateOf(this.config);
    return this.#confState;
  }
}

export function confStateOf(config: TrackerConfig): ConfState {
  return {
    voters: config.incoming,
    learners: config.learners,
    votersOutgoing: config.outgoing,
    learnersNext: config.learnersNext,
    autoLeave: config.autoLeave,
  };
}
