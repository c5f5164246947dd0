import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  KeyValue,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseHeader,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from "../../../../src/codec/index.ts";
import { type ByteString, EMPTY, inRange } from "../../../../src/lib/bytes.ts";
import { RequestError } from "../../../../src/lib/errors.ts";

type State = ReadonlyMap<ByteString, KeyValue>;

const header = (revision: number): ResponseHeader => ({ clusterId: 0n, memberId: 0n, revision, raftTerm: 0 });

/**
 * The semantics of the store told plainly: one whole map of keys for every revision, and each rule of
 * semantics-kv-mvcc written down once more. Slow, and easy to check by eye.
 */
export class NaiveStore {
  /** states[r] is what could be read at revision r. */
  readonly states: State[] = [new Map(), new Map()];
  compactRevision = -1;
  readonly leases = new Set<bigint>();

  get currentRevision(): number {
    return this.states.length - 1;
  }

  get current(): State {
    return this.states[this.currentRevision] as State;
  }

  range(request: RangeRequest): RangeResponse {
    if (request.revision > 0) this.#checkRevision(request.revision);
    const state = this.states[request.revision <= 0 ? this.currentRevision : request.revision] as State;
    return rangeIn(state, request, this.currentRevision);
  }

  put(request: PutRequest): PutResponse {
    this.#checkPut(request);
    return this.#write((draft) => draft.put(request));
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse {
    return this.#write((draft) => draft.deleteRange(request));
  }

  txn(request: TxnRequest): TxnResponse {
    const before = this.current;
    this.#checkPath(request, before);
    return this.#write((draft) => ({ ...draft.txn(request, before), header: header(draft.revision) }));
  }

  revoke(lease: bigint): boolean {
    const keys = [...this.current.values()].filter((kv) => kv.lease === lease).map((kv) => kv.key);
    this.#write((draft) => keys.map((key) => draft.deleteRange({ key, rangeEnd: EMPTY, prevKv: false })));
    this.leases.delete(lease);
    return keys.length > 0;
  }

  compact(revision: number): void {
    if (revision <= this.compactRevision) throw new RequestError("compacted");
    if (revision > this.currentRevision) throw new RequestError("futureRevision");
    this.compactRevision = revision;
  }

  #write<T>(change: (draft: Draft) => T): T {
    const draft = new Draft(this);
    const response = change(draft);
    if (draft.isChanged) this.states.push(draft.state);
    return response;
  }

  #checkRevision(revision: number): void {
    if (revision > this.currentRevision) throw new RequestError("futureRevision");
    if (revision < this.compactRevision) throw new RequestError("compacted");
  }

  #checkPut(request: PutRequest): void {
    if (request.lease !== 0n && !this.leases.has(request.lease)) throw new RequestError("leaseNotFound");
    if ((request.ignoreValue || request.ignoreLease) && !this.current.has(request.key)) {
      throw new RequestError("keyNotFound");
    }
  }

  #checkPath(request: TxnRequest, before: State): void {
    for (const operation of branchOf(request, before)) {
      if (operation.case === "range" && operation.request.revision !== 0)
        this.#checkRevision(operation.request.revision);
      if (operation.case === "put") this.#checkPut(operation.request);
      if (operation.case === "txn") this.#checkPath(operation.request, before);
    }
  }
}

/** The state that one write transaction is making. */
class Draft {
  readonly state: Map<ByteString, KeyValue>;
  readonly #store: NaiveStore;
  isChanged = false;

  constructor(store: NaiveStore) {
    this.#store = store;
    this.state = new Map(store.current);
  }

  get revision(): number {
    return this.#store.currentRevision + (this.isChanged ? 1 : 0);
  }

