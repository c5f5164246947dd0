import type { EventSeen, ModelRequest, Operation, WriteOrRead } from "./history.ts";
import type { Replay } from "./replay.ts";
import { applyRequest, isSameEvents, isSameResponse, type StoreState } from "./store-state.ts";
import type { Violation } from "./violation.ts";

/** What holding the operations against the log of revisions found. */
export interface RevisionOrder {
  readonly violations: readonly Violation[];
  /** Operations of unknown outcome that did happen: where. */
  readonly pinned: ReadonlyMap<Operation, number>;
  /** Revisions that no client made: a lease ended. */
  readonly expiries: readonly { readonly revision: number; readonly lease: string }[];
  /** False: two ways to explain a revision were open and the one taken did not work out. Search then. */
  readonly isDetermined: boolean;
}

/**
 * Responses carry revisions and values are unique, so the log of revisions is the one order that all operations can
 * have: each is held against its place in it, and the places against real time. O(n log n). What refusals and leases
 * say beyond revisions is in refusals.ts.
 */
export function checkRevisionOrder(operations: readonly Operation[], replay: Replay): RevisionOrder {
  return new OrderCheck(operations, replay).run();
}

/** A write of revision r is at 2r, a read that saw it at 2r + 1. */
interface Placed {
  readonly operation: Operation;
  readonly position: number;
}

class OrderCheck {
  readonly #operations: readonly Operation[];
  readonly #replay: Replay;
  readonly #violations: Violation[] = [];
  readonly #placed: Placed[] = [];
  readonly #claims = new Map<number, Operation>();
  readonly #pinned = new Map<Operation, number>();
  readonly #expiries: { revision: number; lease: string }[] = [];
  /** Operations that may have their place elsewhere: another could have made the revision they were given. */
  readonly #doubtful = new Set<Operation>();
  /** Violations that no other explanation of a revision could mend. */
  #firmCount = 0;

  constructor(operations: readonly Operation[], replay: Replay) {
    this.#operations = operations;
    this.#replay = replay;
  }

  run(): RevisionOrder {
    for (const { promise, detail } of this.#replay.problems) this.#violate(promise, detail);
    if (this.#violations.length === 0) {
      this.#placeAnswered();
      this.#explainRest();
      this.#compareWithTime();
    }
    return {
      violations: this.#violations,
      pinned: this.#pinned,
      expiries: this.#expiries,
      isDetermined: this.#firmCount > 0 || this.#violations.length === 0,
    };
  }

  #placeAnswered(): void {
    const answered = new Map<number, Operation[]>();
    for (const operation of this.#operations) {
      const { response } = operation;
      if (response === undefined || response.kind === "refused") continue;
      const group = answered.get(response.revision) ?? [];
      group.push(operation);
      answered.set(response.revision, group);
    }
    for (const revision of [...answered.keys()].sort((left, right) => left - right)) {
      if (revision > this.#replay.lastRevision || revision < 1) {
        const operation = describe(answered.get(revision)![0]!);
        this.#violate(
          "lost write",
          `${operation} was answered at revision ${revision}, which is not in the log`,
        );
        continue;
      }
      const before = revision > 1 ? this.#replay.stateAt(revision - 1) : undefined;
      const made = this.#replay.eventsAt(revision);
      const readers: Operation[] = [];
      // A revoke answers the same whether it deleted keys or had none, so it goes last.
      for (const operation of answered.get(revision)!.sort((a, b) => isRevoke(a) - isRevoke(b))) {
        if (isRevoke(operation) && this.#claims.has(revision)) readers.push(operation);
        else if (before !== undefined && makes(before, operation, made)) this.#claim(revision, operation);
        else readers.push(operation);
      }
      const after = this.#replay.stateAt(revision);
      for (const operation of readers) this.#placeReader(after, operation);
    }
  }

