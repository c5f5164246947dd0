import { createPrng, type Prng } from "../../../src/lib/prng.ts";
import type {
  EventSeen,
  ModelRequest,
  Operation,
  WatchHistory,
  WatchSeen,
  WriteOrRead,
} from "../../checkers/history.ts";
import type { RevisionEvents } from "../../checkers/replay.ts";
import type { SerializableRead } from "../../checkers/serializable-check.ts";
import {
  applyRequest,
  emptyStore,
  isInRange,
  keysInRange,
  type StoreState,
} from "../../checkers/store-state.ts";

export interface LegalHistory {
  readonly operations: Operation[];
  readonly serializable: SerializableRead[];
  readonly watches: WatchHistory[];
  readonly log: RevisionEvents[];
}

const KEYS = ["a", "b", "c", "d"];

interface Planned {
  readonly client: number;
  readonly callMs: number;
  readonly atMs: number;
  readonly returnMs: number;
  readonly request: ModelRequest;
  readonly fate: "answered" | "unknown, done" | "unknown, not done";
}

/** What `clients` may see of a store that works: operations take effect somewhere between call and return. */
export function legalHistory(seed: number, options: { operations: number; clients: number }): LegalHistory {
  const prng = createPrng(seed);
  const planned = plan(prng, options).sort((left, right) => left.atMs - right.atMs);
  let state: StoreState = emptyStore;
  const states: StoreState[] = [state];
  const log: RevisionEvents[] = [];
  const operations: Operation[] = [];
  const serializable: SerializableRead[] = [];
  for (const { client, callMs, returnMs, request, fate } of planned) {
    const outcome = fate === "unknown, not done" ? undefined : applyRequest(state, request);
    if (outcome !== undefined) {
      state = outcome.state;
      if (outcome.events.length > 0) {
        log.push({ revision: state.revision, events: outcome.events });
        states.push(state);
      }
    }
    if (fate !== "answered" || outcome === undefined) {
      operations.push({ client, callMs, returnMs: Number.POSITIVE_INFINITY, request, response: undefined });
      continue;
    }
    let { response } = outcome;
    if (request.kind === "range" && request.revision > 0 && response.kind === "range") {
      const at = states[request.revision - 1]!;
      response = { ...response, kvs: keysInRange(at.keys, request.key, request.rangeEnd) };
    }
    operations.push({ client, callMs, returnMs, request, response });
    if (prng.below(4) === 0) {
      const at = states[prng.below(states.length)]!;
      const kvs = keysInRange(at.keys, "a", "\0");
      serializable.push({ client, callMs, returnMs, key: "a", rangeEnd: "\0", revision: at.revision, kvs });
    }
  }
  const watches = Array.from({ length: 6 }, (_, client) => watchOf(prng, client, log));
  return { operations, serializable, watches, log };
}

function plan(prng: Prng, options: { operations: number; clients: number }): Planned[] {
  const freeFromMs = new Array<number>(options.clients).fill(0);
  let clients = options.clients;
  return Array.from({ length: options.operations }, (_, i): Planned => {
    const slot = prng.below(freeFromMs.length);
    const callMs = freeFromMs[slot]! + 1 + prng.below(10);
    const atMs = callMs + prng.below(20);
    const returnMs = atMs + prng.below(20);
    const request = randomRequest(prng, i);
    const draw = prng.below(12);
    const fate = draw > 1 ? "answered" : draw === 1 ? "unknown, done" : "unknown, not done";
    // A client that does not know goes on at once, as another.
    freeFromMs[slot] = fate === "answered" ? returnMs : callMs;
    const client = slot + (fate === "answered" ? 0 : clients++);
    // An unknown operation may take effect long after it was given up.
    const lateMs = fate === "unknown, done" ? prng.below(200) : 0;
    return { client, callMs, atMs: atMs + lateMs + i / 1e6, returnMs: returnMs + i / 1e6, request, fate };
  });
}

function randomRequest(prng: Prng, i: number): ModelRequest {
  const key = (): string => KEYS[prng.below(KEYS.length)]!;
  const put = (lease = ""): WriteOrRead => ({ kind: "put", key: key(), value: `v${i}`, lease });
  const remove = (): WriteOrRead => ({
    kind: "delete",
    key: key(),
    rangeEnd: prng.below(4) === 0 ? "\0" : "",
  });
  const range: WriteOrRead = { kind: "range", key: key(), rangeEnd: "\0" };
  const txn = (success: WriteOrRead[], failure: WriteOrRead[] = []): ModelRequest => ({
    kind: "txn",
    compares: [],
    success,
    failure,
  });
  switch (prng.below(12)) {
    case 0:
      return txn([remove()]);
    case 1:
      return {
        kind: "txn",
        compares: [{ key: key(), target: "version", equals: prng.below(3) }],
        success: [range, { kind: "put", key: "a", value: `v${i}`, lease: "" }, range],
        failure: [remove()],
      };
    case 2:
      return { kind: "leaseGrant", lease: `${prng.below(6)}`, ttlSeconds: 1000 };
    case 3:
      return { kind: "leaseRevoke", lease: `${prng.below(6)}` };
    case 4:
      return txn([put(`${prng.below(6)}`)]);
    case 5:
      return { kind: "compaction", revision: prng.below(i + 2) };
    case 6:
      return { kind: "range", key: "a", rangeEnd: "\0", revision: 1 + prng.below(i + 2) };
    case 7:
    case 8:
    case 9:
      return { kind: "range", key: key(), rangeEnd: prng.below(2) === 0 ? "" : "\0", revision: 0 };
    default:
      return txn([put()]);
  }
}

/** A watch as a member that works serves it, with batches, progress and resumptions. */
export function watchOf(prng: Prng, client: number, log: readonly RevisionEvents[]): WatchHistory {
  const last = log.length + 1;
  const [key, rangeEnd] = prng.below(2) === 0 ? ["a", "\0"] : [KEYS[prng.below(KEYS.length)]!, ""];
  const startRevision = prng.below(last + 2);
  const createdAt = 1 + prng.below(last);
  const prevKv = prng.below(2) === 0;
  const responses: WatchSeen[] = [{ kind: "created", atMs: 0, revision: createdAt }];
  let next = startRevision === 0 ? createdAt + 1 : startRevision;
  for (let atMs = 1; next <= last; atMs++) {
    const end = Math.min(last, next + prng.below(5));
    const events: EventSeen[] = log
      .slice(Math.max(0, next - 2), end - 1)
      .flatMap((made) => made.events)
      .filter((event) => isInRange(event.kv.key, key, rangeEnd))
      .map((event) => (prevKv ? event : { ...event, prev: undefined }));
    if (events.length > 0) responses.push({ kind: "events", atMs, revision: end, events });
    next = end + 1;
    if (prng.below(5) === 0) responses.push({ kind: "progress", atMs, revision: end });
    if (prng.below(8) === 0) {
      const seen = (events.at(-1)?.kv.modRevision ?? 0) + 1;
      if (events.length > 0) next = seen;
      responses.push({ kind: "resumed", atMs, fromRevision: next });
      responses.push({ kind: "created", atMs, revision: last });
    }
  }
  return { client, key, rangeEnd, startRevision, prevKv, responses };
}