  put(request: PutRequest): PutResponse {
    const old = this.state.get(request.key);
    this.isChanged = true;
    this.state.set(request.key, {
      key: request.key,
      createRevision: old === undefined ? this.revision : old.createRevision,
      modRevision: this.revision,
      version: old === undefined ? 1 : old.version + 1,
      value: request.ignoreValue ? (old as KeyValue).value : request.value,
      lease: request.ignoreLease ? (old as KeyValue).lease : request.lease,
    });
    return { header: header(this.revision), prevKv: request.prevKv ? old : undefined };
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse {
    const old = within(this.state, request.key, request.rangeEnd);
    for (const { key } of old) this.state.delete(key);
    if (old.length > 0) this.isChanged = true;
    return { header: header(this.revision), deleted: old.length, prevKvs: request.prevKv ? old : [] };
  }

  txn(request: TxnRequest, before: State): TxnResponse {
    const succeeded = request.compare.every((condition) => compareHolds(condition, before));
    const responses = branchOf(request, before).map((operation): ResponseOp => {
      if (operation.case === "put") return { case: "put", response: this.put(operation.request) };
      if (operation.case === "deleteRange") {
        return { case: "deleteRange", response: this.deleteRange(operation.request) };
      }
      if (operation.case === "txn") return { case: "txn", response: this.txn(operation.request, before) };
      if (operation.case === undefined) throw new Error("not valid");
      const { revision } = operation.request;
      const state = revision <= 0 ? this.state : (this.#store.states[revision] as State);
      return { case: "range", response: rangeIn(state, operation.request, this.revision) };
    });
    return { header: header(0), succeeded, responses };
  }
}

function branchOf(request: TxnRequest, before: State): RequestOp[] {
  return request.compare.every((condition) => compareHolds(condition, before))
    ? request.success
    : request.failure;
}

function within(state: State, start: ByteString, end: ByteString): KeyValue[] {
  return [...state.values()]
    .filter((kv) => inRange(kv.key, start, end))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

function rangeIn(state: State, request: RangeRequest, revision: number): RangeResponse {
  const all = within(state, request.key, request.rangeEnd);
  const count = all.length;
  if (request.countOnly) return { header: header(revision), kvs: [], more: false, count };
  const { limit, sortOrder: order, sortTarget: target } = request;
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  const isFiltered = [minModRevision, maxModRevision, minCreateRevision, maxCreateRevision].some(
    (bound) => bound !== 0,
  );
  const isCutFirst = limit > 0 && !isFiltered && (order === 0 || (order === 1 && target === 0));
  let kvs = isCutFirst ? all.slice(0, limit + 1) : all;
  if (maxModRevision !== 0) kvs = kvs.filter((kv) => kv.modRevision <= maxModRevision);
  if (minModRevision !== 0) kvs = kvs.filter((kv) => kv.modRevision >= minModRevision);
  if (maxCreateRevision !== 0) kvs = kvs.filter((kv) => kv.createRevision <= maxCreateRevision);
  if (minCreateRevision !== 0) kvs = kvs.filter((kv) => kv.createRevision >= minCreateRevision);
  const field = (["key", "version", "createRevision", "modRevision", "value"] as const)[target] ?? "key";
  const sign = order === 2 ? -1 : 1;
  kvs = kvs.toSorted((a, b) => (a[field] < b[field] ? -sign : a[field] > b[field] ? sign : 0));
  const more = limit > 0 && kvs.length > limit;
  if (more) kvs = kvs.slice(0, limit);
  if (request.keysOnly) kvs = kvs.map((kv) => ({ ...kv, value: EMPTY, lease: target === 4 ? kv.lease : 0n }));
  return { header: header(revision), kvs, more, count };
}

function compareHolds(condition: Compare, state: State): boolean {
  const kvs = within(state, condition.key, condition.rangeEnd);
  if (kvs.length > 0) return kvs.every((kv) => compareOne(condition, kv));
  const zero = { key: EMPTY, createRevision: 0, modRevision: 0, version: 0, value: EMPTY, lease: 0n };
  return condition.target !== 3 && compareOne(condition, zero);
}

function compareOne({ target, result, union }: Compare, kv: KeyValue): boolean {
  const sides: [unknown, unknown][] = [
    [kv.version, union.case === "version" ? union.value : 0],
    [kv.createRevision, union.case === "createRevision" ? union.value : 0],
    [kv.modRevision, union.case === "modRevision" ? union.value : 0],
    [kv.value, union.case === "value" ? union.value : ""],
    [kv.lease, union.case === "lease" ? union.value : 0n],
  ];
  const [left, right] = sides[target] as [number, number];
  return [left === right, left > right, left < right, left !== right][result] ?? true;
}
