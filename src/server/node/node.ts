import type { AlarmMember, LeaseGrantResponse, LeaseTimeToLiveResponse, Member } from "../../codec/index.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import { limits } from "../../lib/limits.ts";
import type { Log } from "../../lib/log.ts";
import type { Prng } from "../../lib/prng.ts";
import { minTtlSeconds } from "../lease/index.ts";
import type { KvReader, WatchHubContract } from "../mvcc/index.ts";
import {
  confChangeType,
  decodeConfChange,
  type Entry,
  emptyConfState,
  entryType,
  type HardState,
  MemoryLog,
  RawNode,
  type ReadState,
  role,
  type SnapshotMetadata,
} from "../raft/index.ts";
import {
  type Command,
  decodeCommand,
  encodeCommand,
  encodePeerUrls,
  type ProposedCommand,
  type StateMachine,
} from "../state/index.ts";
import { Consensus, type LogWriter } from "./consensus.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { Proposals } from "./proposals.ts";
import { type ConfirmedRead, ReadQueue } from "./reads.ts";
import { type SnapshotLog, type SnapshotStore, Snapshotter } from "./snapshotter.ts";
import type { ApplyResults, MemberAdded, NodeObserver, NodeStats, ServerNode } from "./types.ts";

export interface NodeOptions {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly prng: Prng;
  readonly state: StateMachine;
  readonly watchHub: WatchHubContract;
  readonly wal: LogWriter & SnapshotLog;
  readonly snapshots: SnapshotStore;
  /** The log as it was found on disk; entries behind `snapshot`. */
  readonly recovered: {
    readonly hardState: HardState;
    readonly entries: readonly Entry[];
    /** Where the state in `state` stands; undefined on an empty data directory. */
    readonly snapshot: SnapshotMetadata | undefined;
  };
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly requestSizeBytesMax: number;
  readonly quotaBytes: number;
  /** Entries between snapshots, at least (flag --snapshot-count), and bytes of their commands, at least. */
  readonly snapshotEntriesMin: number;
  readonly snapshotLogBytesMin: number;
  /** A failure that this member must not outlive: a bug, a broken disk. Called once. */
  readonly onFatal: (error: Error) => void;
  /** A command that takes longer to apply is counted and logged (flag --warning-apply-duration). */
  readonly slowApplyMs: number;
  readonly observer?: NodeObserver;
}

const APPLY_BYTES_MAX = 1_048_576;
const EXPIRE_SCAN_MS = 500;
/** Room in a command around the request that it carries: its id and kind. */
const COMMAND_OVERHEAD_BYTES = 64;

/**
 * One member: proposals and reads go in, raft and the log decide, applied state comes out (DESIGN.md). Everything
 * runs on one thread; only the disk is waited for.
 */
export class MemberNode implements ServerNode {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly name: string;
  readonly isLearner = false;
  readonly watchHub: WatchHubContract;
  readonly quotaBytes: number;

  readonly #options: NodeOptions;
  readonly #state: StateMachine;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #raw: RawNode;
  readonly #consensus: Consensus;
  readonly #proposals: Proposals;
  readonly #reads: ReadQueue;
  readonly #leases: LeaseKeeper;
  readonly #snapshotter: Snapshotter;
  /** Tells the commands of this run from those of the one before, whose waiters are gone. */
  readonly #runId: number;
  #timers: Timer[] = [];
  #appliedIndex: number;
  #appliedTerm: number;
  #leaderId = 0n;
  #failure: Error | undefined;
  #isStopped = false;
  #leaderChanges = 0;
  #slowApplies = 0;
  #leasesGranted = 0;
  #leasesRevoked = 0;

