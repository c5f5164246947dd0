import type {
  Compare,
  EventSeen,
  KeyValueSeen,
  ModelRequest,
  ModelResponse,
  WriteOrRead,
} from "./history.ts";

/** etcd's store as a sequential machine (invariants-and-simulation 4.4). Never changed: each write makes a new one. */
export interface StoreState {
  /** 1 on an empty store. */
  readonly revision: number;
  /** -1 when never compacted. */
  readonly compactRevision: number;
  readonly keys: ReadonlyMap<string, KeyValueSeen>;
  /** undefined: leases are not looked at, every one named exists. */
  readonly leases: ReadonlySet<string> | undefined;
}

export const emptyStore: StoreState = {
  revision: 1,
  compactRevision: -1,
  keys: new Map(),
  leases: new Set(),
};

export const refusal = {
  compacted: "etcdserver: mvcc: required revision has been compacted",
  futureRevision: "etcdserver: mvcc: required revision is a future revision",
  leaseNotFound: "etcdserver: requested lease not found",
  leaseExists: "etcdserver: lease already exists",
} as const;

export interface Outcome {
  readonly state: StoreState;
  readonly response: ModelResponse;
  /** What the request changed, in order; all of one revision. */
  readonly events: readonly EventSeen[];
}

type TxnResult = Extract<ModelResponse, { kind: "txn" }>["results"][number];

/**
 * What the store does with a request. A range at an old revision is answered without its keys, which this state does
 * not have (serializable-check.ts looks at them).
 */
export function applyRequest(state: StoreState, request: ModelRequest): Outcome {
  switch (request.kind) {
    case "range":
      return read(state, request);
    case "txn":
      return applyTxn(state, request);
    case "leaseGrant": {
      if (state.leases === undefined) return done(state, []);
      if (state.leases.has(request.lease)) return refused(state, refusal.leaseExists);
      return done({ ...state, leases: new Set(state.leases).add(request.lease) }, []);
    }
    case "leaseRevoke":
      return revoke(state, request.lease);
    case "compaction":
      if (request.revision <= state.compactRevision) return refused(state, refusal.compacted);
      if (request.revision > state.revision) return refused(state, refusal.futureRevision);
      return done({ ...state, compactRevision: request.revision }, []);
  }
}

/** The keys that a range names in etcd's notation, ascending. */
export function keysInRange(
  keys: ReadonlyMap<string, KeyValueSeen>,
  key: string,
  rangeEnd: string,
): KeyValueSeen[] {
  if (rangeEnd === "") {
    const found = keys.get(key);
    return found === undefined ? [] : [found];
  }
  return [...keys.values()]
    .filter((kv) => isInRange(kv.key, key, rangeEnd))
    .sort((left, right) => (left.key < right.key ? -1 : 1));
}

export function isInRange(key: string, start: string, rangeEnd: string): boolean {
  if (rangeEnd === "") return key === start;
  return key >= start && (rangeEnd === "\0" || key < rangeEnd);
}

/** A store after the events of one revision; leases as before. */
export function applyEvents(state: StoreState, events: readonly EventSeen[]): StoreState {
  const keys = new Map(state.keys);
  for (const { type, kv } of events) {
    if (type === "put") keys.set(kv.key, kv);
    else keys.delete(kv.key);
  }
  return { ...state, keys, revision: state.revision + 1 };
}

function read(state: StoreState, request: Extract<ModelRequest, { kind: "range" }>): Outcome {
  const { key, rangeEnd, revision } = request;
  if (revision > state.revision) return refused(state, refusal.futureRevision);
  if (revision > 0 && revision < state.compactRevision) return refused(state, refusal.compacted);
  const kvs = revision > 0 ? [] : keysInRange(state.keys, key, rangeEnd);
  return { state, response: { kind: "range", revision: state.revision, kvs }, events: [] };
}

function applyTxn(state: StoreState, request: Extract<ModelRequest, { kind: "txn" }>): Outcome {
  const succeeded = request.compares.every((compare) => holds(state, compare));
  const operations = succeeded ? request.success : request.failure;
  const { leases } = state;
  for (const operation of operations) {
    if (operation.kind !== "put" || operation.lease === "" || leases === undefined) continue;
    if (!leases.has(operation.lease)) return refused(state, refusal.leaseNotFound);
  }
  const transaction = new Transaction(state);
  const results = operations.map((operation) => transaction.run(operation));
  const after = transaction.end();
  const response: ModelResponse = { kind: "txn", revision: after.revision, succeeded, results };
  return { state: after, response, events: transaction.events };
}

class Transaction {
  readonly events: EventSeen[] = [];
  readonly #state: StoreState;
  #keys: Map<string, KeyValueSeen> | undefined;

  constructor(state: StoreState) {
    this.#state = state;
  }

