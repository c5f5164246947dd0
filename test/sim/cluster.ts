import { type Log, silentLog } from "../../src/lib/log.ts";
import type { Peer } from "../../src/server/node/index.ts";
import type { Storage } from "../harness/storages.ts";
import { type CrashMode, SimFs } from "./disk.ts";
import { SimDiskDatabase } from "./disk-database.ts";
import type { FaultCounts } from "./fault-counts.ts";
import type { GoldenHistory } from "./golden-history.ts";
import type { SimNetwork } from "./network.ts";
import { SimProcess } from "./process.ts";
import type { RaftInvariants } from "./raft-invariants.ts";
import { Random } from "./random.ts";
import type { Seams } from "./seams.ts";
import { InvariantBroken, type Tripwire } from "./tripwire.ts";
import type { VirtualTime } from "./virtual-time.ts";
import { peerUrlOf, WorldMember } from "./world-member.ts";
import type { WorldSettings } from "./world-settings.ts";

/** A member as the world keeps it over its runs. */
interface Place {
  readonly id: bigint;
  fs: SimFs;
  database: SimDiskDatabase | undefined;
  runs: number;
  member: WorldMember | undefined;
  readonly isFounder: boolean;
  /** Whom one that joins is told to reach. */
  readonly peers: readonly Peer[];
  isRemoved: boolean;
  /** Its disk was told to fail: it may end for that. */
  isDiskFailing: boolean;
}

export interface ClusterOptions {
  readonly seed: number;
  readonly storage: Storage;
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  readonly counts: FaultCounts;
  readonly settings: WorldSettings;
  readonly invariants: RaftInvariants;
  readonly golden: GoldenHistory;
  readonly tripwire: Tripwire;
  readonly seams: Seams;
  readonly onTrace: ((line: string) => void) | undefined;
  /** The first members. */
  readonly founders: readonly bigint[];
}

