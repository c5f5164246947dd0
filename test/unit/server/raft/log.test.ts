import assert from "node:assert/strict";
import fc from "fast-check";
import { type Entry, entryType, MemoryLog } from "../../../../src/server/raft/index.ts";
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
  const log = new RaftLog(stable, applyBytesMax);
  log.append(entries(durable + 1, durable + tail, 2));
  /** What the caller does once a write is durable. */
  const persist = (to: number): void => {
    stable.append(log.slice(stable.lastIndex() + 1, to + 1, NO_LIMIT));
    log.stableTo(log.term(to)!, to);
  };
  return { stable, log, persist };
}

describe("RaftLog", () => {
  it("begins where storage ends, with nothing known to be committed but what a snapshot holds", () => {
    const stable = new MemoryLog();
    stable.reset(10, 3);
    stable.append(entries(11, 12, 4));
    const log = new RaftLog(stable, 100);
    assert.deepEqual([log.committed, log.applying, log.applied], [10, 10, 10]);
    assert.deepEqual([log.lastIndex(), log.lastTerm(), log.term(10), log.term(9)], [12, 4, 3, undefined]);
    assert.equal(log.hasUnstable(), false);
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
    assert.deepEqual(indexes(log.nextUnstable()), [3, 4]);
    assert.equal(log.hasNextUnstable(), true);
    log.acceptUnstable();
    assert.equal(log.hasNextUnstable(), false);
    assert.deepEqual(log.nextUnstable(), []);
    log.append(entries(5, 5, 2));
    assert.deepEqual(indexes(log.nextUnstable()), [5]);
    assert.equal(log.hasUnstable(), true);
  });

  it("keeps what follows a durable entry in its tail, and does not hand it out again", () => {
    const { log, persist } = setUp(2, 3);
    log.acceptUnstable();
    persist(4);
    assert.equal(log.hasUnstable(), true);
    assert.deepEqual(log.nextUnstable(), []);
    assert.deepEqual([log.term(4), log.term(5), log.lastIndex()], [2, 2, 5]);
    persist(5);
    assert.equal(log.hasUnstable(), false);
  });

  it("counts what became durable as handed out, even when it was not", () => {
    const { log, persist } = setUp(2, 2);
    persist(4);
    assert.equal(log.hasNextUnstable(), false);
  });

  it("ignores a write that ended for entries of another term, and for those that are durable already", () => {
    const { log } = setUp(2, 2);
    log.stableTo(1, 4);
    log.stableTo(2, 9);
    log.stableTo(1, 2);
    assert.deepEqual(indexes(log.nextUnstable()), [3, 4]);
  });

  it("refuses a gap and entries below what is committed", () => {
    const { log } = setUp(2, 2);
    assert.throws(() => log.append(entries(6, 6, 2)), /leaves a gap/);
    assert.throws(() => log.append(entries(4, 4, 2)), /leaves a gap/);
    log.commitTo(4);
    assert.throws(() => log.append(entries(4, 4, 3)), /below commit 4/);
    log.append([]);
    assert.equal(log.lastIndex(), 4);
  });

  it("never takes a commit back, and refuses one beyond its end", () => {
    const { log } = setUp(2, 2);
    log.commitTo(3);
    log.commitTo(1);
    assert.equal(log.committed, 3);
    assert.throws(() => log.commitTo(5), /corrupted, truncated or lost/);
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
    assert.deepEqual(log.nextCommitted(), []);
    log.commitTo(4);
    assert.deepEqual(indexes(log.nextCommitted()), [1, 2]);
    log.acceptApplying(log.nextCommitted());
    assert.equal(log.hasNextCommitted(), false);
    persist(3);
    assert.deepEqual(indexes(log.nextCommitted()), [3]);
  });

  it("hands out no more to apply while what is being applied is at its budget", () => {
    const each = 10 + ENTRY_OVERHEAD_BYTES;
    const { log } = setUp(10, 0, 3 * each);
    log.commitTo(10);
    const first = log.nextCommitted();
    assert.deepEqual(indexes(first), [1, 2, 3]);
    log.acceptApplying(first);
    assert.equal(log.hasNextCommitted(), false);
    assert.deepEqual(log.nextCommitted(), []);
    log.appliedTo(2, first.slice(0, 2));
    assert.deepEqual(indexes(log.nextCommitted()), [4, 5]);
    log.acceptApplying([]);
    assert.equal(log.applying, 3);
  });

  it("refuses to hear of entries applied out of order", () => {
    const { log } = setUp(4, 0);
    log.commitTo(3);
    log.appliedTo(2, []);
    assert.equal(log.applying, 2);
    assert.throws(() => log.appliedTo(1, []), /out of order/);
    assert.throws(() => log.appliedTo(4, []), /out of order/);
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
});
