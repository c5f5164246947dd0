/**
 * Is there one order of the operations that agrees with real time and that a sequential model accepts? The search of
 * Wing and Gong with Lowe's memory of what was tried (invariants-and-simulation 4.2), iterative.
 */
export interface SequentialModel<State, Request, Response> {
  readonly init: State;
  /**
   * The state after `request` answered with `response`, or undefined when the model answers something else. A
   * response of undefined means that the outcome is not known: whatever the model does is right.
   */
  step(state: State, request: Request, response: Response | undefined): State | undefined;
  /** Equal for equal states only. */
  stateKey(state: State): string;
}

export interface TimedOperation<Request, Response> {
  readonly callMs: number;
  /** Infinity: it may have happened at any time after the call, or never; `response` is undefined then. */
  readonly returnMs: number;
  readonly request: Request;
  readonly response: Response | undefined;
}

/** "unknown": the search was given up after `stepsMax`; never to be counted as a pass. */
export interface LinearizabilityVerdict<State, Op> {
  readonly kind: "linearizable" | "violation" | "unknown";
  readonly steps: number;
  /** The order found, or the longest that was. */
  readonly order: readonly Op[];
  /** Where the longest order leads. */
  readonly state: State;
  /** The operations one of which would have to come next; empty when linearizable. */
  readonly stuckAt: readonly Op[];
}

/** Steps of the model rather than time, so that the same history always gets the same verdict. */
export const stepsMaxDefault = 300_000;

interface Item<Op> {
  readonly op: Op;
  readonly index: number;
  readonly callMs: number;
  readonly returnMs: number;
  previous: Item<Op> | undefined;
  next: Item<Op> | undefined;
}

interface Frame<State, Op> {
  readonly item: Item<Op>;
  readonly stateBefore: State;
}

export function checkLinearizable<State, Request, Response, Op extends TimedOperation<Request, Response>>(
  model: SequentialModel<State, Request, Response>,
  operations: readonly Op[],
  stepsMax = stepsMaxDefault,
): LinearizabilityVerdict<State, Op> {
  const sorted = [...operations].sort((left, right) => left.callMs - right.callMs);
  const items = sorted.map((op, index) => ({
    ...{ op, index, callMs: op.callMs, returnMs: op.returnMs },
    ...{ previous: undefined, next: undefined },
  }));
  // Pending operations are tried after the others: most of them explain nothing.
  const answered = new OpenItems<Op>(items.filter((item) => item.returnMs !== Number.POSITIVE_INFINITY));
  const pending = new OpenItems<Op>(items.filter((item) => item.returnMs === Number.POSITIVE_INFINITY));
  const seen = new SeenStates(items.length);
  const frames: Frame<State, Op>[] = [];
  let state = model.init;
  let cursor = firstCandidate(answered, pending);
  let steps = 0;
  let longest: { readonly order: readonly Op[]; readonly state: State; readonly stuckAt: readonly Op[] } = {
    order: [],
    state,
    stuckAt: [],
  };
  const report = (kind: "linearizable" | "violation" | "unknown"): LinearizabilityVerdict<State, Op> => {
    const order = frames.map((frame) => frame.item.op);
    if (kind === "linearizable") return { kind, steps, order, state, stuckAt: [] };
    return { kind, steps, ...longest };
  };

  for (;;) {
    if (answered.isEmpty) return report("linearizable");
    if (cursor === undefined) {
      if (frames.length >= longest.order.length) {
        const stuckAt = [...candidates(answered, pending)].map((item) => item.op);
        longest = { order: frames.map((frame) => frame.item.op), state, stuckAt };
      }
      const frame = frames.pop();
      if (frame === undefined) return report("violation");
      const { item } = frame;
      (item.returnMs === Number.POSITIVE_INFINITY ? pending : answered).restore(item);
      seen.unmark(item.index);
      state = frame.stateBefore;
      cursor = nextCandidate(answered, pending, item);
      continue;
    }
    if (++steps > stepsMax) return report("unknown");
    const { op, index } = cursor;
    const after = model.step(state, op.request, op.response);
    if (after !== undefined) {
      seen.mark(index);
      if (seen.add(model.stateKey(after))) {
        frames.push({ item: cursor, stateBefore: state });
        (cursor.returnMs === Number.POSITIVE_INFINITY ? pending : answered).remove(cursor);
        state = after;
        cursor = firstCandidate(answered, pending);
        continue;
      }
      seen.unmark(index);
    }
    cursor = nextCandidate(answered, pending, cursor);
  }
}

