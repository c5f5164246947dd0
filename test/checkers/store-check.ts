import type { KeyValueSeen, ModelResponse, Operation, WatchHistory } from "./history.ts";
import { checkLinearizable, stepsMaxDefault, type TimedOperation } from "./linearizability.ts";
import { checkRefusals } from "./refusals.ts";
import { Replay, type RevisionEvents } from "./replay.ts";
import { canDeleteOnly, checkRevisionOrder, describe, type RevisionOrder } from "./revision-order.ts";
import { checkOldReads, type SerializableRead } from "./serializable-check.ts";
import { type StoreRequest, storeModel } from "./store-model.ts";
import { applyEvents, applyRequest, emptyStore, isSameResponse, type StoreState } from "./store-state.ts";
import type { Violation } from "./violation.ts";

export interface StoreHistory {
  /** On a store that was empty before the first. */
  readonly operations: readonly Operation[];
  readonly serializable?: readonly SerializableRead[];
  readonly watches?: readonly WatchHistory[];
  /** Every revision from 2 on as the members kept it; without it the responses must show it. */
  readonly log?: readonly RevisionEvents[] | undefined;
}

export interface StoreCheckOptions {
  /** Operations from the beginning that the search looks at too, as a second opinion. */
  readonly searchedMax?: number;
  readonly stepsMax?: number;
  /** How much faster than the clients' a member's clock may run. */
  readonly rateMax?: number;
}

export interface StoreVerdict {
  /** "unknown" is never a pass: neither the revisions nor the search could tell. */
  readonly kind: "linearizable" | "violation" | "unknown";
  readonly violations: readonly Violation[];
  readonly operationsChecked: number;
  readonly operationsSearched: number;
  /** The log of revisions that everything was held against; undefined when only the search could tell. */
  readonly replay: Replay | undefined;
}

const SEARCHED_MAX = 400;

/** Whether all clients together saw one store: by the order of revisions, and by search where that is not enough. */
export function checkStoreHistory(history: StoreHistory, options: StoreCheckOptions = {}): StoreVerdict {
  const { operations } = history;
  const log = history.log ?? logFromResponses(operations, history.watches ?? []);
  const violations: Violation[] = checkRefusals(operations, options.rateMax);
  let order: RevisionOrder | undefined;
  let replay: Replay | undefined;
  if (log !== undefined) {
    replay = new Replay(log);
    order = checkRevisionOrder(operations, replay);
    if (order.isDetermined) violations.push(...order.violations);
    const { lastRevision } = replay;
    // The responses of others say nothing of what only a serializable read saw.
    const reads = (history.serializable ?? []).filter(
      ({ revision }) => history.log !== undefined || revision <= lastRevision,
    );
    violations.push(...checkOldReads(replay, reads, operations));
  }
  const isOrdered = order?.isDetermined === true;
  const searchedMax = isOrdered ? (options.searchedMax ?? SEARCHED_MAX) : Number.POSITIVE_INFINITY;
  // What is known to be wrong needs no second opinion, and would make the search go everywhere.
  const searched = isOrdered && violations.length > 0 ? [] : prepare(operations, order, searchedMax);
  const search = checkLinearizable(storeModel, searched, options.stepsMax ?? stepsMaxDefault);
  if (search.kind === "violation") {
    const stuck = search.stuckAt.map((prepared) => describe(prepared.operation)).slice(0, 5);
    const detail = `no order goes beyond ${search.order.length} operations; revision ${search.state.revision}, next: ${stuck.join(" ")}`;
    violations.push({ promise: "linearizability", detail });
  }
  const isKnown = isOrdered || search.kind !== "unknown";
  return {
    kind: violations.length > 0 ? "violation" : isKnown ? "linearizable" : "unknown",
    violations,
    operationsChecked: operations.length,
    operationsSearched: search.kind === "unknown" ? 0 : searched.length,
    replay,
  };
}

interface PreparedOperation extends TimedOperation<StoreRequest, ModelResponse> {
  readonly operation: Operation;
}

/** The first operations by call time; those that return after the last of them was called are cut off: pending. */
function prepare(
  operations: readonly Operation[],
  order: RevisionOrder | undefined,
  countMax: number,
): PreparedOperation[] {
  const resolved = order?.isDetermined === true ? order : undefined;
  const all = [...operations, ...expiriesOf(operations, resolved)].sort(
    (left, right) => left.callMs - right.callMs,
  );
  const untilMs = all[countMax]?.callMs ?? Number.POSITIVE_INFINITY;
  const prepared: PreparedOperation[] = [];
  for (const operation of all.slice(0, countMax)) {
    const { callMs, request } = operation;
    const isCut = operation.returnMs >= untilMs;
    const response = isCut ? undefined : operation.response;
    const pinnedRevision = pinOf(operation, response, resolved);
    if (response === undefined && cannotMatter(operation, pinnedRevision, resolved)) continue;
    const returnMs = response === undefined ? Number.POSITIVE_INFINITY : operation.returnMs;
    prepared.push({ callMs, returnMs, request: { request, pinnedRevision }, response, operation });
  }
  return prepared;
}