  #claim(revision: number, operation: Operation): void {
    const other = this.#claims.get(revision);
    if (other !== undefined) {
      this.#violate(
        "one write per revision",
        `${describe(operation)} and ${describe(other)} are both at ${revision}`,
      );
    }
    this.#claims.set(revision, operation);
    this.#placed.push({ operation, position: 2 * revision });
  }

  #placeReader(state: StoreState, operation: Operation): void {
    const { request, response } = operation;
    const isOld = request.kind === "range" && request.revision > 0;
    if (!isOld && request.kind !== "compaction") {
      const outcome = applyRequest(state, request);
      if (outcome.events.length > 0 || !isSameResponse(outcome.response, response!)) {
        const expected = JSON.stringify(outcome.response);
        const detail = `${describe(operation)}, but at revision ${state.revision} the answer is ${expected}`;
        this.#violate("right answers", detail);
        return;
      }
    }
    this.#placed.push({ operation, position: 2 * state.revision + 1 });
  }

  /** Every other revision was made by an operation whose client does not know, or by the end of a lease. */
  #explainRest(): void {
    const pending = this.#operations.filter((operation) => operation.response === undefined);
    const byValue = new Map<string, Operation>();
    const deletes: Operation[] = [];
    for (const operation of pending) {
      const values = valuesOf(operation.request);
      for (const value of values) byValue.set(value, operation);
      if (values.length === 0 || canDeleteOnly(operation.request)) deletes.push(operation);
    }
    const earliest = this.#earliestPositions();
    const granted = new Set<string>();
    for (const { request } of this.#operations) if (request.kind === "leaseGrant") granted.add(request.lease);
    for (let revision = 2; revision <= this.#replay.lastRevision; revision++) {
      const claim = this.#claims.get(revision);
      if (claim !== undefined && claim.request.kind !== "leaseRevoke") continue;
      const events = this.#replay.eventsAt(revision);
      const before = this.#replay.stateAt(revision - 1);
      if (claim !== undefined) {
        if (deletes.some((operation) => makes(before, operation, events))) this.#doubtful.add(claim);
        continue;
      }
      const written = events.find((event) => event.type === "put");
      const candidates = written === undefined ? deletes : [byValue.get(written.kv.value)];
      const fitting = candidates.filter(
        (operation): operation is Operation => operation !== undefined && makes(before, operation, events),
      );
      // A revoke may have found no keys at any time, so what else fits goes first.
      const free = fitting
        .sort((left, right) => isRevoke(left) - isRevoke(right))
        .find((operation) => !this.#pinned.has(operation) && earliest(operation.callMs) < 2 * revision);
      if (free !== undefined) {
        this.#pinned.set(free, revision);
        if (fitting.length > 1) this.#doubtful.add(free);
        this.#placed.push({ operation: free, position: 2 * revision });
        continue;
      }
      const lease = expiredLease(before, events);
      if (lease !== undefined && granted.has(lease)) {
        this.#expiries.push({ revision, lease });
        continue;
      }
      const detail = `revision ${revision} (${describeEvents(events)}) was made by no operation`;
      const isFirm = written !== undefined || fitting.length === 0;
      this.#violate("nothing from nowhere", isFirm ? detail : `${detail} that was not taken already`, isFirm);
    }
  }

  /** The highest position of an operation that had returned before a moment: nothing called then comes earlier. */
  #earliestPositions(): (callMs: number) => number {
    const returned = this.#placed
      .filter(({ operation }) => operation.returnMs !== Number.POSITIVE_INFINITY)
      .sort((left, right) => left.operation.returnMs - right.operation.returnMs);
    const times: number[] = [];
    const highest: number[] = [];
    for (const { operation, position } of returned) {
      times.push(operation.returnMs);
      highest.push(Math.max(position, highest.at(-1) ?? 0));
    }
    return (callMs) => highest[lowerBound(times, callMs) - 1] ?? 0;
  }

  #compareWithTime(): void {
    const byCall = [...this.#placed].sort((left, right) => left.operation.callMs - right.operation.callMs);
    const byReturn = [...this.#placed].sort(
      (left, right) => left.operation.returnMs - right.operation.returnMs,
    );
    let next = 0;
    let latest: Placed | undefined;
    for (const placed of byCall) {
      for (; next < byReturn.length && byReturn[next]!.operation.returnMs < placed.operation.callMs; next++) {
        if (latest === undefined || byReturn[next]!.position > latest.position) latest = byReturn[next];
      }
      if (latest === undefined || latest.position <= placed.position) continue;
      this.#violate(
        "real time",
        `${describe(placed.operation)} comes before ${describe(latest.operation)}, which had returned by then`,
        !this.#doubtful.has(placed.operation) && !this.#doubtful.has(latest.operation),
      );
    }
  }

  #violate(promise: string, detail: string, isFirm = true): void {
    if (isFirm) this.#firmCount++;
    this.#violations.push({ promise, detail });
  }
}

const isRevoke = ({ request }: Operation): number => Number(request.kind === "leaseRevoke");

/** Whether the operation makes just these events of the state, and answers what its client saw, if it saw anything. */
function makes(before: StoreState, { request, response }: Operation, events: readonly EventSeen[]): boolean {
  if (request.kind !== "txn" && request.kind !== "leaseRevoke") return false;
  const outcome = applyRequest(before, request);
  if (outcome.events.length === 0 || !isSameEvents(outcome.events, events)) return false;
  return response === undefined || isSameResponse(outcome.response, response);
}

function branches(request: ModelRequest): readonly (readonly WriteOrRead[])[] {
  return request.kind === "txn" ? [request.success, request.failure] : [];
}

function valuesOf(request: ModelRequest): string[] {
  return branches(request)
    .flat()
    .flatMap((operation) => (operation.kind === "put" ? [operation.value] : []));
}

export function canDeleteOnly(request: ModelRequest): boolean {
  return branches(request).some(
    (branch) => branch.some(({ kind }) => kind === "delete") && !branch.some(({ kind }) => kind === "put"),
  );
}

/** The lease whose end explains the events: all its keys are deleted and nothing else. */
function expiredLease(before: StoreState, events: readonly EventSeen[]): string | undefined {
  const first = events[0] === undefined ? undefined : before.keys.get(events[0].kv.key);
  if (first === undefined || first.lease === "") return undefined;
  const outcome = applyRequest(before, { kind: "leaseRevoke", lease: first.lease });
  return isSameEvents(outcome.events, events) ? first.lease : undefined;
}

/** How many of the ascending `values` are below `bound`. */
export function lowerBound(values: readonly number[], bound: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function describe({ client, callMs, returnMs, request, response }: Operation): string {
  const answer = response === undefined ? "unknown" : JSON.stringify(response);
  return `[client ${client}, ${callMs} to ${returnMs} ms: ${JSON.stringify(request)} -> ${answer}]`;
}

function describeEvents(events: readonly EventSeen[]): string {
  return events.map(({ type, kv }) => `${type} ${kv.key}${type === "put" ? `=${kv.value}` : ""}`).join(", ");
}
