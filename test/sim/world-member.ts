import { RequestError } from "../../src/lib/errors.ts";
import type { Log } from "../../src/lib/log.ts";
import { Lessor } from "../../src/server/lease/index.ts";
import { type MemberStorage, openMemberStorage } from "../../src/server/member-storage.ts";
import { Store, WatchHub, watchCatchUpLimits, watchSourceOf } from "../../src/server/mvcc/index.ts";
import { DurableState, MemberNode, type Peer } from "../../src/server/node/index.ts";
import { type ConfChange, confChangeType, type SnapshotMetadata } from "../../src/server/raft/index.ts";
import { type Command, encodePeerUrls, StateMachine } from "../../src/server/state/index.ts";
import { DiskEngine, MemoryEngine } from "../../src/server/storage/index.ts";
import type { SimFs } from "./disk.ts";
import type { SimDiskDatabase } from "./disk-database.ts";
import type { GoldenHistory } from "./golden-history.ts";
import { inMemory } from "./member.ts";
import type { SimNetwork } from "./network.ts";
import type { SimProcess } from "./process.ts";
import type { RaftInvariants, Voters } from "./raft-invariants.ts";
import { hashText, hashValue, type Random } from "./random.ts";
import type { ClientSide, MemberLog, Seams } from "./seams.ts";
import type { Tripwire } from "./tripwire.ts";
import type { WorldSettings } from "./world-settings.ts";

export const CLUSTER_ID = 0xc1n;
/** So little that most reads ask the disk. */
const DISK_CACHE_BYTES = 4_096;

export interface WorldMemberOptions {
  readonly id: bigint;
  readonly process: SimProcess;
  readonly fs: SimFs;
  /** Where the records are; undefined: in memory. */
  readonly database: SimDiskDatabase | undefined;
  readonly random: Random;
  readonly log: Log;
  readonly network: SimNetwork;
  readonly settings: WorldSettings;
  readonly seams: Seams;
  readonly invariants: RaftInvariants;
  readonly golden: GoldenHistory;
  readonly tripwire: Tripwire;
  /** The first members of a new cluster; undefined for one that joins. */
  readonly founders: readonly bigint[] | undefined;
  readonly peers: readonly Peer[];
  readonly nowMs: () => number;
  readonly onFatal: (error: Error) => void;
}

export function peerUrlOf(id: bigint): string {
  return `http://m${id}:2380`;
}

/** One run of a production member, from its disk on, with everything it does under observation. */
export class WorldMember {
  readonly id: bigint;
  readonly process: SimProcess;
  readonly fs: SimFs;
  readonly database: SimDiskDatabase | undefined;
  readonly #options: WorldMemberOptions;
  #running:
    | {
        readonly node: MemberNode;
        readonly client: ClientSide;
        readonly state: StateMachine;
        readonly storage: MemberStorage;
      }
    | undefined;
  #observed: ObservedState | undefined;
  #isServing = false;
  #isStopping = false;
  /** Calls of clients that wait here; told when the process is gone. */
  readonly waiting = new Set<() => void>();

  constructor(options: WorldMemberOptions) {
    this.#options = options;
    this.id = options.id;
    this.process = options.process;
    this.fs = options.fs;
    this.database = options.database;
  }

  /** Undefined until its disk is read. */
  get node(): MemberNode | undefined {
    return this.#running?.node;
  }

  get state(): StateMachine | undefined {
    return this.#running?.state;
  }

  /** What clients may call: undefined until it has caught up, and when it is down. */
  get client(): ClientSide | undefined {
    return this.#isServing && !this.process.isKilled ? this.#running?.client : undefined;
  }

