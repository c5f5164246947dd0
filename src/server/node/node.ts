import type { AlarmMember, LeaseGrantResponse, LeaseTimeToLiveResponse, Member } from "../../codec/index.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import { type ErrorName, RequestError, UsageError } from "../../lib/errors.ts";
import { andThen } from "../../lib/eventual.ts";
import { limits } from "../../lib/limits.ts";
import type { Log } from "../../lib/log.ts";
import type { Pending } from "../../lib/pending.ts";
import type { Prng } from "../../lib/prng.ts";
import { minTtlSeconds } from "../lease/index.ts";
import type { KvReader, WatchHubContract } from "../mvcc/index.ts";
import {
  type ConfChange,
  type Entry,
  emptyConfState,
  entryType,
  type HardState,
  MemoryLog,
  RawNode,
  role,
  type Snapshot,
  type SnapshotMetadata,
} from "../raft/index.ts";
import type { Command, StateExtent, StateMachine } from "../state/index.ts";
import { Applier } from "./applier.ts";
import { Consensus, type LogWriter } from "./consensus.ts";
import type { DurableState } from "./durable-state.ts";
import { LeaderLoss } from "./leader-loss.ts";
import { LeaderOnly } from "./leader-only.ts";
import { LeaderTransfer } from "./leader-transfer.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { MemberChanges } from "./member-changes.ts";
import { noPeers, type Peer, type PeerHandler, type PeerNetwork } from "./peers.ts";
import { Proposals } from "./proposals.ts";
import { Proposer } from "./proposer.ts";
import { encodeReadContext, readsOfRun } from "./read-context.ts";
import { ReadQueue } from "./reads.ts";
import { answerCall, type LeaderWork, RemoteLeader } from "./remote-calls.ts";
import { SnapshotExchange } from "./snapshot-exchange.ts";
import { type SnapshotLog, type SnapshotStore, Snapshotter } from "./snapshotter.ts";
import type { ApplyResults, MemberAdded, NodeObserver, NodeStats, ServerNode } from "./types.ts";

export interface NodeOptions {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly name: string;
  /** The first entries of a new cluster's log, the same on all its members; undefined on a restart and a join. */
  readonly bootstrap: readonly ConfChange[] | undefined;
  /** The way to other members; left out by one that is alone. */
  readonly network?: PeerNetwork;
  /** Whom to reach until the log tells who the members are. */
  readonly initialPeers?: readonly Peer[];
  /** The id of a member that is added now. */
  readonly newMemberId: (peerUrls: readonly string[]) => bigint;
  readonly reconfiguration: {
    /** Flag --strict-reconfig-check. */
    readonly isStrict: boolean;
    readonly learnersMax: number;
  };
  readonly isPreVote: boolean;
  /** Spares a member that starts most of its first election timeout. */
  readonly isElectionTickAdvanced: boolean;
  /** Applied entries kept for members that are a little behind (flag --snapshot-catchup-entries). */
  readonly catchUpEntries: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly prng: Prng;
  readonly state: StateMachine;
  /** Where the state's records are on disk: `state` is what was recovered from there. */
  readonly durable?: DurableState;
  readonly watchHub: WatchHubContract;
  /** The store has other content than before: that of a snapshot from another member. */
  readonly onRestored: () => void;
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
const APPEND_BYTES_MAX = 1_048_576;
const INFLIGHT_BYTES_MAX = 64 * 1_048_576;
const EXPIRE_SCAN_MS = 500;
/** Ticks of the first election timeout that are left for a leader to be heard of. */
const TICKS_LEFT_AT_START = 2;

/** The removed member: what its operator reads. */
const removedText = "the member has been permanently removed from the cluster";
const removedHint =
  "Its data is of no use any more. To bring the host back: delete the data directory, metastore member add, and " +
  "start with --initial-cluster-state=existing.";

/**
 * One member: proposals and reads go in, raft and the log decide, applied state comes out (DESIGN.md). Everything
 * runs on one thread; only the disk and the other members are waited for.
 */
export class MemberNode implements ServerNode {
  readonly memberId: bigint;
  readonly clusterId: bigint;
  readonly name: string;
  readonly watchHub: WatchHubContract;
  readonly quotaBytes: number;
  quotaRefusals = 0;

