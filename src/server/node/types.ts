import type {
  AlarmMember,
  CompactionResponse,
  DeleteRangeResponse,
  LeaseGrantResponse,
  LeaseRevokeResponse,
  LeaseTimeToLiveResponse,
  Member,
  PutResponse,
  TxnResponse,
} from "../../codec/index.ts";
import type { Pending } from "../../lib/pending.ts";
import type { KvReader, WatchHubContract } from "../mvcc/index.ts";
import type { SnapshotMetadata } from "../raft/index.ts";
import type { Command, StateSnapshot } from "../state/index.ts";

/** What applying a command answers; headers hold the revision only, the services complete them. */
export interface ApplyResults {
  put: PutResponse;
  deleteRange: DeleteRangeResponse;
  txn: TxnResponse;
  compaction: CompactionResponse;
  leaseGrant: LeaseGrantResponse;
  leaseRevoke: LeaseRevokeResponse;
  leaseTick: undefined;
  leaseFloat: undefined;
  /** The alarms that the request changed or, for a get, all. */
  alarm: AlarmMember[];
  memberAttributes: undefined;
}

export interface MemberAdded {
  readonly member: Member;
  readonly members: Member[];
}

/** The member as the services see it (api floor). All rejections are RequestError. */
export interface ServerNode {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly name: string;
  readonly term: number;
  /** 0n while there is none. */
  readonly leaderId: bigint;
  readonly isLearner: boolean;
  /** Committed and applied log indexes. */
  readonly raftIndex: number;
  readonly appliedIndex: number;
  readonly kv: KvReader;
  readonly watchHub: WatchHubContract;
  readonly quotaBytes: number;

  /**
   * Puts the command through the log and resolves once it is durable on a quorum and applied here. Rejects with
   * requestTooLarge, tooManyRequests, timeout (outcome unknown), stopped, or the error that applying it gave.
   */
  propose<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Promise<ApplyResults[K]>;
  /**
   * The same without a promise, for what comes often. What is refused at once (requestTooLarge, tooManyRequests, stopped) is
   * thrown.
   */
  ask<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Pending<ApplyResults[K]>;
  /** Resolves when reading local state is linearizable: a read index confirmed and applied. */
  readBarrier(): Promise<void>;
  /** Whether `costBytes` more would fit in the quota (semantics-kv-mvcc 10). */
  admits(costBytes: number): boolean;
  /** How often admits() said no. */
  readonly quotaRefusals: number;
  alarms(): AlarmMember[];
  members(): Member[];
  /**
   * Membership changes (semantics-cluster A3 to A6). Resolve once the change is applied here, with all members as
   * they are then. Reject with memberNotFound, memberExists, peerUrlExists, learnerTooMany, learnerNotReady,
   * memberNotLearner, memberNotEnoughStarted, unhealthy (lib/errors.ts names etcd's texts), and as propose does.
   */
  memberAdd(peerUrls: readonly string[], isLearner: boolean): Promise<MemberAdded>;
  memberRemove(id: bigint): Promise<Member[]>;
  memberUpdate(id: bigint, peerUrls: readonly string[]): Promise<Member[]>;
  memberPromote(id: bigint): Promise<Member[]>;
  /** Hands leadership to `target`. Rejects with notLeader, badLeaderTransferee, leaderTransferTimeout. */
  moveLeader(target: bigint): Promise<void>;

  /** id 0n: the member chooses one. */
  leaseGrant(id: bigint, ttl: number): Promise<LeaseGrantResponse>;
  /** The TTL after renewal; 0 when there is no such lease. */
  leaseRenew(id: bigint): Promise<number>;
  /** ttl -1 when there is no such lease; header undefined. */
  leaseTimeToLive(id: bigint, keys: boolean): Promise<LeaseTimeToLiveResponse>;
  leases(): bigint[];
  /** Resolves when the removal up to the current compact revision is finished on this member. */
  compactionFinished(): Promise<void>;
  /** The applied state now, for a backup; close() lets compaction go on. */
  openSnapshot(): { readonly metadata: SnapshotMetadata; readonly state: StateSnapshot };
  /** Gives reclaimable space back. The memory engine holds none after compaction: resolves when that is so. */
  defragment(): Promise<void>;
}

/** What a member reports as it happens, for metrics. Durations in milliseconds. */
export interface NodeObserver {
  /** One command of the log was applied or, `succeeded` false, refused by the state. */
  applied(kind: Command["kind"], succeeded: boolean, durationMs: number): void;
  /** Where records are on disk: what a batch of commands touches was read. */
  loaded(durationMs: number): void;
  leaseGranted(ttlSeconds: number): void;
  /** One snapshot is durable and what it makes needless is gone. */
  snapshotSaved(durationMs: number): void;
  defragmented(durationMs: number): void;
}

/** Totals since the start of the process, and proposals waiting now: for metrics. */
export interface NodeStats {
  readonly proposalsPending: number;
  readonly proposalsFailed: number;
  readonly readIndexesFailed: number;
  readonly readIndexesSlow: number;
  readonly leaderChanges: number;
  readonly slowApplies: number;
  readonly leasesGranted: number;
  readonly leasesRenewed: number;
  readonly leasesRevoked: number;
  readonly leasesExpired: number;
}
