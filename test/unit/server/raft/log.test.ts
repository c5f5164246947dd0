import assert from "node:assert/strict";
import fc from "fast-check";
import { silentLog } from "../../../../src/lib/log.ts";
import {
  createRaftLogger,
  type Entry,
  emptyConfState,
  entryType,
  MemoryLog,
} from "../../../../src/server/raft/index.ts";
import { RaftLog } from "../../../../src/server/raft/log.ts";

const NO_LIMIT = Number.POSITIVE_INFINITY;
/** What an entry counts beside its data. */
const ENTRY_OVERHEAD_BYTES = 16;

function entries(from: number, to: number, term: number, dataBytes = 10): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({
    term,
    index: from + i,
    type: entryType.normal,
    data: new Uint8Array(dataBytes),
  }));
}

function indexes(list: readonly Entry[]): number[] {
  return list.map((entry) => entry.index);
}

/** `durable` entries of term 1 in storage, behind them `tail` ones of term 2 that are not. */
function setUp(durable: number, tail: number, applyBytesMax = 1_000_000) {
  const stable = new MemoryLog();
  stable.append(entries(1, durable, 1));
  const log = new RaftLog(stable, applyBytesMax, createRaftLogger(silentLog));
  log.append(entries(durable + 1, durable + tail, 2));
  /** What the caller does once a write is durable. */
  const persist = (to: number): void => {
    stable.append(log.slice(stable.lastIndex() + 1, to + 1, NO_LIMIT));
    log.unstable.stableTo(log.term(to)!, to);
  };
  return { stable, log, persist };
}

