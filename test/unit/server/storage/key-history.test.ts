import assert from "node:assert/strict";
import { KeyHistory } from "../../../../src/server/storage/key-history.ts";
import { put, tombstone } from "../../../suites/engine-suite.ts";

/** Puts at 2, 4 and 6, a tombstone at 8, a put at 10. */
function createHistory(): KeyHistory {
  const history = new KeyHistory(put("a", 2, 0));
  for (const record of [put("a", 4, 0), put("a", 6, 0), tombstone("a", 8, 0), put("a", 10, 0)])
    history.push(record);
  return history;
}

const newest = (history: KeyHistory): (number | undefined)[] =>
  [1, 2, 3, 4, 6, 7, 8, 9, 10, 11].map((revision) => history.newest(revision)?.modRevision);

describe("KeyHistory", () => {
  it("finds the newest record up to any revision", () => {
    assert.deepEqual(newest(createHistory()), [undefined, 2, 2, 4, 6, 6, 8, 8, 10, 10]);
    assert.equal(createHistory().latest.modRevision, 10);
    assert.equal(new KeyHistory(put("a", 2, 0)).newest(1), undefined);
  });

  it("compaction forgets what is older than the newest record up to the revision", () => {
    const history = createHistory();
    assert.equal(history.compact(1), true);
    assert.equal(history.newest(2)?.modRevision, 2);
    assert.equal(history.compact(5), true);
    assert.deepEqual(newest(history), [undefined, undefined, undefined, 4, 6, 6, 8, 8, 10, 10]);
    assert.equal(history.compact(10), true);
    assert.deepEqual(newest(history).slice(-3), [undefined, 10, 10]);
    assert.equal(history.compact(4), true);
  });

  it("compaction keeps a tombstone at the revision and forgets one below it", () => {
    const history = createHistory();
    assert.equal(history.compact(8), true);
    assert.equal(history.newest(8)?.modRevision, 8);
    assert.equal(history.compact(9), true);
    assert.equal(history.newest(9), undefined);
    assert.equal(history.newest(10)?.modRevision, 10);
  });

  it("keeps what a compaction would leave, and says so before it, after it and after earlier ones", () => {
    for (let revision = 1; revision <= 11; revision++) {
      for (const earlier of [0, 3, 7, revision]) {
        const [history, records] = [createHistory(), createHistory()];
        const all = [2, 4, 6, 8, 10].map((modRevision) => records.newest(modRevision)!);
        const same = [2, 4, 6, 8, 10].map((modRevision) => history.newest(modRevision)!);
        if (earlier > 0 && earlier <= revision) history.compact(earlier);
        const newestUpTo = all.findLast(({ modRevision }) => modRevision <= revision)?.modRevision;
        const expected = all.filter(
          ({ modRevision, tombstone: isTombstone }) =>
            modRevision > revision ||
            (modRevision === newestUpTo && !(isTombstone && modRevision < revision)),
        );
        const kept = same.filter((record) => history.keeps(record, revision));
        assert.deepEqual(kept, expected, `at ${revision}, compacted at ${earlier}`);
      }
    }
  });

  it("a tombstone at the end leaves nothing once the revision is past it", () => {
    const history = new KeyHistory(put("a", 2, 0));
    history.push(tombstone("a", 3, 0));
    assert.equal(history.compact(3), true);
    assert.equal(history.newest(2), undefined);
    assert.equal(history.compact(4), false);
  });
});
