import { RequestError, StorageFailure } from "../../src/lib/errors.ts";
import {
  checkLeases,
  checkStoreHistory,
  checkWatches,
  countEvents,
  describeViolations,
  type LeaseHistory,
  Replay,
  type Violation,
} from "../checkers/index.ts";
import type { Storage } from "../harness/storages.ts";
import { ClientDoor } from "./client-door.ts";
import { Cluster } from "./cluster.ts";
import { FaultCounts } from "./fault-counts.ts";
import { GoldenHistory } from "./golden-history.ts";
import { CALL_TIMEOUT_MS, KvClient, perform, type Recorder, recorded } from "./kv-client.ts";
import { LeaseClient } from "./lease-client.ts";
import { digestOf } from "./member.ts";
import { Nemesis } from "./nemesis.ts";
import { SimNetwork } from "./network.ts";
import { RaftInvariants } from "./raft-invariants.ts";
import { Random, TraceHash } from "./random.ts";
import type { Seams } from "./seams.ts";
import { InvariantBroken, Tripwire } from "./tripwire.ts";
import { VirtualTime } from "./virtual-time.ts";
import { WatchClient } from "./watch-client.ts";
import type { WorldMember } from "./world-member.ts";
import { drawWorldSettings, type WorldSettings } from "./world-settings.ts";

export interface WorldRun {
  readonly seed: number;
  /** How long the faults go on, in virtual milliseconds; what comes after takes about half a minute more. */
  readonly safetyMs: number;
  readonly members?: number | undefined;
  /** The engines of the members; in memory when absent. */
  readonly storage?: Storage | undefined;
  readonly seams?: Seams;
  /** Told of every event and every line of the members' logs. */
  readonly onTrace?: ((line: string) => void) | undefined;
}

export interface WorldOutcome {
  readonly seed: number;
  readonly traceHash: string;
  readonly virtualMs: number;
  readonly events: number;
  readonly counts: FaultCounts;
}

/** At peace a write succeeds within this, and some more later all members are equal. */
const RECOVER_MS = 20_000;
const CONVERGE_MS = 10_000;
/** From the end of a lease until its key is gone: a scan, a revoke, and a new leader that gives it its time again. */
const LEASE_BOUND_MS = 5_000;
const LEASE_TTL_MS_MAX = 5_000;

const BURST_CLIENTS = 150;
const BURST_CLIENT_FIRST = 1_000;

/**
 * A cluster of production members, its clients and its misfortunes, all in one process and one order of events: a
 * pure function of the seed. First everything may go wrong, then nothing does, and the cluster must come to rest.
 * Throws InvariantBroken.
 */
export async function runWorld(run: WorldRun): Promise<WorldOutcome> {
  // Whoever calls: from here on all runs between promises, where a tick comes after the last of them (see turn).
  await Promise.resolve();
  return await new World(run).run();
}

export class World {
  readonly settings: WorldSettings;
  readonly time: VirtualTime;
  readonly counts = new FaultCounts();
  readonly network: SimNetwork;
  readonly door: ClientDoor;
  readonly cluster: Cluster;
  readonly #run: WorldRun;
  readonly #trace = new TraceHash();
  readonly #tripwire = new Tripwire();
  readonly #invariants: RaftInvariants;
  readonly #golden = new GoldenHistory(this.#tripwire);
  readonly #recorder: Recorder = { operations: [], serializable: [] };
  readonly #clients: KvClient[] = [];
  readonly #watchers: WatchClient[] = [];
  readonly #leaseholders: LeaseClient[] = [];
  #bursts = 0;
  #isAtPeace = false;
  #isOver = false;
  #isClosing = false;
  #peaceFromMs = 0;