  run(operation: WriteOrRead): TxnResult {
    switch (operation.kind) {
      case "put":
        this.#put(operation);
        return { kind: "put" };
      case "delete": {
        const found = keysInRange(this.#current(), operation.key, operation.rangeEnd);
        for (const kv of found) this.#delete(kv);
        return { kind: "delete", deleted: found.length };
      }
      case "range":
        return { kind: "range", kvs: keysInRange(this.#current(), operation.key, operation.rangeEnd) };
    }
  }

  #put({ key, value, lease }: Extract<WriteOrRead, { kind: "put" }>): void {
    const prev = this.#current().get(key);
    const modRevision = this.#state.revision + 1;
    const createRevision = prev?.createRevision ?? modRevision;
    const kv = { key, value, createRevision, modRevision, version: (prev?.version ?? 0) + 1, lease };
    this.#writable().set(key, kv);
    this.events.push({ type: "put", kv, prev });
  }

  #delete(prev: KeyValueSeen): void {
    this.#writable().delete(prev.key);
    this.events.push({ type: "delete", kv: deletedKey(prev.key, this.#state.revision + 1), prev });
  }

  end(): StoreState {
    if (this.#keys === undefined) return this.#state;
    return { ...this.#state, keys: this.#keys, revision: this.#state.revision + 1 };
  }

  #current(): ReadonlyMap<string, KeyValueSeen> {
    return this.#keys ?? this.#state.keys;
  }

  #writable(): Map<string, KeyValueSeen> {
    this.#keys ??= new Map(this.#state.keys);
    return this.#keys;
  }
}

/** What a delete event carries of its key. */
export function deletedKey(key: string, modRevision: number): KeyValueSeen {
  return { key, value: "", createRevision: 0, modRevision, version: 0, lease: "" };
}

function revoke(state: StoreState, lease: string): Outcome {
  if (state.leases !== undefined && !state.leases.has(lease)) return refused(state, refusal.leaseNotFound);
  const leases = state.leases === undefined ? undefined : new Set(state.leases);
  leases?.delete(lease);
  const attached = [...state.keys.values()]
    .filter((kv) => kv.lease === lease)
    .sort((left, right) => (left.key < right.key ? -1 : 1));
  const transaction = new Transaction({ ...state, leases });
  for (const kv of attached) transaction.run({ kind: "delete", key: kv.key, rangeEnd: "" });
  return done(transaction.end(), transaction.events);
}

function holds(state: StoreState, compare: Compare): boolean {
  const kv = state.keys.get(compare.key);
  switch (compare.target) {
    case "modRevision":
      return (kv?.modRevision ?? 0) === compare.equals;
    case "version":
      return (kv?.version ?? 0) === compare.equals;
    case "value":
      return kv !== undefined && kv.value === compare.equals;
  }
}

function done(state: StoreState, events: readonly EventSeen[]): Outcome {
  return { state, response: { kind: "done", revision: state.revision }, events };
}

function refused(state: StoreState, error: string): Outcome {
  return { state, response: { kind: "refused", error }, events: [] };
}

export function isSameKeyValue(left: KeyValueSeen, right: KeyValueSeen): boolean {
  return (
    left.key === right.key &&
    left.value === right.value &&
    left.createRevision === right.createRevision &&
    left.modRevision === right.modRevision &&
    left.version === right.version &&
    left.lease === right.lease
  );
}

export function isSameList(left: readonly KeyValueSeen[], right: readonly KeyValueSeen[]): boolean {
  return left.length === right.length && left.every((kv, i) => isSameKeyValue(kv, right[i]!));
}

/** Equal but for `prev`, which not every watch asks for. */
export function isSameEvents(left: readonly EventSeen[], right: readonly EventSeen[]): boolean {
  return (
    left.length === right.length &&
    left.every((event, i) => event.type === right[i]!.type && isSameKeyValue(event.kv, right[i]!.kv))
  );
}

export function isSameResponse(left: ModelResponse, right: ModelResponse): boolean {
  if (left.kind === "refused") return right.kind === "refused" && left.error === right.error;
  if (right.kind === "refused" || left.revision !== right.revision) return false;
  if (left.kind === "done") return right.kind === "done";
  if (left.kind === "range") return right.kind === "range" && isSameList(left.kvs, right.kvs);
  if (right.kind !== "txn" || left.succeeded !== right.succeeded) return false;
  return (
    left.results.length === right.results.length &&
    left.results.every((result, i) => isSameResult(result, right.results[i]!))
  );
}

function isSameResult(left: TxnResult, right: TxnResult): boolean {
  if (left.kind === "range") return right.kind === "range" && isSameList(left.kvs, right.kvs);
  if (left.kind === "delete") return right.kind === "delete" && left.deleted === right.deleted;
  return right.kind === "put";
}
