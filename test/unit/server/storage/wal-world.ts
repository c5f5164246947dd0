import { createDeferred } from "../../../../src/lib/deferred.ts";
import { StorageFailure } from "../../../../src/lib/errors.ts";
import type { Fs } from "../../../../src/lib/fs.ts";
import { silentLog } from "../../../../src/lib/log.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import {
  type ConfState,
  type Entry,
  emptyHardState,
  type HardState,
  type SnapshotMetadata,
} from "../../../../src/server/raft/index.ts";
import {
  createWal,
  FileSnapshotStore,
  openWal,
  type Wal,
  type WalBatch,
  type WalOptions,
} from "../../../../src/server/storage/index.ts";
import { SimClock } from "../../../sim/clock.ts";
import { SimFs, SimFsError } from "../../../sim/disk.ts";

export const walDirectory = "/data/wal";
export const snapshotDirectory = "/data/snap";
export const identity = { clusterId: 0xc1n, memberId: 0xabcn };
export const salt = 0x5eed_5a17;

const confState: ConfState = {
  voters: [identity.memberId, 7n],
  learners: [9n],
  votersOutgoing: [],
  learnersNext: [],
  autoLeave: false,
};

/** A log on a file system, with what was reported about it. */
export interface LogWorld {
  readonly fs: Fs;
  readonly clock: SimClock;
  readonly options: WalOptions;
  readonly failures: StorageFailure[];
  /** Rejects with the log's failure. */
  readonly failed: Promise<never>;
  readonly snapshots: FileSnapshotStore;
}

export function logWorld(fs: Fs, overrides: Partial<WalOptions> = {}): LogWorld {
  const clock = new SimClock();
  const failures: StorageFailure[] = [];
  const failure = createDeferred<never>();
  failure.promise.catch(() => undefined);
  const options: WalOptions = {
    fs,
    clock,
    log: silentLog,
    directory: walDirectory,
    ...identity,
    segmentBytes: 16_384,
    onFailure: (reported) => {
      failures.push(reported);
      failure.reject(reported);
    },
    ...overrides,
  };
  const snapshots = new FileSnapshotStore({ fs, directory: snapshotDirectory, ...identity });
  return { fs, clock, options, failures, failed: failure.promise, snapshots };
}

/** A new log in a new file system. */
export async function newLog(
  fs = new SimFs({ seed: 1 }),
  overrides: Partial<WalOptions> = {},
): Promise<LogWorld & { wal: Wal; fs: SimFs }> {
  const world = logWorld(fs, overrides);
  await fs.createDirectory(walDirectory);
  await fs.syncDirectory("/data");
  await fs.syncDirectory("/");
  await createWal(world.options, salt);
  const { wal } = await openWal(world.options);
  return { ...world, fs, wal };
}

export function entry(index: number, term: number, data: Uint8Array | string = `entry ${index}`): Entry {
  return { index, term, type: 0, data: typeof data === "string" ? Buffer.from(data) : data };
}

export function entries(from: number, to: number, term = 1): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => entry(from + i, term));
}

export function metadata(index: number, term = 1): SnapshotMetadata {
  return { index, term, confState };
}

export function appended(wal: Wal, batch: Partial<WalBatch>): Promise<void> {
  return new Promise((resolve) => wal.append({ hardState: undefined, entries: [], ...batch }, resolve));
}

/** Lets everything that is under way in a SimFs finish. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Comparable and printable. */
export function plain(list: readonly Entry[]): string[] {
  return list.map(
    ({ index, term, type, data }) => `${index}@${term}/${type}:${Buffer.from(data).toString("latin1")}`,
  );
}

/** The chunks of the snapshot at `index` in the workload. */
export function snapshotChunks(index: number): Uint8Array[] {
  return [Buffer.from(`state at ${index}`), Buffer.alloc(700, index & 0xff)];
}

/** One step of a workload, and what the log must hold once it is durable. */
export type Step =
  | {
      readonly kind: "append";
      readonly batch: WalBatch;
      readonly isWaitedFor: boolean;
      readonly after: LogModel;
    }
  | { readonly kind: "snapshot"; readonly metadata: SnapshotMetadata; readonly after: LogModel }
  | { readonly kind: "idle"; readonly after: LogModel };

export interface LogModel {
  readonly entries: readonly Entry[];
  readonly hardState: HardState;
  readonly mark: SnapshotMetadata | undefined;
}

