import type { ByteString } from "../../lib/bytes.ts";
import { type SortedMap, SortedMapBuilder } from "../../lib/sorted-map.ts";
import type { KeyHistory } from "./key-history.ts";

/** So many are sorted, or merged, in one turn: some milliseconds. */
const RUN_HISTORIES = 8_192;

/** Those of keys that are alive, and of those that are not. */
export interface OrderedHistories {
  readonly live: SortedMap<KeyHistory>;
  readonly dead: SortedMap<KeyHistory>;
}

/**
 * Puts the histories of a whole store in byte order of their keys, without ever taking long at a time: runs are sorted
 * while they gather, and merged at the end over many turns. One sort of a million keys would stop the process for a
 * second.
 */
export class KeyOrder {
  #gathered: KeyHistory[] = [];
  readonly #runs: Run[] = [];

  /** Each key comes once. Its history may grow until order() is called. */
  add(history: KeyHistory): void {
    this.#gathered.push(history);
    if (this.#gathered.length === RUN_HISTORIES) this.#endRun();
  }

  /** To be called once; histories must not change until it resolves. */
  async order(yieldTurn: () => Promise<void>): Promise<OrderedHistories> {
    if (this.#gathered.length > 0) this.#endRun();
    const live = new SortedMapBuilder<KeyHistory>();
    const dead = new SortedMapBuilder<KeyHistory>();
    const merge = new Merge(this.#runs);
    let merged = 0;
    for (let history = merge.take(); history !== undefined; history = merge.take()) {
      const { key, tombstone } = history.latest;
      (tombstone ? dead : live).add(key, history);
      merged++;
      if (merged % RUN_HISTORIES === 0) await yieldTurn();
    }
    return { live: live.finish(), dead: dead.finish() };
  }

  #endRun(): void {
    this.#runs.push(new Run(this.#gathered.sort((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1))));
    this.#gathered = [];
  }
}

const keyOf = (history: KeyHistory): ByteString => history.latest.key;

/** Histories in order, and how many of them are merged. */
class Run {
  readonly #histories: readonly KeyHistory[];
  #index = 0;
  /** The key of the next one; at hand, since it is compared more often than the run moves on. */
  key: ByteString;

  /** Of one history at least. */
  constructor(histories: readonly KeyHistory[]) {
    this.#histories = histories;
    this.key = keyOf(histories[0] as KeyHistory);
  }

  get next(): KeyHistory {
    return this.#histories[this.#index] as KeyHistory;
  }

  /** False when this was the last one. */
  advance(): boolean {
    this.#index++;
    const next = this.#histories[this.#index];
    if (next === undefined) return false;
    this.key = keyOf(next);
    return true;
  }
}

/** Takes from many runs the history with the least key: a heap of runs. */
class Merge {
  readonly #heap: Run[];

  constructor(runs: readonly Run[]) {
    this.#heap = [...runs];
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  take(): KeyHistory | undefined {
    const first = this.#heap[0];
    if (first === undefined) return undefined;
    const history = first.next;
    if (!first.advance()) {
      const last = this.#heap.pop() as Run;
      if (this.#heap.length > 0) this.#heap[0] = last;
    }
    this.#sink(0);
    return history;
  }

  #sink(at: number): void {
    const heap = this.#heap;
    const run = heap[at];
    if (run === undefined) return;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      let least = left;
      const right = heap[child + 1];
      if (right !== undefined && right.key < left.key) {
        least = right;
        child++;
      }
      if (run.key < least.key) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = run;
  }
}