/** Operations without a place in the order so far, by call time; removed ones come back in reverse order. */
class OpenItems<Op> {
  first: Item<Op> | undefined;

  constructor(items: readonly Item<Op>[]) {
    let last: Item<Op> | undefined;
    for (const item of items) {
      item.previous = last;
      if (last === undefined) this.first = item;
      else last.next = item;
      last = item;
    }
  }

  get isEmpty(): boolean {
    return this.first === undefined;
  }

  remove(item: Item<Op>): void {
    if (item.previous === undefined) this.first = item.next;
    else item.previous.next = item.next;
    if (item.next !== undefined) item.next.previous = item.previous;
  }

  restore(item: Item<Op>): void {
    if (item.previous === undefined) this.first = item;
    else item.previous.next = item;
    if (item.next !== undefined) item.next.previous = item;
  }
}

/** Until when an operation must have been called to be next: the earliest return of those that have none. */
function deadlineMs<Op>(answered: OpenItems<Op>): number {
  let deadline = Number.POSITIVE_INFINITY;
  for (let item = answered.first; item !== undefined && item.callMs <= deadline; item = item.next) {
    deadline = Math.min(deadline, item.returnMs);
  }
  return deadline;
}

function firstCandidate<Op>(answered: OpenItems<Op>, pending: OpenItems<Op>): Item<Op> | undefined {
  if (answered.first !== undefined) return answered.first;
  return pending.first;
}

function nextCandidate<Op>(
  answered: OpenItems<Op>,
  pending: OpenItems<Op>,
  item: Item<Op>,
): Item<Op> | undefined {
  const deadline = deadlineMs(answered);
  const { next } = item;
  if (next !== undefined && next.callMs <= deadline) return next;
  if (item.returnMs === Number.POSITIVE_INFINITY) return undefined;
  return pending.first !== undefined && pending.first.callMs <= deadline ? pending.first : undefined;
}

function* candidates<Op>(answered: OpenItems<Op>, pending: OpenItems<Op>): Generator<Item<Op>> {
  let item = firstCandidate(answered, pending);
  for (; item !== undefined; item = nextCandidate(answered, pending, item)) yield item;
}

/** Sets of operations together with the state they led to. */
class SeenStates {
  readonly #marked: Uint32Array;
  /** By state and hash of the set: many states belong to one set, and many sets to one state. */
  readonly #seen = new Map<string, Uint32Array[]>();
  #hash = 0;

  constructor(count: number) {
    this.#marked = new Uint32Array(Math.ceil(count / 32));
  }

  mark(index: number): void {
    this.#toggle(index);
  }

  unmark(index: number): void {
    this.#toggle(index);
  }

  /** False when the marked set was here with this state before. */
  add(state: string): boolean {
    const key = `${this.#hash} ${state}`;
    const known = this.#seen.get(key);
    if (known === undefined) {
      this.#seen.set(key, [this.#marked.slice()]);
      return true;
    }
    if (known.some((marked) => isSame(marked, this.#marked))) return false;
    known.push(this.#marked.slice());
    return true;
  }

  #toggle(index: number): void {
    this.#marked[index >>> 5]! ^= 1 << (index & 31);
    this.#hash ^= scatter(index + 1);
  }
}

function isSame(left: Uint32Array, right: Uint32Array): boolean {
  return left.every((word, i) => word === right[i]);
}

function scatter(value: number): number {
  let z = Math.imul(value, 0x9e3779b9);
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return z ^ (z >>> 15);
}
