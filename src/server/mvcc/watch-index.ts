import type { ByteString } from "../../lib/bytes.ts";
import { EMPTY } from "../../lib/bytes.ts";
import type { Prng } from "../../lib/prng.ts";
import type { KeyInterval } from "../storage/index.ts";
import type { RecordEvents } from "./watch-events.ts";
import { WatchIntervalTree } from "./watch-interval-tree.ts";
import type { Watcher } from "./watcher.ts";

/** All watchers of one range: they see the same events, up to filters and prev_kv. */
export interface WatchGroup {
  readonly range: KeyInterval;
  readonly watchers: Set<Watcher>;
  /** The matches of the commit being handed out; empty otherwise. */
  readonly matched: RecordEvents[];
}

/** Watchers by key: single keys in a map, ranges in an interval tree, each distinct one once. */
export class WatchIndex {
  readonly #keys = new Map<ByteString, WatchGroup>();
  readonly #ranges: WatchIntervalTree<WatchGroup>;
  #size = 0;

  constructor(prng: Prng) {
    this.#ranges = new WatchIntervalTree(prng);
  }

  /** Number of watchers. */
  get size(): number {
    return this.#size;
  }

  /** The watcher must not be inside. */
  add(watcher: Watcher): void {
    const { range } = watcher;
    let group = this.#find(range);
    if (group === undefined) {
      group = { range, watchers: new Set(), matched: [] };
      if (range.end === EMPTY) this.#keys.set(range.start, group);
      else this.#ranges.insert(range, group);
    }
    group.watchers.add(watcher);
    this.#size++;
  }

  /** Nothing happens when the watcher is not inside. */
  remove(watcher: Watcher): void {
    const { range } = watcher;
    const group = this.#find(range);
    if (group === undefined || !group.watchers.delete(watcher)) return;
    this.#size--;
    if (group.watchers.size > 0) return;
    if (range.end === EMPTY) this.#keys.delete(range.start);
    else this.#ranges.remove(range);
  }

  /** Adds the groups whose range holds `key` to `found`. */
  collect(key: ByteString, found: WatchGroup[]): void {
    const exact = this.#keys.get(key);
    if (exact !== undefined) found.push(exact);
    if (this.#ranges.size > 0) this.#ranges.collect(key, found);
  }

  #find(range: KeyInterval): WatchGroup | undefined {
    return range.end === EMPTY ? this.#keys.get(range.start) : this.#ranges.get(range);
  }
}
