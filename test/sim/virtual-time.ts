import type { TraceHash } from "./random.ts";

interface Scheduled {
  readonly atMs: number;
  readonly sequence: number;
  readonly label: string;
  run: (() => void) | undefined;
}

export interface Handle {
  cancel(): void;
}

/**
 * The time line of a simulated world: what is to happen, in order of time and then of scheduling. Nothing happens by
 * itself; whoever runs the world takes one event after the other.
 */
export class VirtualTime {
  #nowMs = 0;
  #sequence = 0;
  readonly #heap: Scheduled[] = [];
  readonly #trace: TraceHash;
  readonly #onTrace: ((line: string) => void) | undefined;
  eventsRun = 0;

  constructor(trace: TraceHash, onTrace?: (line: string) => void) {
    this.#trace = trace;
    this.#onTrace = onTrace;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** `label` goes into the trace. */
  after(delayMs: number, label: string, run: () => void): Handle {
    const event: Scheduled = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      sequence: this.#sequence++,
      label,
      run,
    };
    this.#push(event);
    return {
      cancel: () => {
        event.run = undefined;
      },
    };
  }

  /** Runs the next event that is due by `untilMs`. False: there is none, and it is `untilMs` now. */
  step(untilMs: number): boolean {
    for (let event = this.#heap[0]; event !== undefined && event.atMs <= untilMs; event = this.#heap[0]) {
      this.#pop();
      const { run } = event;
      if (run === undefined) continue;
      event.run = undefined;
      this.#nowMs = event.atMs;
      const line = `${event.atMs} ${event.label}`;
      this.#trace.add(line);
      this.#onTrace?.(line);
      this.eventsRun++;
      run();
      return true;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
    return false;
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isEarlier(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isEarlier(heap[child + 1]!, heap[child]!)) child++;
      if (!isEarlier(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isEarlier(left: Scheduled, right: Scheduled): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.sequence < right.sequence);
}
