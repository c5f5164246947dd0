import { strict as assert } from "node:assert";
import { createPrng } from "../../../../src/lib/prng.ts";
import type { WatchGroup } from "../../../../src/server/mvcc/watch-index.ts";
import { WatchIndex } from "../../../../src/server/mvcc/watch-index.ts";
import type { Watcher } from "../../../../src/server/mvcc/watcher.ts";
import { createWatchOptions } from "../../../../src/server/mvcc/watcher.ts";
import { bytes } from "./watch-world.ts";

function createWatcher(start: string, end: string): Watcher {
  return {
    id: 0,
    stream: { isFull: false, deliver() {}, park() {}, forget() {} },
    range: { start: bytes(start), end: bytes(end) },
    options: createWatchOptions({
      prevKv: false,
      isPutDropped: false,
      isDeleteDropped: false,
      fragment: false,
    }),
    startRevision: 0,
    progressNotify: false,
    state: "synced",
    nextRevision: 1,
    batch: undefined,
    hadEvents: false,
  };
}

function collect(index: WatchIndex, key: string): WatchGroup[] {
  const found: WatchGroup[] = [];
  index.collect(bytes(key), found);
  return found;
}

describe("WatchIndex", () => {
  it("keeps the watchers of one range together", () => {
    const index = new WatchIndex(createPrng(1));
    const watchers = [createWatcher("a", ""), createWatcher("a", ""), createWatcher("a", "c")];
    for (const watcher of watchers) index.add(watcher);
    assert.equal(index.size, 3);
    assert.deepEqual(
      collect(index, "a").map((group) => group.watchers.size),
      [2, 1],
    );
    assert.deepEqual(
      collect(index, "b").map((group) => [...group.watchers]),
      [[watchers[2]]],
    );
    assert.deepEqual(collect(index, "c"), []);
  });

  it("forgets a range with its last watcher", () => {
    const index = new WatchIndex(createPrng(1));
    const watchers = [createWatcher("a", ""), createWatcher("a", ""), createWatcher("a", "c")];
    for (const watcher of watchers) index.add(watcher);
    for (const watcher of watchers) index.remove(watcher);
    index.remove(watchers[0]!);
    index.remove(createWatcher("x", "y"));
    assert.equal(index.size, 0);
    assert.deepEqual(collect(index, "a"), []);
  });

  it("does not take a watcher of the same range for the one it holds", () => {
    const index = new WatchIndex(createPrng(1));
    index.add(createWatcher("a", ""));
    index.remove(createWatcher("a", ""));
    assert.equal(index.size, 1);
  });
});