/** The revision an operation without an answer is known to have made; -1 for the end of a lease that had no keys. */
function pinOf(
  operation: Operation,
  response: ModelResponse | undefined,
  order: RevisionOrder | undefined,
): number | undefined {
  if (response !== undefined) return undefined;
  if (operation instanceof Expiry) return operation.revision;
  return order?.pinned.get(operation);
}

/** Reads that nobody saw the answer of, and writes that are known not to have happened. */
function cannotMatter(
  operation: Operation,
  pinned: number | undefined,
  order: RevisionOrder | undefined,
): boolean {
  if (operation.request.kind === "range") return true;
  return (
    operation.request.kind === "txn" &&
    operation.response === undefined &&
    order !== undefined &&
    pinned === undefined
  );
}

/** The end of a lease as an operation of nobody, which may have happened. */
class Expiry implements Operation {
  readonly client = -1;
  readonly callMs: number;
  readonly returnMs = Number.POSITIVE_INFINITY;
  readonly request: { readonly kind: "leaseRevoke"; readonly lease: string };
  readonly response = undefined;
  readonly revision: number | undefined;

  constructor(lease: string, callMs: number, revision: number | undefined) {
    this.request = { kind: "leaseRevoke", lease };
    this.callMs = callMs;
    this.revision = revision;
  }
}

function expiriesOf(operations: readonly Operation[], order: RevisionOrder | undefined): Expiry[] {
  const known = new Map(order?.expiries.map(({ lease, revision }) => [lease, revision]));
  return operations.flatMap(({ request, response, callMs }) => {
    if (request.kind !== "leaseGrant" || response?.kind === "refused") return [];
    // Whether it came too early is for lease.ts to say.
    return [new Expiry(request.lease, callMs, known.get(request.lease))];
  });
}

/** Every revision from the responses alone; undefined when one of them is nobody's for sure. */
export function logFromResponses(
  operations: readonly Operation[],
  watches: readonly WatchHistory[],
): RevisionEvents[] | undefined {
  const answered = new Map<number, Operation[]>();
  let last = 1;
  for (const operation of operations) {
    const { response } = operation;
    if (response === undefined || response.kind === "refused") continue;
    answered.set(response.revision, [...(answered.get(response.revision) ?? []), operation]);
    last = Math.max(last, response.revision);
  }
  const seenAt = revisionsOfValues(operations, watches);
  const pending = new Map<number, Operation>();
  const pendingDeletes: Operation[] = [];
  for (const operation of operations) {
    if (operation.response !== undefined || operation.request.kind !== "txn") continue;
    if (canDeleteOnly(operation.request)) pendingDeletes.push(operation);
    for (const step of [...operation.request.success, ...operation.request.failure]) {
      const revision = step.kind === "put" ? seenAt.get(step.value) : undefined;
      if (revision !== undefined) pending.set(revision, operation);
    }
  }
  const log: RevisionEvents[] = [];
  let state: StoreState = { ...emptyStore, leases: undefined };
  for (let revision = 2; revision <= last; revision++) {
    const candidates = answered.get(revision) ?? [];
    const unknown = pending.get(revision);
    // A revoke answers the same whether it deleted keys or had none: what else made the revision goes first.
    const isRevoke = (operation: Operation): number => Number(operation.request.kind === "leaseRevoke");
    const outcomes = (unknown === undefined ? candidates : [...candidates, unknown])
      .sort((left, right) => isRevoke(left) - isRevoke(right))
      .map((operation) => ({ ...operation, outcome: applyRequest(state, operation.request) }))
      .filter(({ outcome }) => outcome.events.length > 0)
      .filter(
        ({ outcome, response }) => response === undefined || isSameResponse(outcome.response, response),
      );
    const first = outcomes[0];
    if (first === undefined) return undefined;
    // Its lease may have lost its keys before, to a delete that nobody knows the outcome of.
    const isDoubtful =
      first.request.kind === "leaseRevoke" &&
      pendingDeletes.some(({ request }) => applyRequest(state, request).events.length > 0);
    if (isDoubtful) return undefined;
    const made = first.outcome.events;
    log.push({ revision, events: made });
    state = applyEvents(state, made);
  }
  return log;
}

function revisionsOfValues(
  operations: readonly Operation[],
  watches: readonly WatchHistory[],
): Map<string, number> {
  const revisions = new Map<string, number>();
  const note = (kvs: readonly KeyValueSeen[]): void => {
    for (const kv of kvs) revisions.set(kv.value, kv.modRevision);
  };
  for (const { response } of operations) {
    if (response?.kind === "range") note(response.kvs);
    if (response?.kind !== "txn") continue;
    for (const result of response.results) if (result.kind === "range") note(result.kvs);
  }
  for (const { responses } of watches) {
    for (const seen of responses) {
      if (seen.kind === "events") note(seen.events.flatMap(({ type, kv }) => (type === "put" ? [kv] : [])));
    }
  }
  return revisions;
}