  constructor(options: NodeOptions) {
    const { recovered, clock, log, state } = options;
    this.#options = options;
    this.memberId = options.memberId;
    this.clusterId = options.clusterId;
    this.name = options.name;
    this.watchHub = options.watchHub;
    this.quotaBytes = options.quotaBytes;
    this.#state = state;
    this.#clock = clock;
    this.#log = log;
    this.#runId = options.prng.below(0x1_0000_0000);

    const timeoutMs = 5_000 + 2 * options.electionMs;
    const electionTicks = Math.max(2, Math.floor(options.electionMs / options.heartbeatMs));
    const stable = new MemoryLog();
    if (recovered.snapshot !== undefined) stable.reset(recovered.snapshot.index, recovered.snapshot.term);
    stable.append(recovered.entries);
    this.#appliedIndex = recovered.snapshot?.index ?? 0;
    this.#appliedTerm = recovered.snapshot?.term ?? 0;
    this.#raw = new RawNode({
      id: options.memberId,
      electionTicks,
      stableLog: stable,
      hardState: recovered.hardState,
      confState: recovered.snapshot?.confState ?? emptyConfState,
      applyBytesMax: APPLY_BYTES_MAX,
      uncommittedBytesMax: limits.proposalBytesInFlightMax,
      prng: options.prng,
      log,
    });
    this.#proposals = new Proposals(clock, {
      timeoutMs,
      countMax: limits.proposalsInFlightMax,
      sizeBytesMax: limits.proposalBytesInFlightMax,
    });
    this.#reads = new ReadQueue({
      clock,
      ask: (context) => this.#raw.readIndex(encodeReadContext(this.#runId, context)),
      appliedIndex: () => this.#appliedIndex,
      wake: () => this.#consensus.wake(),
      timeoutMs,
    });
    this.#leases = new LeaseKeeper({
      lessor: state.lessor,
      clock,
      log,
      propose: (command) => this.propose(command),
      memberId: options.memberId,
      minTtlSeconds: minTtlSeconds({ electionTicks, heartbeatIntervalMs: options.heartbeatMs }),
      timeoutMs,
    });
    this.#snapshotter = new Snapshotter({
      clock,
      log,
      store: options.snapshots,
      wal: options.wal,
      entriesMin: options.snapshotEntriesMin,
      logBytesMin: options.snapshotLogBytesMin,
      open: () => ({
        metadata: { index: this.#appliedIndex, term: this.#appliedTerm, confState: this.#raw.confState },
        state: state.openSnapshot(),
      }),
      onSaved: (durationMs) => options.observer?.snapshotSaved(durationMs),
      onFailure: (error) => this.fail(error),
    });
    this.#consensus = new Consensus({
      raw: this.#raw,
      stable,
      writer: options.wal,
      clock,
      sink: {
        apply: (entries) => this.#apply(entries),
        confirmed: (states) => this.#confirmed(states),
        leaderChanged: () => this.#leaderChanged(),
        beforeTurn: () => this.#reads.start(),
      },
      onFailure: (error) => this.fail(error),
    });
  }

  get term(): number {
    return this.#raw.term;
  }

  get leaderId(): bigint {
    return this.#raw.leader;
  }

  get raftIndex(): number {
    return this.#raw.committed;
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get kv(): KvReader {
    return this.#state.store;
  }

  /** Resolves once this member leads or follows a leader and has applied what the log held. Rejects with its failure. */
  async start(): Promise<void> {
    await this.#unlessFailed(this.#begin());
  }

  /** Tells the others, through the log, this member's name and where clients reach it. Rejects as start() does. */
  async publish(clientUrls: readonly string[]): Promise<void> {
    const { memberId, name } = this;
    await this.#unlessFailed(this.propose({ kind: "memberAttributes", memberId, name, clientUrls }));
  }

  /** The failure that ended the member says more than the refusals that it led to. */
  async #unlessFailed(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  async #begin(): Promise<void> {
    const { heartbeatMs, peerUrls, recovered } = this.#options;
    if (recovered.snapshot === undefined && recovered.entries.length === 0) {
      this.#raw.bootstrap([
        { type: confChangeType.addNode, nodeId: this.memberId, context: encodePeerUrls(peerUrls) },
      ]);
    }
    this.#timers = [
      this.#clock.every(heartbeatMs, () => this.#consensus.tick()),
      this.#clock.every(EXPIRE_SCAN_MS, () => this.#proposals.expire()),
    ];
    // What the log holds is applied first; then a lone voter need not wait for an election timeout.
    this.#consensus.turn();
    while (this.#raw.leader === 0n && this.#failure === undefined) {
      if (this.#raw.role === role.follower && this.#appliedIndex >= this.#raw.committed) this.#raw.campaign();
      await this.#nextTurn();
    }
    await this.readBarrier();
  }

  /** Answers all that waits with "server stopped" and takes nothing more. The log is the caller's to close. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#leases.stop();
    this.#reads.stop();
    this.#proposals.stop(new RequestError("stopped"));
    this.#consensus.stop();
    await this.#snapshotter.stop();
  }

  propose<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Promise<ApplyResults[K]> {
    if (this.#isStopped || this.#failure !== undefined) return Promise.reject(new RequestError("stopped"));
    const sequence = this.#proposals.nextSequence();
    const data = encodeCommand({ proposer: this.memberId, runId: this.#runId, sequence }, command);
    if (data.length > this.#options.requestSizeBytesMax + COMMAND_OVERHEAD_BYTES) {
      return Promise.reject(new RequestError("requestTooLarge"));
    }
    try {
      this.#proposals.admit(data.length);
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#raw.committed - this.#appliedIndex > limits.applyLagEntriesMax || !this.#raw.propose(data)) {
      this.#proposals.failedTotal++;
      return Promise.reject(new RequestError(this.#raw.leader === 0n ? "noLeader" : "tooManyRequests"));
    }
    const answer = this.#proposals.wait(sequence, data.length);
    this.#consensus.wake();
    return answer as Promise<ApplyResults[K]>;
  }

  readBarrier(): Promise<void> {
    return this.#reads.wait();
  }

  admits(costBytes: number): boolean {
    if (costBytes === 0 || this.quotaBytes === Number.POSITIVE_INFINITY) return true;
    return this.#state.store.stats().sizeBytes + costBytes < this.quotaBytes;
  }

  alarms(): AlarmMember[] {
    return this.#state.alarms.list();
  }

  members(): Member[] {
    return this.#state.membership.list();
  }

  memberAdd(): Promise<MemberAdded> {
    return Promise.reject(new RequestError("stopped"));
  }

  memberRemove(): Promise<Member[]> {
    return Promise.reject(new RequestError("stopped"));
  }

  memberUpdate(): Promise<Member[]> {
    return Promise.reject(new RequestError("stopped"));
  }

  memberPromote(): Promise<Member[]> {
    return Promise.reject(new RequestError("stopped"));
  }

  moveLeader(): Promise<void> {
    return Promise.reject(new RequestError("stopped"));
  }

  leaseGrant(id: bigint, ttl: number): Promise<LeaseGrantResponse> {
    return this.#leases.grant(id, ttl);
  }

  leaseRenew(id: bigint): Promise<number> {
    return this.#leases.renew(id);
  }

  async leaseTimeToLive(id: bigint, keys: boolean): Promise<LeaseTimeToLiveResponse> {
    return this.#leases.timeToLive(id, keys);
  }

  leases(): bigint[] {
    return this.#leases.leases();
  }

  compactionFinished(): Promise<void> {
    return this.#state.store.compactionFinished();
  }

  /** The memory engine frees what compaction removes at once; what is left to wait for is that removal. */
  async defragment(): Promise<void> {
    const startMs = this.#clock.nowMs();
    await this.#state.store.compactionFinished();
    this.#options.observer?.defragmented(this.#clock.nowMs() - startMs);
  }

  stats(): NodeStats {
    return {
      proposalsPending: this.#proposals.pending,
      proposalsFailed: this.#proposals.failedTotal,
      readIndexesFailed: this.#reads.failedTotal,
      readIndexesSlow: this.#reads.slowTotal,
      leaderChanges: this.#leaderChanges,
      slowApplies: this.#slowApplies,
      leasesGranted: this.#leasesGranted,
      leasesRenewed: this.#leases.renewedTotal,
      leasesRevoked: this.#leasesRevoked,
      leasesExpired: this.#leases.expiredTotal,
    };
  }

  #apply(entries: readonly Entry[]): void {
    let nowMs = this.#clock.nowMs();
    this.#state.lessor.observe(nowMs);
    for (const entry of entries) {
      nowMs = this.#applyEntry(entry, nowMs);
      this.#appliedIndex = entry.index;
      this.#appliedTerm = entry.term;
    }
    this.#reads.applied();
    this.#snapshotter.applied(entries);
  }

  /** Begun at `startMs`; answers when it ended, which is when the next one begins. */
  #applyEntry(entry: Entry, startMs: number): number {
    if (entry.type === entryType.confChange) {
      const change = decodeConfChange(entry.data);
      this.#raw.applyConfChange(change);
      this.#state.applyConfChange(change);
      return this.#clock.nowMs();
    }
    if (entry.data.length === 0) {
      // The first entry of a term: everything before it is applied, so its leader may count lease time.
      if (this.#raw.isLeader && entry.term === this.#raw.term) this.#leases.promote();
      return this.#clock.nowMs();
    }
    const proposed = decodeCommand(entry.data);
    const succeeded = this.#applyCommand(proposed);
    const endMs = this.#clock.nowMs();
    const { kind } = proposed.command;
    this.#options.observer?.applied(kind, succeeded, endMs - startMs);
    if (endMs - startMs > this.#options.slowApplyMs) {
      this.#slowApplies++;
      this.#log.warn("apply request took too long", { kind, index: entry.index, tookMs: endMs - startMs });
    }
    return endMs;
  }

  /** False: the state refused the command. */
  #applyCommand({ id, command }: ProposedCommand): boolean {
    const isOurs = id.proposer === this.memberId && id.runId === this.#runId;
    let answer: unknown;
    try {
      answer = this.#state.apply(command);
    } catch (error) {
      // The same answer on every member is a result; anything else would let members diverge.
      if (!(error instanceof RequestError)) throw error;
      if (isOurs) this.#proposals.reject(id.sequence, error);
      return false;
    }
    if (command.kind === "leaseRevoke") {
      this.#leasesRevoked++;
      this.#leases.applied(command.request.id);
    } else if (command.kind === "leaseGrant") {
      this.#leasesGranted++;
      this.#options.observer?.leaseGranted(command.ttl);
    }
    if (isOurs) this.#proposals.resolve(id.sequence, answer);
    return true;
  }

  /** An answer that was meant for an earlier run of this member is nobody's. */
  #confirmed(states: readonly ReadState[]): void {
    const reads: ConfirmedRead[] = [];
    for (const { index, context } of states) {
      const view = new DataView(context.buffer, context.byteOffset, context.byteLength);
      if (view.getUint32(0) === this.#runId) reads.push({ index, context: view.getFloat64(4) });
    }
    this.#reads.confirmed(reads);
  }

  #leaderChanged(): void {
    if (this.#raw.leader === this.#leaderId) return;
    const wasLeader = this.#leaderId === this.memberId;
    this.#leaderId = this.#raw.leader;
    if (this.#leaderId !== 0n) this.#leaderChanges++;
    if (wasLeader) this.#leases.demote();
    this.#reads.leaderChanged();
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#consensus.wake();
      this.#clock.after(1, resolve);
    });
  }

  /** This member must not go on: nothing is answered from now on, and onFatal is told. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#consensus.stop();
    this.#proposals.stop(new RequestError("stopped"));
    this.#reads.stop();
    this.#options.onFatal(error);
  }
}

/** A read's context as raft carries it: which run of the member asks (4 bytes), and which of its questions. */
function encodeReadContext(runId: number, context: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, runId);
  view.setFloat64(4, context);
  return bytes;
}