  readonly #options: NodeOptions;
  readonly #state: StateMachine;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #network: PeerNetwork;
  readonly #raw: RawNode;
  readonly #consensus: Consensus;
  readonly #applier: Applier;
  readonly #proposals: Proposals;
  readonly #proposer: Proposer;
  readonly #reads: ReadQueue;
  readonly #leases: LeaseKeeper;
  readonly #changes: MemberChanges;
  readonly #transfer: LeaderTransfer;
  /** Without pre-vote, wrong news would depose a leader. */
  readonly #leaderLoss: LeaderLoss | undefined;
  readonly #leaderOnly: LeaderOnly;
  readonly #remote: RemoteLeader;
  readonly #snapshotter: Snapshotter;
  readonly #exchange: SnapshotExchange;
  readonly #electionTicks: number;
  readonly #timeoutMs: number;
  /** Tells the commands of this run from those of the one before, whose waiters are gone. */
  readonly #runId: number;
  #timers: Timer[] = [];
  #leaderId = 0n;
  #leaderSinceMs = 0;
  #failure: Error | undefined;
  #isStopped = false;
  #leaderChanges = 0;
  #leasesGranted = 0;
  #leasesRevoked = 0;

  constructor(options: NodeOptions) {
    const { memberId, recovered, clock, log, state } = options;
    this.#options = options;
    this.memberId = memberId;
    this.clusterId = options.clusterId;
    this.name = options.name;
    this.watchHub = options.watchHub;
    this.quotaBytes = options.quotaBytes;
    this.#state = state;
    this.#clock = clock;
    this.#log = log;
    this.#network = options.network ?? noPeers;
    this.#runId = options.prng.below(0x1_0000_0000);
    this.#timeoutMs = 5_000 + 2 * options.electionMs;
    this.#electionTicks = Math.max(2, Math.floor(options.electionMs / options.heartbeatMs));

    const { hardState } = recovered;
    /** Where the state stands. */
    const start = options.durable?.position ?? recovered.snapshot;
    const stable = new MemoryLog(() => this.#snapshotNow());
    if (recovered.snapshot !== undefined) stable.reset(recovered.snapshot.index, recovered.snapshot.term);
    stable.append(recovered.entries);
    this.#raw = new RawNode({
      id: memberId,
      electionTicks: this.#electionTicks,
      stableLog: stable,
      // The engine may have applied what the log did not yet know to be committed when it was last written.
      hardState: { ...hardState, commit: Math.max(hardState.commit, start?.index ?? 0) },
      confState: start?.confState ?? emptyConfState,
      applied: start?.index ?? 0,
      applyBytesMax: APPLY_BYTES_MAX,
      uncommittedBytesMax: limits.proposalBytesInFlightMax,
      maxSizePerMessage: APPEND_BYTES_MAX,
      inflightBytesMax: INFLIGHT_BYTES_MAX,
      preVote: options.isPreVote,
      checkQuorum: true,
      prng: options.prng,
      log,
    });
    this.#proposals = new Proposals(clock, {
      timeoutMs: this.#timeoutMs,
      countMax: limits.proposalsInFlightMax,
      sizeBytesMax: limits.proposalBytesInFlightMax,
    });
    const run = { proposer: memberId, runId: this.#runId };
    this.#proposer = new Proposer({
      raw: this.#raw,
      proposals: this.#proposals,
      run,
      requestSizeBytesMax: options.requestSizeBytesMax,
      appliedIndex: () => this.#applier.index,
      wake: () => this.#consensus.wake(),
      isEnded: () => this.#isEnded,
    });
    this.#applier = new Applier({
      state,
      clock,
      log,
      run,
      slowMs: options.slowApplyMs,
      observer: options.observer,
      position: start ?? { index: 0, term: 0 },
      sink: {
        command: (sequence) => this.#proposals.command(sequence),
        resolve: (sequence, answer) => this.#proposals.resolve(sequence, answer),
        reject: (sequence, error) => this.#proposals.reject(sequence, error),
        confChange: (change) => this.#raw.applyConfChange(change),
        membersChanged: () => this.#membersChanged(),
        emptyEntry: (entry) => this.#appliedEmpty(entry),
        leaseGranted: (ttlSeconds) => {
          this.#leasesGranted++;
          options.observer?.leaseGranted(ttlSeconds);
        },
        leaseRevoked: (id) => {
          this.#leasesRevoked++;
          this.#leases.applied(id);
        },
        applied: () => this.#stateApplied(),
      },
    });
    this.#reads = new ReadQueue({
      clock,
      ask: (context) => this.#raw.readIndex(encodeReadContext(this.#runId, context)),
      appliedIndex: () => this.#applier.index,
      wake: () => this.#consensus.wake(),
      timeoutMs: this.#timeoutMs,
    });
    this.#leases = new LeaseKeeper({
      lessor: state.lessor,
      clock,
      log,
      propose: (command) => this.propose(command),
      proposeAsLeader: (command) => this.#proposeAsLeader(command),
      confirmLeadership: () => this.readBarrier(),
      memberId,
      minTtlSeconds: minTtlSeconds({
        electionTicks: this.#electionTicks,
        heartbeatIntervalMs: options.heartbeatMs,
      }),
      timeoutMs: this.#timeoutMs,
    });
    this.#changes = new MemberChanges({
      memberId,
      membership: state.membership,
      ...options.reconfiguration,
      newMemberId: options.newMemberId,
      connectedForMs: (member) => {
        const sinceMs = this.#network.connectedSinceMs(member);
        return sinceMs === undefined ? undefined : clock.nowMs() - sinceMs;
      },
      raftStatus: () => this.#raw.status(),
      propose: (type, id, change) => this.#proposer.proposeChange(type, id, change),
    });
    this.#transfer = new LeaderTransfer({
      memberId,
      raw: this.#raw,
      membership: state.membership,
      clock,
      wake: () => this.#consensus.wake(),
      connectedSinceMs: (member) => this.#network.connectedSinceMs(member),
      pollMs: Math.max(1, Math.floor(options.heartbeatMs / 10)),
    });
    if (options.isPreVote) {
      this.#leaderLoss = new LeaderLoss({
        memberId,
        raw: this.#raw,
        clock,
        wake: () => this.#consensus.wake(),
        turnMs: options.heartbeatMs,
      });
    }
    this.#leaderOnly = new LeaderOnly({
      raw: this.#raw,
      clock,
      timeoutMs: this.#timeoutMs,
      retryMs: options.heartbeatMs,
      isEnded: () => this.#isEnded,
    });
    this.#remote = new RemoteLeader(this.#network, this.#timeoutMs);
    this.#snapshotter = new Snapshotter({
      clock,
      log,
      store:
        options.durable === undefined ? options.snapshots : syncedStore(options.durable, options.snapshots),
      wal: options.wal,
      entriesMin: options.snapshotEntriesMin,
      logBytesMin: options.snapshotLogBytesMin,
      open: (earlier) => (options.durable === undefined ? this.#openState(earlier) : this.#positionOnly()),
      onSaved: (durationMs) => options.observer?.snapshotSaved(durationMs),
      onFailure: (error) => this.fail(error),
    });
    this.#exchange = new SnapshotExchange({
      log,
      network: this.#network,
      state,
      store: options.snapshots,
      wal: options.wal,
      snapshotter: this.#snapshotter,
      open: () => this.#openState(),
      committed: () => this.#raw.committed,
      step: (message) => this.#consensus.receive([message]),
      onRestored: (metadata) => this.#restored(metadata),
      sync: () => options.durable?.sync() ?? Promise.resolve(),
    });
    this.#consensus = new Consensus({
      raw: this.#raw,
      stable,
      writer: options.wal,
      clock,
      memberId,
      durableCommit: recovered.hardState.commit,
      changeIndex: recovered.entries.findLast(({ type }) => type !== entryType.normal)?.index ?? 0,
      entriesKept: () => (state.membership.size > 1 ? options.catchUpEntries : 0),
      sink: {
        apply: (entries) =>
          andThen(this.#applier.apply(entries), () => {
            this.#reads.applied();
            this.#snapshotter.applied(entries);
          }),
        confirmed: (states) => this.#reads.confirmed(readsOfRun(this.#runId, states)),
        leaderChanged: () => this.#leaderChanged(),
        beforeTurn: () => this.#beforeTurn(),
        send: (messages) => this.#network.send(messages),
        sendSnapshot: (message) => this.#exchange.send(message),
        install: (metadata) => this.#exchange.install(metadata),
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

  get isLearner(): boolean {
    return this.#state.membership.get(this.memberId)?.isLearner ?? false;
  }

  get raftIndex(): number {
    return this.#raw.committed;
  }

  get appliedIndex(): number {
    return this.#applier.index;
  }

  get kv(): KvReader {
    return this.#state.store;
  }

  /**
   * Resolves once this member leads or follows a leader and has applied what the log held, however long it takes
   * until there is one. Rejects with its failure, and with stopped.
   */
  async start(): Promise<void> {
    await this.#unlessFailed(this.#begin());
  }

  /** Tells the others, through the log, this member's name and where clients reach it. Rejects as start() does. */
  async publish(clientUrls: readonly string[]): Promise<void> {
    const { memberId, name } = this;
    await this.#unlessFailed(
      this.#untilAnswered(() => this.propose({ kind: "memberAttributes", memberId, name, clientUrls })),
    );
  }

  /** The failure that ended the member says more than the refusals that it led to. */
  async #unlessFailed(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      throw this.#failure ?? error;
    }
  }

  /** Does it again while there is no leader to do it, or it is lost. */
  async #untilAnswered(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        const isFinal = !(error instanceof RequestError) || error.kind !== "unavailable" || this.#isEnded;
        if (isFinal) throw error;
        this.#log.info("waiting for a quorum", { error: error.message });
        await this.#delay(this.#options.heartbeatMs);
      }
    }
  }

  async #begin(): Promise<void> {
    const { bootstrap, heartbeatMs, recovered, initialPeers } = this.#options;
    if (bootstrap !== undefined && recovered.snapshot === undefined && recovered.entries.length === 0) {
      this.#raw.bootstrap(bootstrap);
    }
    this.#network.setPeers(initialPeers ?? []);
    if (this.#state.membership.size > 0) this.#membersChanged();
    this.#network.start(this.#handler());
    this.#timers = [
      this.#clock.every(heartbeatMs, () => this.#tick()),
      this.#clock.every(EXPIRE_SCAN_MS, () =>
        this.#proposals.expire((sinceMs) => this.#timeoutReason(sinceMs)),
      ),
    ];
    // What the log holds is applied first; then a lone voter need not wait for an election timeout. Where applying takes
    // time, a change among it may bring in others.
    this.#consensus.turn();
    while (this.#isAlone() && this.#raw.leader === 0n && this.#failure === undefined) {
      if (this.#raw.role === role.follower && this.#applier.index >= this.#raw.committed)
        this.#raw.campaign();
      await this.#nextTurn();
    }
    if (this.#raw.leader === 0n && this.#options.isElectionTickAdvanced) {
      for (let i = TICKS_LEFT_AT_START; i < this.#electionTicks; i++) this.#raw.tick();
    }
    await this.#untilAnswered(() => this.readBarrier());
    this.#snapshotter.started();
  }

  /** The only voter there is. */
  #isAlone(): boolean {
    const { voters, votersOutgoing } = this.#raw.confState;
    return voters.length === 1 && votersOutgoing.length === 0 && voters[0] === this.memberId;
  }

  /** Before this member goes: hands leadership over, if it has it and somebody can take it. Never rejects. */
  async resign(timeoutMs: number): Promise<void> {
    if (this.#isEnded) return;
    try {
      await this.#transfer.away(timeoutMs);
    } catch (error) {
      this.#log.warn("leadership could not be handed over", { error });
    }
  }

  /** Answers all that waits with "server stopped" and takes nothing more. The log is the caller's to close. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#leaderLoss?.stop();
    this.#leases.stop();
    this.#reads.stop();
    this.#proposals.stop(new RequestError("stopped"));
    this.#consensus.stop();
    this.#applier.stop();
    await this.#consensus.settled();
    await this.#snapshotter.stop();
  }

  propose<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Promise<ApplyResults[K]> {
    return this.#proposer.propose(command, false) as Promise<ApplyResults[K]>;
  }

  ask<K extends Command["kind"]>(command: Extract<Command, { kind: K }>): Pending<ApplyResults[K]> {
    return this.#proposer.ask(command, false) as Pending<ApplyResults[K]>;
  }

  readBarrier(): Promise<void> {
    return this.#reads.wait();
  }

  admits(costBytes: number): boolean {
    if (costBytes === 0 || this.quotaBytes === Number.POSITIVE_INFINITY) return true;
    const isAdmitted = this.#state.store.stats().sizeBytes + costBytes < this.quotaBytes;
    if (!isAdmitted) this.quotaRefusals++;
    return isAdmitted;
  }

  alarms(): AlarmMember[] {
    return this.#state.alarms.list();
  }

  members(): Member[] {
    return this.#state.membership.list();
  }

  /** Whether the id was a member's that has been removed. */
  isRemoved(id: bigint): boolean {
    return this.#state.membership.isRemoved(id);
  }

  memberAdd(peerUrls: readonly string[], isLearner: boolean): Promise<MemberAdded> {
    return this.#changes.add(peerUrls, isLearner);
  }

  /**
   * A leader that is removed hands over first: the others could not be sure to learn from it, before it goes, that its
   * removal is committed, and of two the one that is left could not elect itself.
   */
  async memberRemove(id: bigint): Promise<Member[]> {
    this.#changes.assertRemovable(id);
    if (id === this.#raw.leader) {
      await this.#leaderOnly.done(
        () => this.#transfer.away(this.#timeoutMs),
        (leader) => this.#remote.leaderResign(leader),
      );
    }
    return await this.#changes.remove(id);
  }

  memberUpdate(id: bigint, peerUrls: readonly string[]): Promise<Member[]> {
    return this.#changes.update(id, peerUrls);
  }

  memberPromote(id: bigint): Promise<Member[]> {
    return this.#leaderOnly.done(
      () => this.#changes.promote(id),
      (leader) => this.#remote.memberPromote(leader, id),
    );
  }

  moveLeader(target: bigint): Promise<void> {
    return this.#transfer.to(target, this.#timeoutMs);
  }

  leaseGrant(id: bigint, ttl: number): Promise<LeaseGrantResponse> {
    return this.#leases.grant(id, ttl);
  }

  leaseRenew(id: bigint): Promise<number> {
    return this.#leaderOnly.done(
      () => this.#leases.renew(id),
      (leader) => this.#remote.leaseRenew(leader, id),
    );
  }

  leaseTimeToLive(id: bigint, keys: boolean): Promise<LeaseTimeToLiveResponse> {
    return this.#leaderOnly.done(
      () => this.#timeToLive(id, keys),
      (leader) => this.#remote.leaseTimeToLive(leader, id, keys),
    );
  }

  leases(): bigint[] {
    return this.#leases.leases();
  }

  compactionFinished(): Promise<void> {
    return this.#state.store.compactionFinished();
  }

  openSnapshot() {
    return this.#openState();
  }

  /** The memory engine frees what compaction removes at once; what is left to wait for is that removal. */
  async defragment(): Promise<void> {
    const startMs = this.#clock.nowMs();
    await this.#state.store.compactionFinished();
    await this.#options.durable?.defragment();
    this.#options.observer?.defragmented(this.#clock.nowMs() - startMs);
  }

  stats(): NodeStats {
    return {
      proposalsPending: this.#proposals.pending,
      proposalsFailed: this.#proposals.failedTotal,
      readIndexesFailed: this.#reads.failedTotal,
      readIndexesSlow: this.#reads.slowTotal,
      leaderChanges: this.#leaderChanges,
      slowApplies: this.#applier.slowTotal,
      leasesGranted: this.#leasesGranted,
      leasesRenewed: this.#leases.renewedTotal,
      leasesRevoked: this.#leasesRevoked,
      leasesExpired: this.#leases.expiredTotal,
    };
  }

  /** This member must not go on: nothing is answered from now on, and onFatal is told. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#consensus.stop();
    this.#applier.stop();
    this.#proposals.stop(new RequestError("stopped"));
    this.#reads.stop();
    this.#options.onFatal(error);
  }

  get #isEnded(): boolean {
    return this.#isStopped || this.#failure !== undefined;
  }

  #proposeAsLeader<K extends Command["kind"]>(
    command: Extract<Command, { kind: K }>,
  ): Promise<ApplyResults[K]> {
    return this.#proposer.propose(command, true) as Promise<ApplyResults[K]>;
  }

  #handler(): PeerHandler {
    const work: LeaderWork = {
      leaseRenew: (id) => this.#leaderOnly.here(() => this.#leases.renew(id)),
      leaseTimeToLive: (id, keys) => this.#leaderOnly.here(() => this.#timeToLive(id, keys)),
      memberPromote: (id) => this.#leaderOnly.here(() => this.#changes.promote(id)),
      leaderResign: () => this.#leaderOnly.here(() => this.#transfer.away(this.#timeoutMs)),
    };
    return {
      receive: (messages) => this.#consensus.receive(messages),
      receiveSnapshot: (message, chunks) => this.#exchange.receive(message, chunks),
      unreachable: (peer) => {
        this.#raw.reportUnreachable(peer);
        this.#consensus.wake();
      },
      gone: (peer) => this.#leaderLoss?.gone(peer),
      snapshotSent: (peer, succeeded) => {
        this.#raw.reportSnapshot(peer, succeeded);
        this.#consensus.wake();
      },
      answer: (_from, method, body) => answerCall(work, method, body),
      removed: () => this.#removed(),
    };
  }

  /** The leader may not have applied yet what another member has answered already. */
  async #timeToLive(id: bigint, keys: boolean): Promise<LeaseTimeToLiveResponse> {
    await this.readBarrier();
    return this.#leases.timeToLive(id, keys);
  }

  #tick(): void {
    this.#consensus.tick();
    if (this.#proposals.hasLeaderless) this.#consensus.wake();
  }

  #beforeTurn(): void {
    this.#proposer.offerKept();
    this.#reads.start();
  }

  /** The first entry of a term: everything before it is applied, so its leader may count lease time. */
  #appliedEmpty(entry: Entry): void {
    if (this.#raw.isLeader && entry.term === this.#raw.term) this.#leases.promote(entry.term);
  }

  #membersChanged(): void {
    const members = this.#state.membership.list();
    this.#network.setPeers(members.filter(({ id }) => id !== this.memberId));
    if (this.#state.membership.isRemoved(this.memberId)) {
      // Others must learn first that the change is committed: this member may have been the leader.
      this.#clock.after(this.#options.electionMs, () => this.#removed());
    }
  }

  #removed(): void {
    if (!this.#isEnded) this.fail(new UsageError(removedText, removedHint));
  }

  /** Where the state stands as it is applied now. */
  #position(): SnapshotMetadata {
    const { index, term } = this.#applier;
    return { index, term, confState: this.#raw.confState };
  }

  #openState(earlier?: StateExtent) {
    return { metadata: this.#position(), state: this.#state.openSnapshot(earlier) };
  }

  /** For a mark in the log: the state itself is with the engine. */
  #positionOnly() {
    return { metadata: this.#position(), state: { chunks: [], close: () => {} } };
  }

  /** Part of what was committed has been applied: the engine may write it down, and reads that waited for it may go. */
  #stateApplied(): void {
    this.#options.durable?.applied(this.#position());
    this.#reads.applied();
  }

  /** What raft can promise a member that is far behind: the state as it is applied now. */
  #snapshotNow(): Snapshot {
    return { metadata: this.#position(), data: new Uint8Array(0) };
  }

  #restored(metadata: SnapshotMetadata): void {
    this.#applier.restored(metadata);
    this.#options.durable?.applied(metadata);
    this.#membersChanged();
    this.#options.onRestored();
    this.#reads.applied();
  }

  #leaderChanged(): void {
    // A leader that candidates and wins again has lost what it counted in memory.
    if (!this.#raw.isLeader) this.#leases.demote();
    if (this.#raw.leader === this.#leaderId) return;
    this.#leaderId = this.#raw.leader;
    if (this.#leaderId !== 0n) {
      this.#leaderChanges++;
      this.#leaderSinceMs = this.#clock.nowMs();
    }
    this.#reads.leaderChanged();
  }

  /** Why a command got no answer, as etcd tells its clients (errors.md section 1). */
  #timeoutReason(sinceMs: number): ErrorName {
    const lostMs = this.#leaderSinceMs - 2 * this.#options.electionMs;
    if (this.#leaderChanges > 1 && sinceMs > lostMs && sinceMs < this.#leaderSinceMs)
      return "timeoutLeaderFailed";
    const leader = this.#raw.leader;
    if (leader === 0n) return "timeoutConnectionLost";
    if (leader === this.memberId) return "timeout";
    const connectedMs = this.#network.connectedSinceMs(leader);
    return connectedMs === undefined || connectedMs > sinceMs ? "timeoutConnectionLost" : "timeout";
  }

  #nextTurn(): Promise<void> {
    this.#consensus.wake();
    return this.#delay(1);
  }

  #delay(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(delayMs, resolve));
  }
}

/** Snapshots of a state that an engine keeps on disk: it need only be made durable there. */
function syncedStore(durable: DurableState, files: SnapshotStore): SnapshotStore {
  return {
    write: async () => {
      await durable.sync();
      return 0;
    },
    open: (metadata) => files.open(metadata),
    removeBefore: (index, pace) => files.removeBefore(index, pace),
  };
}
