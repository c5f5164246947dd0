import assert from "node:assert/strict";
import { type Entry, emptyConfState, entryType, MemoryLog } from "../../../../src/server/raft/index.ts";

function entries(from: number, to: number, term: number): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({
    term,
    index: from + i,
    type: entryType.normal,
    data: new Uint8Array(10),
  }));
}

describe("MemoryLog", () => {
  it("replaces a conflicting tail", () => {
    const log = new MemoryLog();
    log.append(entries(1, 5, 1));
    log.append(entries(3, 4, 2));
    assert.equal(log.lastIndex(), 4);
    assert.deepEqual([log.term(2), log.term(3), log.term(5)], [1, 2, undefined]);
  });

  it("leaves slices it has handed out as they were", () => {
    const log = new MemoryLog();
    log.append(entries(1, 3, 1));
    const slice = log.entries(1, 4, 1000);
    log.append(entries(2, 2, 2));
    assert.deepEqual(
      slice.map((entry) => entry.term),
      [1, 1, 1],
    );
  });

  it("keeps the term of the last entry it has dropped", () => {
    const log = new MemoryLog();
    log.append(entries(1, 5, 3));
    log.compact(4);
    assert.deepEqual([log.firstIndex(), log.term(4), log.term(3), log.lastIndex()], [5, 3, undefined, 5]);
    log.compact(2);
    assert.equal(log.firstIndex(), 5);
    assert.throws(() => log.compact(9), /ends at 5/);
    assert.throws(() => log.entries(4, 5, 10), /compacted/);
    assert.throws(() => log.entries(5, 7, 10), /ends at 5/);
  });

  it("ignores entries that a snapshot covers and refuses a gap", () => {
    const log = new MemoryLog();
    log.reset(10, 2);
    log.append(entries(8, 9, 2));
    assert.equal(log.lastIndex(), 10);
    log.append(entries(9, 12, 2));
    assert.deepEqual([log.firstIndex(), log.lastIndex()], [11, 12]);
    assert.throws(() => log.append(entries(20, 20, 2)), /gap/);
  });

  it("limits a read by size but returns at least one entry", () => {
    const log = new MemoryLog();
    log.append(entries(1, 5, 1));
    assert.equal(log.entries(1, 6, 0).length, 1);
    assert.equal(log.entries(1, 6, 60).length, 2);
    assert.equal(log.entries(1, 6, 1000).length, 5);
  });

  it("asks its owner for a snapshot, and has none by itself", () => {
    const snapshot = { metadata: { index: 1, term: 1, confState: emptyConfState }, data: new Uint8Array(0) };
    assert.equal(new MemoryLog().snapshot(), undefined);
    assert.equal(new MemoryLog(() => snapshot).snapshot(), snapshot);
  });

  it("has the term of nothing that it does not hold", () => {
    const log = new MemoryLog();
    log.reset(10, 2);
    log.append(entries(11, 12, 3));
    assert.deepEqual([log.term(9), log.term(10), log.term(12), log.term(13)], [undefined, 2, 3, undefined]);
  });
});
