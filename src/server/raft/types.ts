/**
 * Plain data of the consensus core (raft-core-spec sections 1, 9 and 12). Indexes and terms are numbers below
 * 2^53; member ids are bigint. An Entry is never changed after it has entered a log.
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

export const emptyHardState: HardState = { term: 0, vote: 0n, commit: 0 };

export interface ConfState {
  readonly voters: readonly bigint[];
  readonly learners: readonly bigint[];
  readonly votersOutgoing: readonly bigint[];
  readonly learnersNext: readonly bigint[];
  readonly autoLeave: boolean;
}

export const emptyConfState: ConfState = {
  voters: [],
  learners: [],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

export interface SnapshotMetadata {
  readonly confState: ConfState;
  readonly index: number;
  readonly term: number;
}

/** The state up to an entry. In a member its content travels beside the log (node/DESIGN.md), so `data` is empty. */
export interface Snapshot {
  readonly metadata: SnapshotMetadata;
  readonly data: Uint8Array;
}

export const role = {
  follower: "follower",
  preCandidate: "preCandidate",
  candidate: "candidate",
  leader: "leader",
} as const;
export type Role = (typeof role)[keyof typeof role];

/** Volatile state, for observers. */
export interface SoftState {
  readonly leader: bigint;
  readonly role: Role;
}

/** A confirmed read: once `index` is applied, the reads behind `context` are linearizable. */
export interface ReadState {
  readonly index: number;
  readonly context: Uint8Array;
}

/** No member: "no leader", "no vote". */
export const NONE = 0n;
/** The targets of MsgStorageAppend and MsgStorageApply. */
export const LOCAL_APPEND = 0xffff_ffff_ffff_ffffn;
export const LOCAL_APPLY = 0xffff_ffff_ffff_fffen;

export const messageType = {
  hup: 0,
  beat: 1,
  prop: 2,
  app: 3,
  appResp: 4,
  vote: 5,
  voteResp: 6,
  snap: 7,
  heartbeat: 8,
  heartbeatResp: 9,
  unreachable: 10,
  snapStatus: 11,
  checkQuorum: 12,
  transferLeader: 13,
  timeoutNow: 14,
  readIndex: 15,
  readIndexResp: 16,
  preVote: 17,
  preVoteResp: 18,
  storageAppend: 19,
  storageAppendResp: 20,
  storageApply: 21,
  storageApplyResp: 22,
  forgetLeader: 23,
} as const;
export type MessageType = (typeof messageType)[keyof typeof messageType];

/** One message; which fields mean something depends on the type (raft-core-spec 1.1). Never changed once made. */
export interface Message {
  readonly type: MessageType;
  readonly to: bigint;
  readonly from: bigint;
  /** 0 on local messages, proposals and read index requests. */
  readonly term: number;
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  readonly reject: boolean;
  readonly rejectHint: number;
  /** "CampaignTransfer" on votes of a transfer, the read position on heartbeats and their answers; else empty. */
  readonly context: Uint8Array;
  /** Set on storageAppend when term, vote or commit changed. */
  readonly hardState: HardState | undefined;
  readonly snapshot: Snapshot | undefined;
  /** For the caller to step once this message's write is durable, or its entries applied. */
  readonly responses: readonly Message[];
}

/**
 * One batch of work for the caller. With asynchronous storage writes (RaftConfig.asyncStorageWrites) `messages` holds
 * all of it: beside what goes to peers, one storageAppend (persist, in order, then step its responses) and one
 * storageApply (apply, then step). Without them the caller persists hardState, snapshot and entries, then sends the
 * messages, applies, and calls advance().
 */
export interface Ready {
  readonly softState: SoftState | undefined;
  readonly readStates: readonly ReadState[];
  readonly messages: readonly Message[];
  /** Set when term, vote or commit changed since the last Ready. */
  readonly hardState: HardState | undefined;
  /** To be made durable, in order. */
  readonly entries: readonly Entry[];
  /** To be installed before `entries`; from a leader that no longer has the entries before it. */
  readonly snapshot: Snapshot | undefined;
  /** To be applied. */
  readonly committedEntries: readonly Entry[];
  /** False: nothing in here has to survive a crash before its messages go out. */
  readonly mustSync: boolean;
}