/** A repeatable course of a log: batches of all sizes, replaced tails, votes, commits, snapshots, quiet times. */
export function createWorkload(seed: number, steps: number): Step[] {
  const prng = createPrng(seed);
  const workload: Step[] = [];
  let model: LogModel = { entries: [], hardState: emptyHardState, mark: undefined };
  const base = (): number => model.mark?.index ?? 0;
  const last = (): number => base() + model.entries.length;
  const data = (): Uint8Array => {
    const choice = prng.below(40);
    if (choice === 0) return Buffer.alloc(3000);
    if (choice === 1) return Buffer.alloc(20_000, prng.below(256));
    if (choice < 5) return Buffer.alloc(600 + prng.below(1200), prng.below(2) * prng.below(256));
    return Buffer.from(`value ${prng.below(1e9)}`.repeat(1 + prng.below(6)));
  };
  while (workload.length < steps) {
    const choice = prng.below(100);
    if (choice < 4) {
      workload.push({ kind: "idle", after: model });
    } else if (choice < 7 && model.hardState.commit > base()) {
      const index = model.hardState.commit;
      const term = model.entries[index - base() - 1]!.term;
      model = { ...model, entries: model.entries.slice(index - base()), mark: metadata(index, term) };
      workload.push({ kind: "snapshot", metadata: model.mark!, after: model });
    } else {
      let { term, vote, commit } = model.hardState;
      let from = last() + 1;
      if (choice < 12) {
        term += 1 + prng.below(2);
        vote = BigInt(prng.below(3));
        from = commit + 1 + prng.below(last() - commit + 1);
      }
      if (term === 0) term = 1;
      const count = choice < 18 ? 0 : 1 + prng.below(4);
      const added = Array.from({ length: count }, (_, i) => entry(from + i, term, data()));
      const kept = count === 0 ? model.entries : [...model.entries.slice(0, from - base() - 1), ...added];
      if (prng.below(3) > 0) commit += prng.below(base() + kept.length - commit + 1);
      const hardState = prng.below(5) > 0 || choice < 12 ? { term, vote, commit } : undefined;
      model = { ...model, entries: kept, hardState: hardState ?? model.hardState };
      const isWaitedFor = prng.below(5) < 3;
      workload.push({ kind: "append", batch: { hardState, entries: added }, isWaitedFor, after: model });
    }
  }
  return workload;
}

export interface WorkloadRun {
  /** How many steps, from the first, are known to be durable. */
  acknowledged: number;
  isFinished: boolean;
  readonly world: LogWorld;
}

/** Runs the workload until it ends, the file system crashes or something fails. */
export async function runWorkload(fs: SimFs, workload: readonly Step[]): Promise<WorkloadRun> {
  const world = logWorld(fs);
  const run: WorkloadRun = { acknowledged: 0, isFinished: false, world };
  const work = drive(run, fs, workload).catch((error: unknown) => {
    if (!(error instanceof StorageFailure || error instanceof SimFsError)) throw error;
  });
  await Promise.race([work, fs.crashed]);
  return run;
}

async function drive(run: WorkloadRun, fs: SimFs, workload: readonly Step[]): Promise<void> {
  const { options, clock, snapshots } = run.world;
  await fs.createDirectory(walDirectory);
  await fs.createDirectory(snapshotDirectory);
  await fs.syncDirectory("/data");
  await fs.syncDirectory("/");
  await createWal(options, salt);
  const { wal } = await openWal(options);
  for (const [i, step] of workload.entries()) {
    const acknowledge = (): void => {
      run.acknowledged = i + 1;
    };
    if (step.kind === "idle") {
      await settled();
      clock.advance(60);
      await settled();
    } else if (step.kind === "snapshot") {
      await snapshots.write(step.metadata, snapshotChunks(step.metadata.index));
      await wal.appendSnapshotMark(step.metadata);
      acknowledge();
      wal.release(step.metadata.index);
      await snapshots.removeBefore(step.metadata.index);
    } else if (step.isWaitedFor) {
      const isDone = new Promise<void>((resolve) => wal.append(step.batch, resolve));
      clock.runDeferred();
      await Promise.race([isDone, run.world.failed]);
      acknowledge();
    } else {
      wal.append(step.batch, acknowledge);
    }
  }
  await wal.close();
  run.isFinished = true;
}
