import { type Clock, turnEnd } from "../lib/clock.ts";
import { Lessor } from "./lease/index.ts";
import type { MemberState } from "./member-storage.ts";
import { Store, type StoreObserver } from "./mvcc/index.ts";
import { DurableState } from "./node/index.ts";
import { StateMachine } from "./state/index.ts";
import {
  assertRocksModule,
  type DiskDatabase,
  DiskEngine,
  type Engine,
  type EngineKind,
  MemoryEngine,
  openRocksDatabase,
} from "./storage/index.ts";

/** After each bite a compaction rests so many times as long: it takes a tenth of the time, however fast the machine. */
const COMPACTION_REST_FACTOR = 9;
/** The shortest that a timer waits. */
const REST_MS_MIN = 1;
/** Of the cache, what newest records have as they are used; the rest is for the files. */
const RECORDS_SHARE = 0.5;
const WRITE_BUFFER_BYTES = 32 * 1024 * 1024;

export interface MemberStateOptions {
  readonly clock: Clock;
  readonly observer: StoreObserver;
}

/** Throws UsageError where a new member could not have the engine: to be asked before a directory is made for it. */
export async function assertEngineAvailable(kind: EngineKind): Promise<void> {
  if (kind === "rocksdb") await assertRocksModule();
}

/**
 * An empty state over the engine of that kind, or what an engine on disk holds. Throws UsageError where the engine
 * cannot be had, StorageFailure when its files are damaged.
 */
export async function createMemberState(
  options: MemberStateOptions & {
    readonly kind: EngineKind;
    /** Where an engine on disk has its files. */
    readonly path: string;
    readonly cacheSizeBytes: number;
    /** What is on disk is wrong: the member must not go on. */
    readonly onFailure: (failure: Error) => void;
  },
): Promise<MemberState> {
  const { kind, path, cacheSizeBytes, onFailure } = options;
  if (kind === "memory") {
    return { state: stateOver(new MemoryEngine(), options), durable: undefined, close: async () => {} };
  }
  const recordBytes = Math.floor(cacheSizeBytes * RECORDS_SHARE);
  const database = await openRocksDatabase({
    path,
    cacheSizeBytes: cacheSizeBytes - recordBytes,
    writeBufferSizeBytes: WRITE_BUFFER_BYTES,
  });
  return await openDurableState({ ...options, database, cacheSizeBytes: recordBytes, onFailure });
}

/** The state that `database` holds. */
export async function openDurableState(
  options: MemberStateOptions & {
    readonly database: DiskDatabase;
    readonly cacheSizeBytes: number;
    readonly onFailure: (failure: Error) => void;
  },
): Promise<MemberState> {
  const { database, cacheSizeBytes, clock, onFailure } = options;
  try {
    const engine = await DiskEngine.open({
      database,
      cacheSizeBytes,
      yieldTurn: () => turnEnd(clock),
      onFailure,
    });
    const state = stateOver(engine, options);
    const durable = new DurableState(state, engine);
    durable.recover();
    return { state, durable, close: () => engine.close() };
  } catch (error) {
    await database.close();
    throw error;
  }
}

function stateOver(engine: Engine, { clock, observer }: MemberStateOptions): StateMachine {
  const lessor = new Lessor();
  const rest = (ms: number): Promise<void> => new Promise((resolve) => clock.after(ms, resolve));
  const store = new Store({
    engine,
    leases: lessor,
    yieldTurn: () => turnEnd(clock),
    pauseCompaction: (biteMs) => rest(Math.max(REST_MS_MIN, COMPACTION_REST_FACTOR * biteMs)),
    observed: { clock, observer },
  });
  return new StateMachine(store, lessor);
}
