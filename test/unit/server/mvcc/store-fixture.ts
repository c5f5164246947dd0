import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../../../../src/codec/index.ts";
import { type ByteString, EMPTY } from "../../../../src/lib/bytes.ts";
import type { LeaseDirectory } from "../../../../src/server/mvcc/index.ts";
import { Store, type StoreOptions } from "../../../../src/server/mvcc/store.ts";
import { MemoryEngine } from "../../../../src/server/storage/index.ts";

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

export interface StoreFixture {
  readonly store: Store;
  readonly engine: MemoryEngine;
  readonly leases: RecordingLeases;
}

export const yieldTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createStore(
  options: Partial<Pick<StoreOptions, "pauseCompaction" | "yieldTurn" | "observed">> = {},
): StoreFixture {
  const engine = new MemoryEngine();
  const leases = new RecordingLeases();
  return { store: new Store({ engine, leases, yieldTurn, ...options }), engine, leases };
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