  /** Brings everything up; resolves when it serves, which takes a quorum. */
  async start(): Promise<void> {
    const { id, process, fs, random, log, settings, seams, invariants, golden, tripwire } = this.#options;
    const { clock } = process;
    let node: MemberNode | undefined;
    const lessor = seams.lessor?.(new Lessor()) ?? new Lessor();
    const yieldTurn = (): Promise<void> => new Promise((resolve) => clock.defer(resolve));
    const onFailure = (failure: Error): void =>
      node === undefined ? this.#options.onFatal(failure) : node.fail(failure);
    const { database } = this;
    const disk =
      database === undefined
        ? undefined
        : await DiskEngine.open({ database, cacheSizeBytes: DISK_CACHE_BYTES, yieldTurn, onFailure });
    const engine = disk ?? new MemoryEngine();
    const store = new Store({ engine, leases: lessor, yieldTurn });
    const state = new ObservedState(store, lessor, id, this.#options);
    this.#observed = state;
    seams.state?.(state);
    const durable = disk && new DurableState(state, disk);
    durable?.recover();
    const storage = await openMemberStorage({
      fs: seams.fs?.(fs) ?? fs,
      path: "/data",
      identify: async () => ({ clusterId: CLUSTER_ID, memberId: id }),
      engine: disk === undefined ? "memory" : "rocksdb",
      openState: async () =>
        disk === undefined ? inMemory(state) : { state, durable, close: () => disk.close() },
      clock,
      log,
      segmentBytes: settings.segmentBytes,
      onSync: () => {},
      onFailure,
    });
    const { opened, snapshots } = storage;
    const found = { hardState: opened.hardState, entries: opened.entries, snapshot: opened.snapshotMark };
    // As in the server: what it is told of its beginning counts until its log has begun.
    const isEmpty = found.snapshot === undefined && found.entries.length === 0;
    const recovered = seams.recovered?.(found) ?? found;
    const appliedIndex = durable?.position?.index ?? found.snapshot?.index ?? 0;
    invariants.started(id, found, appliedIndex, {
      voters: () => [this.#voters(), this.#votersBefore],
      // One that applies its own removal leads no more while the rest of the batch is applied.
      leaderTerm: () => (node?.leaderId === id ? node.term : this.#ledTermBefore),
    });
    state.startAt(appliedIndex);
    const watchHub = new WatchHub({
      source: watchSourceOf(store, engine),
      clock,
      prng: random,
      progressIntervalMs: settings.watchProgressMs,
      catchUp: { ...watchCatchUpLimits, ...settings.watchCatchUp },
    });
    const notify = seams.notify?.(watchHub.notify, () => store.compactRevision) ?? watchHub.notify;
    store.onCommit((revision, records) => {
      tripwire.guard(() => golden.committed(id, revision, records, this.#options.nowMs()));
      notify(revision, records);
    });
    const observedLog = new ObservedLog(opened.wal, id, this.#options);
    const log2 = seams.log?.(observedLog) ?? observedLog;
    const plainNetwork = this.#options.network.connect(id, process, (peer) => node?.isRemoved(peer) ?? false);
    node = new MemberNode({
      memberId: id,
      clusterId: CLUSTER_ID,
      name: `m${id}`,
      bootstrap: isEmpty ? this.#options.founders?.map(founderOf) : undefined,
      network: seams.network?.(plainNetwork, id) ?? plainNetwork,
      initialPeers: isEmpty ? this.#options.peers : [],
      newMemberId: ([url]) => BigInt(/m(\d+):/.exec(url ?? "")?.[1] ?? 0),
      reconfiguration: { isStrict: settings.isStrictReconfiguration, learnersMax: settings.learnersMax },
      isPreVote: settings.isPreVote,
      isElectionTickAdvanced: settings.isElectionTickAdvanced,
      catchUpEntries: settings.catchUpEntries,
      clock,
      log,
      prng: random,
      state,
      ...(durable === undefined ? {} : { durable }),
      watchHub,
      onRestored: () => {
        tripwire.guard(() => invariants.installed(id, observedLog.lastMark!));
        state.startAt(observedLog.lastMark!.index);
        watchHub.storeReplaced();
      },
      wal: log2,
      snapshots,
      recovered,
      heartbeatMs: settings.heartbeatMs,
      electionMs: settings.electionMs,
      requestSizeBytesMax: 1_572_864,
      quotaBytes: Number.MAX_SAFE_INTEGER,
      snapshotEntriesMin: settings.snapshotEntriesMin,
      snapshotLogBytesMin: settings.snapshotLogBytesMin,
      slowApplyMs: 1_000,
      onFatal: this.#options.onFatal,
    });
    this.#running = { node, client: seams.client?.(node) ?? node, state, storage };
    await node.start();
    this.#isServing = true;
    await node.publish([`http://m${id}:2379`]);
  }

  /** To be called after every event of the world. */
  observe(): void {
    const node = this.node;
    if (node === undefined || this.process.isKilled || !this.process.takeHasRun()) return;
    const { invariants } = this.#options;
    invariants.knowsCommit(this.id, node.raftIndex);
    if (node.leaderId === this.id) {
      invariants.leads(this.id, node.term);
      invariants.leaderCommits(this.id, node.raftIndex);
    }
    const applied = node.appliedIndex;
    if (applied !== this.#appliedSeen) {
      this.#appliedSeen = applied;
      this.#observed?.reached(applied);
      this.#votersBefore = this.#voters();
    }
    this.#ledTermBefore = node.leaderId === this.id ? node.term : undefined;
  }

  #voters(): Voters {
    const voters = this.node?.members().filter(({ isLearner }) => !isLearner) ?? [];
    return { incoming: voters.map((member) => member.id), outgoing: [] };
  }

  #appliedSeen = -1;
  #ledTermBefore: number | undefined;
  #votersBefore: Voters = { incoming: [], outgoing: [] };

  /** As SIGTERM does: hands leadership over, answers what waits, closes its files. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#isServing = false;
    if (running === undefined || this.#isStopping) return;
    this.#isStopping = true;
    await running.node.resign(500);
    await running.node.stop();
    await running.storage.close();
  }

  kill(): void {
    // It may have committed and told so in the very event in which it ends.
    this.observe();
    this.#isServing = false;
    this.process.kill();
    this.fs.crash();
    this.database?.crash();
    for (const gone of [...this.waiting]) gone();
    this.waiting.clear();
  }
}

function founderOf(id: bigint): ConfChange {
  return { type: confChangeType.addNode, nodeId: id, context: encodePeerUrls([peerUrlOf(id)]) };
}

type Observers = Pick<WorldMemberOptions, "invariants" | "tripwire">;

/** Tells the invariants what is written and what is durable. */
class ObservedLog implements MemberLog {
  readonly #inner: MemberLog;
  readonly #id: bigint;
  readonly #observers: Observers;
  lastMark: SnapshotMetadata | undefined;

  constructor(inner: MemberLog, id: bigint, observers: Observers) {
    this.#inner = inner;
    this.#id = id;
    this.#observers = observers;
  }

  append(batch: Parameters<MemberLog["append"]>[0], done: () => void): void {
    const { invariants, tripwire } = this.#observers;
    tripwire.guard(() => invariants.writes(this.#id, batch));
    this.#inner.append(batch, () => {
      tripwire.guard(() => invariants.durable(this.#id, batch));
      done();
    });
  }

  async appendSnapshotMark(metadata: SnapshotMetadata): Promise<void> {
    const { invariants, tripwire } = this.#observers;
    tripwire.guard(() => invariants.installs(this.#id, metadata));
    await this.#inner.appendSnapshotMark(metadata);
    this.lastMark = metadata;
  }

  release(index: number): void {
    this.#inner.release(index);
  }
}

/** Tells the invariants what applying each entry came to: a hash of answer, revision and lease time. */
class ObservedState extends StateMachine {
  readonly #id: bigint;
  readonly #observers: Observers;
  #next = 1;

  constructor(store: Store, lessor: Lessor, id: bigint, observers: Observers) {
    super(store, lessor);
    this.#id = id;
    this.#observers = observers;
  }

  startAt(index: number): void {
    this.#next = index + 1;
  }

  /** The node says that it applied up to there; what was no command is not seen otherwise. */
  reached(index: number): void {
    while (this.#next <= index) this.#applied(0);
  }

  override apply(command: Command): unknown {
    const { invariants } = this.#observers;
    while (invariants.isCommandAt(this.#id, this.#next) === false) this.#applied(0);
    try {
      const answer = super.apply(command);
      this.#answered(answer);
      return answer;
    } catch (error) {
      if (error instanceof RequestError) this.#answered(error.code);
      throw error;
    }
  }

  #answered(answer: unknown): void {
    const { store, lessor } = this;
    const rest = `${store.currentRevision} ${store.compactRevision} ${lessor.leaseTimeMs} ${lessor.size}`;
    this.#applied(hashValue(answer, hashText(rest)));
  }

  #applied(answer: number): void {
    const { invariants, tripwire } = this.#observers;
    const index = this.#next++;
    tripwire.guard(() => invariants.applies(this.#id, index, answer));
  }
}
