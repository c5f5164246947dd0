import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../../../src/codec/index.ts";
import { type ByteString, EMPTY } from "../../../../src/lib/bytes.ts";
import type { KvReader, LeaseDirectory } from "../../../../src/server/mvcc/index.ts";
import { Store, type StoreOptions, type StoreSnapshot } from "../../../../src/server/mvcc/store.ts";
import {
  wantsOfDeleteRange,
  wantsOfKeys,
  wantsOfPut,
  wantsOfTxn,
} from "../../../../src/server/mvcc/touched.ts";
import {
  type Engine,
  MemoryEngine,
  type RecordCursor,
  type VersionedRecord,
  type Want,
} from "../../../../src/server/storage/index.ts";

export const bytes = (text: string): ByteString => text as ByteString;

/** Requests with the fields that matter to the test; the rest are proto3 defaults. */
export function rangeOf(
  key: string,
  rest: Partial<Omit<RangeRequest, "rangeEnd">> & { rangeEnd?: string } = {},
): RangeRequest {
  const { rangeEnd = "", ...fields } = rest;
  return {
    key: bytes(key),
    rangeEnd: bytes(rangeEnd),
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
    ...fields,
  };
}

export function putOf(key: string, value = "", rest: Partial<PutRequest> = {}): PutRequest {
  return {
    key: bytes(key),
    value: bytes(value),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
    ...rest,
  };
}

export function deleteOf(key: string, rangeEnd = "", prevKv = false): DeleteRangeRequest {
  return { key: bytes(key), rangeEnd: bytes(rangeEnd), prevKv };
}

export function txnOf(request: Partial<TxnRequest>): TxnRequest {
  return { compare: [], success: [], failure: [], ...request };
}

export const op = {
  range: (...args: Parameters<typeof rangeOf>): RequestOp => ({ case: "range", request: rangeOf(...args) }),
  put: (...args: Parameters<typeof putOf>): RequestOp => ({ case: "put", request: putOf(...args) }),
  del: (...args: Parameters<typeof deleteOf>): RequestOp => ({
    case: "deleteRange",
    request: deleteOf(...args),
  }),
  txn: (request: Partial<TxnRequest>): RequestOp => ({ case: "txn", request: txnOf(request) }),
};

export function compareOf(key: string, rest: Partial<Compare> = {}): Compare {
  return { result: 0, target: 0, key: bytes(key), rangeEnd: EMPTY, union: { case: undefined }, ...rest };
}

/** Leases by hand: which exist, and which keys each has. Detaching what is not attached is an error. */
export class RecordingLeases implements LeaseDirectory {
  readonly keys = new Map<bigint, Set<ByteString>>();

  grant(id: bigint): void {
    this.keys.set(id, new Set());
  }

  has(id: bigint): boolean {
    return this.keys.has(id);
  }

  attach(id: bigint, key: ByteString): void {
    const keys = this.keys.get(id);
    if (keys === undefined) throw new Error(`lease ${id} does not exist`);
    keys.add(key);
  }

  detach(id: bigint, key: ByteString): void {
    if (this.keys.get(id)?.delete(key) !== true) throw new Error(`${key} is not attached to lease ${id}`);
  }

  keysOf(id: bigint): string[] {
    return [...(this.keys.get(id) ?? [])].sort();
  }
}

/** Reads that are answered at once, as those over a memory engine are. */
type ReadsAtHand = {
  [K in "range" | "readTxn" | "lastChange"]: (
    ...args: Parameters<KvReader[K]>
  ) => Exclude<ReturnType<KvReader[K]>, Promise<unknown>>;
};

export interface StoreFixture {
  readonly store: ReadsAtHand & Store;
  readonly engine: MemoryEngine;
  readonly leases: RecordingLeases;
}

type FixtureOptions = Partial<Pick<StoreOptions, "pauseCompaction" | "yieldTurn" | "observed">>;

export const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createStore(options: FixtureOptions = {}): StoreFixture {
  const engine = new MemoryEngine();
  const leases = new RecordingLeases();
  const store = new Store({ engine, leases, yieldTurn, ...options });
  return { store: store as ReadsAtHand & Store, engine, leases };
}

/** A store over any engine: what a write touches is loaded before it, as a member does. */
export class StoreDriver {
  readonly engine: Engine;
  readonly leases = new RecordingLeases();
  readonly store: Store;

  constructor(engine: Engine, options: FixtureOptions = {}) {
    this.engine = engine;
    this.store = new Store({ engine, leases: this.leases, yieldTurn, ...options });
  }

  async put(...args: Parameters<Store["put"]>): Promise<ReturnType<Store["put"]>> {
    await this.#load(wantsOfPut(...args));
    return this.store.put(...args);
  }

  async deleteRange(...args: Parameters<Store["deleteRange"]>): Promise<ReturnType<Store["deleteRange"]>> {
    await this.#load(wantsOfDeleteRange(...args));
    return this.store.deleteRange(...args);
  }

  async txn(...args: Parameters<Store["txn"]>): Promise<ReturnType<Store["txn"]>> {
    await this.#load(wantsOfTxn(...args));
    return this.store.txn(...args);
  }

  async deleteKeys(keys: readonly ByteString[]): Promise<boolean> {
    await this.#load(wantsOfKeys(keys));
    return this.store.deleteKeys(keys);
  }

  /** Takes the content of a snapshot, some records at a time. */
  async restore(snapshot: StoreSnapshot): Promise<void> {
    const restore = this.store.restore(snapshot);
    for await (const page of snapshot.pages) {
      const middle = page.length >> 1;
      await restore.append(page.slice(0, middle));
      await restore.append(page.slice(middle));
    }
    await restore.prepare();
    restore.finish();
  }

  /** All records that the engine holds. */
  records(): Promise<VersionedRecord[]> {
    return readAll(this.engine.records(0, Number.MAX_SAFE_INTEGER));
  }

  async #load(wants: readonly Want[]): Promise<void> {
    await this.engine.loader?.load(wants);
  }
}

/** The cursor to its end, closed. */
export async function readAll(cursor: RecordCursor): Promise<VersionedRecord[]> {
  const records: VersionedRecord[] = [];
  try {
    for (;;) {
      const page = await cursor.next(100);
      if (page.length === 0) return records;
      records.push(...page);
    }
  } finally {
    cursor.close();
  }
}

/** The same of an engine that has all in memory. */
export function recordsOf(
  engine: MemoryEngine,
  fromRevision = 0,
  toRevision = Number.MAX_SAFE_INTEGER,
): VersionedRecord[] {
  const cursor = engine.records(fromRevision, toRevision);
  return [...(cursor.next(Number.MAX_SAFE_INTEGER) as readonly VersionedRecord[])];
}

/** The records of a snapshot over a memory engine, one by one. */
export function* recordsIn(snapshot: StoreSnapshot): Generator<VersionedRecord> {
  for (const page of snapshot.pages as Iterable<readonly VersionedRecord[]>) yield* page;
}

/** The same of any snapshot: while a compaction is under way its pages come over several turns. */
export async function gatheredFrom(snapshot: StoreSnapshot): Promise<VersionedRecord[]> {
  const records: VersionedRecord[] = [];
  for await (const page of snapshot.pages) records.push(...page);
  return records;
}

/** Runs `action` and gives the code of the RequestError it throws. */
export function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code);
    throw error;
  }
  return "none";
}

/** The same of an action that takes time. */
export async function codeOfLater(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code);
    throw error;
  }
  return "none";
}
