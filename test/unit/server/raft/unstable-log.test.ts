import assert from "node:assert/strict";
import { type Entry, emptyConfState, entryType, type Snapshot } from "../../../../src/server/raft/index.ts";
import { UnstableLog } from "../../../../src/server/raft/unstable-log.ts";

function entries(from: number, to: number, term: number): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({
    term,
    index: from + i,
    type: entryType.normal,
    data: new Uint8Array(1),
  }));
}

function snapshot(index: number, term: number): Snapshot {
  return { metadata: { index, term, confState: emptyConfState }, data: new Uint8Array(0) };
}

function setUp(offset = 5) {
  const lines: string[] = [];
  const note = (text: () => string): void => {
    lines.push(text());
  };
  const log = new UnstableLog(offset, { debug: note, detail: note, info: note, warn: note, error: note });
  const indexes = (): number[] => log.nextEntries().map(({ index }) => index);
  return { log, lines, indexes };
}

describe("The unstable log", () => {
  it("knows its end, and nothing when it is empty", () => {
    const { log } = setUp();
    assert.deepEqual([log.lastIndex(), log.term(4), log.term(5)], [undefined, undefined, undefined]);
    log.truncateAndAppend(entries(5, 6, 1));
    assert.deepEqual([log.lastIndex(), log.term(6), log.term(7)], [6, 1, undefined]);
    assert.throws(() => log.truncateAndAppend(entries(9, 9, 1)), /leaves a gap/);
  });

  it("hands out each entry once, and again when it was replaced", () => {
    const { log, lines, indexes } = setUp();
    log.truncateAndAppend(entries(5, 8, 1));
    log.acceptInProgress();
    assert.deepEqual([indexes(), log.hasNextEntries()], [[], false]);
    log.truncateAndAppend(entries(9, 9, 1));
    assert.deepEqual(indexes(), [9]);
    assert.deepEqual(lines, []);
    log.truncateAndAppend(entries(7, 7, 2));
    assert.deepEqual([indexes(), log.lastIndex(), log.offsetInProgress], [[7], 7, 7]);
    assert.match(lines.at(-1)!, /truncate the unstable entries before index 7/);
    log.truncateAndAppend(entries(3, 4, 3));
    assert.deepEqual([indexes(), log.offset], [[3, 4], 3]);
    assert.match(lines.at(-1)!, /replace the unstable entries from index 3/);
  });

  it("drops what is durable, unless it was replaced since", () => {
    const { log, lines } = setUp();
    log.truncateAndAppend(entries(5, 7, 2));
    log.stableTo(1, 6);
    assert.match(lines.at(-1)!, /\(index,term\)=\(6,1\) mismatched with entry at \(6,2\)/);
    log.stableTo(2, 9);
    assert.match(lines.at(-1)!, /entry at index 9 missing/);
    assert.equal(log.offset, 5);
    log.stableTo(2, 6);
    assert.deepEqual([log.offset, log.length, log.offsetInProgress], [7, 1, 7]);
  });

  it("holds a snapshot until it is installed, and no write of entries before it counts", () => {
    const { log, lines } = setUp();
    log.truncateAndAppend(entries(5, 7, 1));
    log.restore(snapshot(20, 3));
    assert.deepEqual(
      [log.offset, log.length, log.lastIndex(), log.term(20), log.term(19)],
      [21, 0, 20, 3, undefined],
    );
    assert.equal(log.nextSnapshot()?.metadata.index, 20);
    log.acceptInProgress();
    assert.equal(log.nextSnapshot(), undefined);
    log.stableTo(3, 20);
    assert.match(lines.at(-1)!, /index 20 matched unstable snapshot/);
    log.stableSnapshotTo(19);
    assert.equal(log.snapshot?.metadata.index, 20);
    log.stableSnapshotTo(20);
    assert.equal(log.snapshot, undefined);
    log.stableSnapshotTo(20);
    log.restore(snapshot(30, 3));
    assert.equal(log.nextSnapshot()?.metadata.index, 30, "the next one is handed out too");
  });
});
