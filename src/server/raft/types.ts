/**
 * Plain data of the consensus core (raft-core-spec sections 1 and 12). Indexes and terms are numbers below 2^53;
 * member ids are bigint. An Entry is never changed after it has entered a log.
 */
export const entryType = { normal: 0, confChange: 1, confChangeV2: 2 } as const;
export type EntryType = (typeof entryType)[keyof typeof entryType];

export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** What must be durable before a member answers for it; all zero when it never was. */
export interface HardState {
  readonly term: number;
  readonly vote: bigint;
  readonly commit: number;
}

export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

export interface SnapshotMetadata {
  readonly confState: ConfState;
  readonly index: number;
  readonly term: number;
}