  constructor(run: WorldRun) {
    this.#run = run;
    const { seed } = run;
    const random = new Random(seed, "settings");
    this.settings = drawWorldSettings(random, run.members);
    this.time = new VirtualTime(this.#trace, run.onTrace);
    this.network = new SimNetwork(this.time, new Random(seed, "network"), this.settings.network, this.counts);
    const founders = Array.from({ length: this.settings.members }, (_, i) => BigInt(i + 1));
    this.#invariants = new RaftInvariants(founders.length, this.#tripwire);
    this.network.onSend = (from, message) => this.#tripwire.guard(() => this.#invariants.sent(from, message));
    this.door = new ClientDoor(this.time, new Random(seed, "door"), () => this.cluster.members());
    this.cluster = new Cluster({
      ...{
        seed,
        storage: run.storage ?? "memory",
        founders,
        time: this.time,
        network: this.network,
        counts: this.counts,
        settings: this.settings,
      },
      ...{ invariants: this.#invariants, golden: this.#golden, tripwire: this.#tripwire },
      seams: run.seams ?? {},
      onTrace: run.onTrace,
    });
    for (const id of founders) this.cluster.add(id, true);
  }

  get isAtPeace(): boolean {
    return this.#isAtPeace;
  }

  async run(): Promise<WorldOutcome> {
    const { seed, safetyMs } = this.#run;
    this.#startClients();
    const nemesis = new Nemesis(this, new Random(seed, "nemesis"));
    nemesis.start();
    this.#hashNowAndThen();
    await this.runUntil(safetyMs);
    await this.#comeToRest();
    await this.#check();
    this.counts.add("operations checked", this.#recorder.operations.length);
    this.counts.add("serializable reads checked", this.#recorder.serializable.length);
    this.counts.add("revisions", this.#golden.lastRevision - 1);
    this.counts.add("entries committed", this.#invariants.committedMax);
    this.counts.add("leaders", this.#invariants.leadersSeen);
    this.counts.add("hashes compared", this.#golden.hashesCompared);
    return {
      seed,
      traceHash: this.#trace.hex,
      virtualMs: this.time.nowMs,
      events: this.time.eventsRun,
      counts: this.counts,
    };
  }

  async runUntil(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    while (!isDone() && this.time.step(untilMs)) {
      // Everything that the event has set going in promises runs to its end.
      await turn();
      this.cluster.observe();
      if (this.#tripwire.broken !== undefined) throw this.#tripwire.broken;
    }
  }

  // ---- Clients.

  #startClients(): void {
    const { seed } = this.#run;
    const { clients, watchers, leaseholders, keys, thinkMs } = this.settings;
    const common = {
      ...{ door: this.door, time: this.time, recorder: this.#recorder },
      isOver: () => this.#isOver,
    };
    for (let id = 1; id <= clients; id++) {
      this.#clients.push(
        new KvClient({ ...common, id, random: new Random(seed, `kv ${id}`), keys, thinkMs }),
      );
    }
    for (let id = 1; id <= watchers; id++) {
      const random = new Random(seed, `watch ${id}`);
      const startRevision = random.pick([0, 1, 5, 100]);
      const isOver = (): boolean => this.#isClosing;
      this.#watchers.push(new WatchClient({ ...common, isOver, id, random, startRevision }));
    }
    for (let id = 1; id <= leaseholders; id++) {
      this.#leaseholders.push(new LeaseClient({ ...common, id, random: new Random(seed, `lease ${id}`) }));
    }
    for (const client of [...this.#clients, ...this.#watchers, ...this.#leaseholders])
      this.#attend(client.run());
  }

  /** So many writes that a member which misses them needs a snapshot; a few hundred at a time. */
  burst(writes: number): void {
    const burst = ++this.#bursts;
    const random = new Random(this.#run.seed, `burst ${this.time.nowMs}`);
    const context = { door: this.door, time: this.time, recorder: this.#recorder };
    const write = async (client: number): Promise<void> => {
      for (let i = 0; i < writes / BURST_CLIENTS && !this.#isAtPeace; i++) {
        const put = {
          kind: "put" as const,
          key: `b${random.below(4)}`,
          value: `${client}.${burst}.${i}`,
          lease: "",
        };
        await recorded(context, client, random, { kind: "txn", compares: [], success: [put], failure: [] });
        await this.door.sleep(1);
      }
    };
    for (let i = 0; i < BURST_CLIENTS; i++) this.#attend(write(BURST_CLIENT_FIRST + i));
  }

  #attend(work: Promise<void>): void {
    work.catch((error: Error) => {
      this.#tripwire.broken ??= new InvariantBroken("clients do not fail", error.stack ?? error.message);
    });
  }

  /** Members at the same revision have the same content, at any time. */
  #hashNowAndThen(): void {
    this.time.after(2_000, "hash", () => {
      if (this.#isClosing) return;
      const states = this.cluster
        .members()
        .flatMap(({ id, process, client, state }) =>
          client === undefined || state === undefined || process.isPaused ? [] : [{ id, process, state }],
        );
      // One revision that all have reached and none has compacted.
      const revision = Math.min(...states.map(({ state }) => state.store.currentRevision));
      for (const { id, process, state } of states) {
        if (state.store.compactRevision > revision) continue;
        const isRemembered = state.store.compactionHashes.some((hash) => hash.revision === revision);
        const work = state.store.hashKv(revision).then((found) => {
          if (!process.isKilled) this.#golden.hashed(id, { ...found, isRemembered });
        });
        this.#attend(work.catch(unlessBrokenOff));
      }
      this.#hashNowAndThen();
    });
  }

  // ---- Peace.

  async #comeToRest(): Promise<void> {
    this.#isAtPeace = true;
    this.network.setBlocked(() => false);
    this.network.isDisturbed = false;
    this.cluster.makePeace();
    this.#startNamedNowAndThen();
    await this.#untilWriteSucceeds();
    this.#peaceFromMs = this.time.nowMs;
    for (const watcher of this.#watchers) watcher.settle();
    await this.runUntil(this.time.nowMs + LEASE_TTL_MS_MAX * 1.2 + LEASE_BOUND_MS + 1_000);
    const looks = Promise.all(this.#leaseholders.map((client) => client.lookAtAll()));
    this.#attend(looks.then(() => {}));
    let isLooked = false;
    void looks.then(() => {
      isLooked = true;
    });
    await this.runUntil(this.time.nowMs + CALL_TIMEOUT_MS, () => isLooked);
    this.#isOver = true;
    await this.runUntil(this.time.nowMs + CALL_TIMEOUT_MS + 1_000, () => this.door.open === 0);
    await this.#untilEqual();
  }

  #startNamedNowAndThen(): void {
    if (this.#isClosing) return;
    this.cluster.startNamed();
    this.time.after(1_000, "operator", () => this.#startNamedNowAndThen());
  }

  async #untilWriteSucceeds(): Promise<void> {
    const untilMs = this.time.nowMs + RECOVER_MS;
    const random = new Random(this.#run.seed, "peace");
    let isWritten = false;
    const tryOnce = async (): Promise<void> => {
      const member = this.door.pick(random);
      if (member === undefined) return;
      const request = { kind: "range" as const, key: "k0", rangeEnd: "", revision: 0 };
      const put = { kind: "put" as const, key: "peace", value: `peace.${this.time.nowMs}`, lease: "" };
      const write = { kind: "txn" as const, compares: [], success: [put], failure: [] };
      const callMs = this.time.nowMs;
      const wrote = await this.door.call(member, (node) => perform(node, write), CALL_TIMEOUT_MS);
      const response = wrote.kind === "answered" ? wrote.value : undefined;
      const returnMs = response === undefined ? Number.POSITIVE_INFINITY : this.time.nowMs;
      this.#recorder.operations.push({ client: 0, callMs, returnMs, request: write, response });
      const read = await this.door.call(member, (node) => perform(node, request), CALL_TIMEOUT_MS);
      isWritten ||= response !== undefined && read.kind === "answered";
    };
    while (!isWritten) {
      if (this.time.nowMs >= untilMs) {
        this.#tripwire.fail(
          "liveness at peace",
          `no write succeeds within ${RECOVER_MS} ms\n${this.cluster.describe()}`,
        );
      }
      this.#attend(tryOnce());
      await this.runUntil(this.time.nowMs + 1_000, () => isWritten);
    }
  }

  async #untilEqual(): Promise<void> {
    const untilMs = this.time.nowMs + CONVERGE_MS;
    let isEqual = false;
    await this.runUntil(untilMs, () => {
      const nodes = this.cluster.namedMembers().map((member) => member.node);
      isEqual = nodes.every(
        (node) =>
          node !== undefined &&
          node.appliedIndex === nodes[0]!.appliedIndex &&
          node.appliedIndex === node.raftIndex,
      );
      return isEqual && this.cluster.namedMembers().every((member) => member.client !== undefined);
    });
    if (!isEqual) {
      this.#tripwire.fail(
        "all members get equal",
        `not within ${CONVERGE_MS} ms\n${this.cluster.describe()}`,
      );
    }
    await this.#compareStates(this.cluster.namedMembers());
  }

  /** All at the same moment; what is left of hashing takes turns of the members' own clocks. */
  async #compareStates(members: readonly WorldMember[]): Promise<void> {
    const works = members.map(async ({ state }) => {
      const list = state!.membership.list().map(({ id, isLearner }) => `${id}${isLearner ? "l" : ""}`);
      return `${await digestOf(state!)} members ${list}`;
    });
    let digests: readonly string[] | undefined;
    this.#attend(
      Promise.all(works).then((found) => {
        digests = found;
      }),
    );
    await turn();
    await this.runUntil(this.time.nowMs + CONVERGE_MS, () => digests !== undefined);
    const other = digests?.findIndex((digest) => digest !== digests![0]) ?? 0;
    if (other < 0) return;
    const detail = `members ${members[0]!.id} and ${members[other]!.id}:\n${digests?.[0]}\n${digests?.[other]}`;
    this.#tripwire.fail("equal members have equal states", detail);
  }

  // ---- The verdict.

  async #check(): Promise<void> {
    // Watches get what is under way, then they must have everything.
    await this.runUntil(this.time.nowMs + 2_000);
    this.#isClosing = true;
    const { lastRevision, log, deletedAtMs } = this.#golden;
    for (const watcher of this.#watchers) watcher.finish(lastRevision);
    const watches = this.#watchers.map((watcher) => watcher.history);
    const leases: LeaseHistory[] = this.#leaseholders.flatMap((client) => client.histories(deletedAtMs));
    const rateMax = 1 + 2 * this.settings.driftMax;
    const verdict = checkStoreHistory({ ...this.#recorder, watches, log }, { rateMax });
    const violations: Violation[] = [
      ...verdict.violations,
      ...checkWatches(watches, verdict.replay ?? new Replay(log)),
      ...checkLeases(leases, {
        driftMax: rateMax - 1,
        quietFromMs: this.#peaceFromMs,
        boundMs: LEASE_BOUND_MS,
      }),
    ];
    this.counts.add("watch events checked", countEvents(watches));
    this.counts.add("leases checked", leases.length);
    this.counts.add("operations searched", verdict.operationsSearched);
    if (violations.length > 0) {
      throw new InvariantBroken(violations[0]!.promise, `\n${describeViolations(violations)}`);
    }
    if (verdict.kind !== "linearizable") throw new InvariantBroken("linearizability", "nobody can tell");
  }
}

/** Compaction may overtake a hash that is being computed, and the member may stop. */
function unlessBrokenOff(error: unknown): void {
  const code = error instanceof RequestError ? error.code : undefined;
  if (code !== "compacted" && code !== "stopped" && !(error instanceof StorageFailure)) throw error;
}

/**
 * Lets all promises that can go on go on: a tick comes when no promise is left to run. Nothing of the world runs in
 * between, and nothing in it waits for the event loop itself, which costs more than most events.
 */
function turn(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