describe("RaftLog", () => {
  it("begins where storage ends, with nothing known to be committed but what a snapshot holds", () => {
    const stable = new MemoryLog();
    stable.reset(10, 3);
    stable.append(entries(11, 12, 4));
    const log = new RaftLog(stable, 100, createRaftLogger(silentLog));
    assert.deepEqual([log.committed, log.applying, log.applied], [10, 10, 10]);
    assert.deepEqual([log.lastIndex(), log.lastTerm(), log.term(10), log.term(9)], [12, 4, 3, undefined]);
    assert.equal(log.unstable.length > 0, false);
  });

  it("knows the terms of both of its parts, and none beyond them", () => {
    const { log } = setUp(3, 2);
    assert.deepEqual(
      [0, 1, 3, 4, 5, 6].map((index) => log.term(index)),
      [0, 1, 1, 2, 2, undefined],
    );
    assert.equal(log.lastTerm(), 2);
  });

  it("hands each entry out for persisting once", () => {
    const { log } = setUp(2, 2);
    assert.deepEqual(indexes(log.unstable.nextEntries()), [3, 4]);
    assert.equal(log.unstable.hasNextEntries(), true);
    log.unstable.acceptInProgress();
    assert.equal(log.unstable.hasNextEntries(), false);
    assert.deepEqual(log.unstable.nextEntries(), []);
    log.append(entries(5, 5, 2));
    assert.deepEqual(indexes(log.unstable.nextEntries()), [5]);
    assert.equal(log.unstable.length > 0, true);
  });

  it("keeps what follows a durable entry in its tail, and does not hand it out again", () => {
    const { log, persist } = setUp(2, 3);
    log.unstable.acceptInProgress();
    persist(4);
    assert.equal(log.unstable.length > 0, true);
    assert.deepEqual(log.unstable.nextEntries(), []);
    assert.deepEqual([log.term(4), log.term(5), log.lastIndex()], [2, 2, 5]);
    persist(5);
    assert.equal(log.unstable.length > 0, false);
  });

  it("counts what became durable as handed out, even when it was not", () => {
    const { log, persist } = setUp(2, 2);
    persist(4);
    assert.equal(log.unstable.hasNextEntries(), false);
  });

  it("ignores a write that ended for entries of another term, and for those that are durable already", () => {
    const { log } = setUp(2, 2);
    log.unstable.stableTo(1, 4);
    log.unstable.stableTo(2, 9);
    log.unstable.stableTo(1, 2);
    assert.deepEqual(indexes(log.unstable.nextEntries()), [3, 4]);
  });

  it("refuses a gap and entries below what is committed", () => {
    const { log } = setUp(2, 2);
    assert.throws(() => log.append(entries(6, 6, 2)), /leaves a gap/);
    log.commitTo(4);
    assert.throws(() => log.append(entries(4, 4, 3)), /out of range \[committed\(4\)\]/);
    log.append([]);
    assert.equal(log.lastIndex(), 4);
  });

  it("never takes a commit back, and refuses one beyond its end", () => {
    const { log } = setUp(2, 2);
    log.commitTo(3);
    log.commitTo(1);
    assert.equal(log.committed, 3);
    assert.throws(() => log.commitTo(5), /corrupted, truncated, or lost/);
  });

  it("commits by counting only entries of the leader's own term", () => {
    const { log } = setUp(2, 2);
    assert.equal(log.maybeCommit(2, 2), false);
    assert.equal(log.maybeCommit(2, 5), false);
    assert.equal(log.committed, 0);
    assert.equal(log.maybeCommit(2, 3), true);
    assert.equal(log.committed, 3);
    assert.equal(log.maybeCommit(2, 3), false);
  });

  it("hands out to apply what is committed and durable, and nothing else", () => {
    const { log, persist } = setUp(2, 2);
    assert.deepEqual(log.nextCommitted(false), []);
    log.commitTo(4);
    assert.deepEqual(indexes(log.nextCommitted(false)), [1, 2]);
    log.acceptApplying(log.nextCommitted(false), false);
    assert.equal(log.hasNextCommitted(false), false);
    persist(3);
    assert.deepEqual(indexes(log.nextCommitted(false)), [3]);
  });

  it("hands out no more to apply while what is being applied is at its budget", () => {
    const each = 10 + ENTRY_OVERHEAD_BYTES;
    const { log } = setUp(10, 0, 3 * each);
    log.commitTo(10);
    const first = log.nextCommitted(false);
    assert.deepEqual(indexes(first), [1, 2, 3]);
    log.acceptApplying(first, false);
    assert.equal(log.hasNextCommitted(false), false);
    assert.deepEqual(log.nextCommitted(false), []);
    log.appliedTo(2, 2 * each);
    assert.deepEqual(indexes(log.nextCommitted(false)), [4, 5]);
    log.acceptApplying([], false);
    assert.equal(log.applying, 3);
  });

  it("refuses to hear of entries applied out of order", () => {
    const { log } = setUp(4, 0);
    log.commitTo(3);
    log.appliedTo(2, 0);
    assert.equal(log.applying, 2);
    assert.throws(() => log.appliedTo(1, 0), /out of range/);
    assert.throws(() => log.appliedTo(4, 0), /out of range/);
  });

  it("reads any range across its two parts within the bytes allowed, and at least one entry", () => {
    const each = 10 + ENTRY_OVERHEAD_BYTES;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 8 }),
        fc.nat(),
        fc.nat(),
        fc.nat(20 * each),
        (durable, tail, fromSeed, lengthSeed, bytesMax) => {
          const { log } = setUp(durable, tail);
          const from = 1 + (fromSeed % log.lastIndex());
          const to = from + 1 + (lengthSeed % (log.lastIndex() + 1 - from));
          const expected = Math.min(to - from, Math.max(1, Math.floor(bytesMax / each)));
          assert.deepEqual(
            indexes(log.slice(from, to, bytesMax)),
            Array.from({ length: expected }, (_, i) => from + i),
          );
        },
      ),
    );
  });

  it("takes entries behind a place that matches, and replaces what differs from there on", () => {
    const { log } = setUp(3, 2);
    assert.equal(log.maybeAppend(4, 1, entries(5, 5, 3), 0), undefined, "another term at 4");
    assert.equal(log.maybeAppend(6, 2, [], 0), undefined, "nothing at 6");
    assert.equal(log.maybeAppend(4, 2, entries(5, 7, 3), 6), 7);
    assert.deepEqual([log.lastIndex(), log.term(5), log.committed], [7, 3, 6]);
    // An old message, all of whose entries are here, cuts nothing off.
    assert.equal(log.maybeAppend(4, 2, entries(5, 5, 3), 9), 5);
    assert.deepEqual([log.lastIndex(), log.committed], [7, 6]);
    assert.throws(() => log.maybeAppend(4, 2, entries(5, 5, 9), 0), /conflict with committed entry/);
    assert.equal(log.maybeAppend(2, 1, entries(3, 3, 1), 0), 3);
  });

  it("finds where another log may match by its terms", () => {
    const stable = new MemoryLog();
    stable.reset(10, 1);
    const log = new RaftLog(stable, 100, createRaftLogger(silentLog));
    log.append([...entries(11, 12, 2), ...entries(13, 14, 4)]);
    const find = (index: number, term: number) => {
      const found = log.findConflictByTerm(index, term);
      return [found.index, found.term];
    };
    assert.deepEqual(find(14, 5), [14, 4]);
    assert.deepEqual(find(14, 3), [12, 2]);
    assert.deepEqual(find(14, 1), [10, 1]);
    assert.deepEqual(find(14, 0), [9, 0], "what is compacted is unknown, and may match");
    assert.deepEqual(find(20, 4), [20, 0], "so may what is not there yet");
    assert.deepEqual(find(0, 4), [0, 0]);
  });

  it("is up to date compared with a log of a higher last term, or of the same and no longer one", () => {
    const { log } = setUp(2, 2);
    assert.deepEqual(
      [
        log.isUpToDate(1, 3),
        log.isUpToDate(4, 2),
        log.isUpToDate(5, 2),
        log.isUpToDate(3, 2),
        log.isUpToDate(9, 1),
      ],
      [true, true, true, false, false],
    );
  });

  it("begins anew behind a snapshot, and applies nothing until it is installed", () => {
    const { log, stable } = setUp(2, 2);
    const metadata = { index: 20, term: 5, confState: emptyConfState };
    log.restore({ metadata, data: new Uint8Array(0) });
    assert.deepEqual(
      [log.firstIndex(), log.lastIndex(), log.lastTerm(), log.committed, log.applied],
      [21, 20, 5, 20, 0],
    );
    assert.equal(log.term(4), undefined);
    log.append(entries(21, 21, 5));
    log.commitTo(21);
    assert.equal(log.hasNextCommitted(true), false);
    assert.equal(log.snapshot()?.metadata.index, 20, "newer than what storage has");
    stable.reset(20, 5);
    log.unstable.stableSnapshotTo(20);
    log.appliedTo(20, 0);
    assert.deepEqual(indexes(log.nextCommitted(true)), [21]);
    assert.equal(log.snapshot(), undefined);
    assert.throws(() => log.slice(20, 22, NO_LIMIT), /out of bound/);
    assert.throws(() => log.slice(21, 23, NO_LIMIT), /out of bound/);
  });

  it("finds a membership change among many entries", () => {
    const stable = new MemoryLog();
    stable.append(entries(1, 30, 1, 100_000));
    stable.append([{ term: 1, index: 31, type: entryType.confChange, data: new Uint8Array(9) }]);
    const log = new RaftLog(stable, 100, createRaftLogger(silentLog));
    assert.deepEqual(
      [log.hasConfChange(1, 31), log.hasConfChange(1, 32), log.hasConfChange(32, 32)],
      [false, true, false],
    );
  });
});