/** The members with their disks and processes: who is up, who is down and comes back, who is gone for good. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #places = new Map<bigint, Place>();
  readonly #slowness = new WeakMap<SimFs | SimDiskDatabase, number>();
  #failures = 0;
  #isAtPeace = false;

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Those whose process exists. */
  members(): WorldMember[] {
    return [...this.#places.values()].flatMap(({ member }) =>
      member === undefined || member.process.isKilled ? [] : [member],
    );
  }

  /** All that were ever started, removed ones aside. */
  ids(): bigint[] {
    return [...this.#places.values()].filter(({ isRemoved }) => !isRemoved).map(({ id }) => id);
  }

  observe(): void {
    for (const { member } of this.#places.values()) member?.observe();
  }

  /** The members that the newest membership names. */
  namedMembers(): WorldMember[] {
    return this.#namedIds().flatMap((id) => this.#places.get(id)?.member ?? []);
  }

  /** As an operator does: starts whom the membership names and nobody has started, as who asked for it never heard. */
  startNamed(): void {
    const ids = this.#namedIds();
    for (const id of ids) {
      if (!this.#places.has(id)) this.add(id, false, ids.filter((other) => other !== id).map(peerOf));
    }
  }

  #namedIds(): bigint[] {
    const running = this.members().filter((member) => member.node !== undefined);
    const newest = running.sort((left, right) => right.node!.appliedIndex - left.node!.appliedIndex)[0];
    return newest?.node?.members().map((member) => member.id) ?? [];
  }

  /** A new member, with an empty disk. `peers`: whom one that joins is told to reach. */
  add(id: bigint, isFounder: boolean, peers: readonly Peer[] = []): void {
    const fs = this.#createDisk(id, 0, (options) => new SimFs(options));
    const { storage } = this.#options;
    const isOnDisk = storage === "rocksdb" || (storage === "mixed" && id % 2n === 0n);
    const database = isOnDisk
      ? new SimDiskDatabase(this.#databaseOptions(id, 0, () => place.database))
      : undefined;
    const place: Place = {
      ...{ id, fs, database, runs: 0, member: undefined, isFounder, peers },
      ...{ isRemoved: false, isDiskFailing: false },
    };
    this.#places.set(id, place);
    this.#start(place);
  }

  /** The process ends at once; the disk is as `mode` says when it starts again. */
  crash(member: WorldMember, mode: CrashMode, downMs: number): void {
    const place = this.#places.get(member.id)!;
    if (place.member !== member || member.process.isKilled) return;
    member.kill();
    this.#rebootLater(place, member, mode, downMs);
  }

  /** As an operator restarts it. */
  restart(member: WorldMember, downMs: number): void {
    const place = this.#places.get(member.id)!;
    member.process.run(() => {
      member.stop().then(
        () => this.crash(member, "clean", downMs),
        (error: Error) => this.#died(place, member, error),
      );
    });
  }

  failDisk(member: WorldMember, code: string): void {
    this.#places.get(member.id)!.isDiskFailing = true;
    this.#failures++;
    if (member.database !== undefined && this.#failures % 2 === 0) member.database.failNext();
    else member.fs.failNext(code);
  }

  slowDisk(member: WorldMember, factor: number): void {
    this.#slowness.set(member.fs, factor);
    if (member.database !== undefined) this.#slowness.set(member.database, factor);
  }

  #rebootLater(place: Place, member: WorldMember, mode: CrashMode, downMs: number): void {
    this.#options.time.after(downMs, `start m${place.id}`, () => {
      if (place.member !== member || place.isRemoved) return;
      place.fs = this.#createDisk(place.id, place.runs, (options) => member.fs.reboot(mode, options));
      place.database = member.database?.reboot(
        mode,
        this.#databaseOptions(place.id, place.runs, () => place.database),
      );
      place.isDiskFailing = false;
      this.#start(place);
    });
  }

  #createDisk(
    id: bigint,
    run: number,
    create: (options: ConstructorParameters<typeof SimFs>[0]) => SimFs,
  ): SimFs {
    const random = new Random(this.#options.seed, `disk ${id} ${run}`);
    const fs: SimFs = create({
      seed: random.below(0x4000_0000),
      delay: () => this.#diskTime(id, random, fs),
    });
    return fs;
  }

  #databaseOptions(
    id: bigint,
    run: number,
    database: () => SimDiskDatabase | undefined,
  ): ConstructorParameters<typeof SimDiskDatabase>[0] {
    const random = new Random(this.#options.seed, `database ${id} ${run}`);
    return {
      seed: random.below(0x4000_0000),
      // Most reads are answered by the cache of the system.
      delay: (operation) =>
        this.#diskTime(id, random, database(), operation === "getMany" || operation === "next" ? 0.1 : 1),
    };
  }

  /** How long one operation of a disk takes. */
  #diskTime(id: bigint, random: Random, disk: SimFs | SimDiskDatabase | undefined, share = 1): Promise<void> {
    const { time, settings } = this.#options;
    const factor = this.#isAtPeace ? 0.1 : ((disk && this.#slowness.get(disk)) ?? 1);
    const process = this.#places.get(id)?.member?.process;
    const delayMs = random.around(settings.diskMs * factor * share);
    return new Promise((resolve) => {
      if (process === undefined) time.after(delayMs, "disk", resolve);
      else process.post(delayMs, "disk", resolve);
    });
  }

  #start(place: Place): void {
    const { time, network, counts, settings, invariants, golden, tripwire, seams, onTrace, seed } =
      this.#options;
    const { id } = place;
    const random = new Random(seed, `member ${id} ${place.runs}`);
    const { driftMax } = settings;
    const rate = this.#isAtPeace ? 1 : 1 + driftMax * (2 * random.fraction() - 1);
    const name = `m${id}.${place.runs++}`;
    const process = new SimProcess(time, name, { offsetMs: random.below(1_000_000), rate });
    const member: WorldMember = new WorldMember({
      ...{ id, process, fs: place.fs, database: place.database, random, settings, network },
      ...{ invariants, golden, tripwire, seams },
      log: onTrace === undefined ? silentLog : traceLog(onTrace, () => `${time.nowMs} ${name}`),
      founders: place.isFounder ? this.#options.founders : undefined,
      peers: place.isFounder
        ? this.#options.founders.filter((other) => other !== id).map(peerOf)
        : place.peers,
      nowMs: () => time.nowMs,
      onFatal: (error) => this.#died(place, member, error),
    });
    place.member = member;
    member.start().then(
      () => counts.add("members up"),
      (error: Error) => this.#died(place, member, error),
    );
  }

  /** A process that says that it must end. */
  #died(place: Place, member: WorldMember, error: Error): void {
    if (place.member !== member || member.process.isKilled) return;
    if (error instanceof InvariantBroken) return;
    if (error.name === "UsageError" && /permanently removed/.test(error.message)) {
      this.#options.counts.add("members gone after removal");
      place.isRemoved = true;
      member.kill();
      return;
    }
    if (error.name === "RequestError" && (error as { code?: string }).code === "stopped") return;
    if (error.name === "StorageFailure" && place.isDiskFailing) {
      this.#options.counts.add("members ended by their disk");
      member.kill();
      this.#rebootLater(place, member, "dropped", 1_000);
      return;
    }
    this.#options.tripwire.broken ??= new InvariantBroken(
      "members do not fail",
      `member ${place.id}: ${error.stack ?? error.message}`,
    );
  }

  /** Clocks run alike, disks are fast, all that stand still go on, all that are down start again. */
  makePeace(): void {
    this.#isAtPeace = true;
    for (const place of this.#places.values()) {
      const { member } = place;
      if (member === undefined || place.isRemoved) continue;
      member.process.setRate(1);
      if (member.process.isPaused) member.process.resume();
      if (member.process.isKilled) this.#rebootLater(place, member, "dropped", PEACE_START_MS);
    }
  }

  describe(): string {
    return [...this.#places.values()]
      .map(({ id, member, isRemoved }) => {
        if (isRemoved || member === undefined) return `  member ${id}: removed`;
        const { node, process } = member;
        const state = process.isKilled ? "down" : process.isPaused ? "paused" : "up";
        if (node === undefined) return `  member ${id}: ${state}, reading its disk`;
        const members = node.members().map((other) => `${other.id}${other.isLearner ? "l" : ""}`);
        return (
          `  member ${id}: ${state}, leader ${node.leaderId} in term ${node.term}, committed ${node.raftIndex}, ` +
          `applied ${node.appliedIndex}, members ${members}, ${member.client === undefined ? "not serving" : "serving"}`
        );
      })
      .join("\n");
  }
}

const PEACE_START_MS = 100;

function peerOf(id: bigint): Peer {
  return { id, peerUrls: [peerUrlOf(id)] };
}

function traceLog(onTrace: (line: string) => void, where: () => string): Log {
  const line =
    (level: string) =>
    (message: string, fields: unknown = {}): void => {
      const text = JSON.stringify(fields, (_, value) => (typeof value === "bigint" ? String(value) : value));
      onTrace(`${where()} ${level}: ${message} ${text}`);
    };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}
