import assert from "node:assert/strict";
import type { RecordCursor, VersionedRecord } from "../../../../src/server/storage/engine.ts";
import { KeyHistory } from "../../../../src/server/storage/key-history.ts";
import { RecordLog } from "../../../../src/server/storage/record-log.ts";
import { put } from "../../../suites/engine-suite.ts";

/** Its key has no other record, as far as the log is told. */
const append = (log: RecordLog, record: VersionedRecord): void => log.append(record, new KeyHistory(record));

function createLog(count: number): RecordLog {
  const log = new RecordLog();
  for (let i = 0; i < count; i++) append(log, put("a", 2 + (i >> 1), i & 1));
  return log;
}

const positions = (records: readonly VersionedRecord[]): number[] =>
  records.map((record) => record.modRevision * 2 + record.sub);

/** What is left of it. */
function rest(cursor: RecordCursor, countMax = 900): VersionedRecord[] {
  const records: VersionedRecord[] = [];
  for (;;) {
    const page = cursor.next(countMax) as readonly VersionedRecord[];
    if (page.length === 0) return records;
    records.push(...page);
  }
}

const positionsFrom = (log: RecordLog, fromRevision: number, toRevision: number): number[] =>
  positions(rest(log.cursor(fromRevision, toRevision)));

/** Removes from the whole log, in bites; the number of bites. */
function filterAll(
  log: RecordLog,
  toRevision: number,
  bite: number,
  isKept: (record: VersionedRecord) => boolean,
): number {
  let after: VersionedRecord | undefined;
  for (let bites = 1; ; bites++) {
    after = log.filter(after, toRevision, bite, isKept);
    if (after === undefined) return bites;
  }
}

describe("RecordLog", () => {
  it("reads any stretch of revisions, whole", () => {
    const log = createLog(5_000);
    assert.equal(log.count, 5_000);
    assert.equal(log.newest?.modRevision, 2_501);
    for (const [from, to] of [
      [0, 9_999],
      [2, 2],
      [257, 258],
      [258, 1_000],
      [2_501, 2_501],
      [2_502, 9_999],
      [10, 9],
    ] as const) {
      const expected = Array.from({ length: 5_000 }, (_, i) => i + 4).filter(
        (p) => p >> 1 >= from && p >> 1 <= to,
      );
      for (const countMax of [1, 511, 512, 513, 9_000]) {
        assert.deepEqual(positions(rest(log.cursor(from, to), countMax)), expected);
      }
    }
  });

  it("shows any stretch of revisions in bites, whatever is removed between them", () => {
    const log = createLog(5_000);
    const seen: number[] = [];
    let after: VersionedRecord | undefined;
    let bites = 0;
    do {
      after = log.visit(100, 2_000, after, 300, ({ modRevision, sub }) => seen.push(2 * modRevision + sub));
      bites++;
      // What has been seen goes, and chunks move.
      if (bites === 5) filterAll(log, 700, 100_000, () => false);
    } while (after !== undefined);
    assert.deepEqual(
      seen,
      Array.from({ length: 3_802 }, (_, i) => 200 + i),
    );
    assert.equal(bites, 13);
    assert.equal(
      log.visit(9_000, 9_999, undefined, 10, () => assert.fail("there is none")),
      undefined,
    );
  });

  it("removes what is not kept, up to a revision in the middle of a chunk", () => {
    for (const bite of [1, 512, 700, 100_000]) {
      const log = createLog(5_000);
      filterAll(log, 1_000, bite, (record) => record.sub === 1 && record.modRevision % 10 === 0);
      const expected = Array.from({ length: 5_000 }, (_, i) => i + 4).filter(
        (p) => p >= 2_002 || p % 20 === 1,
      );
      assert.deepEqual(positionsFrom(log, 0, 9_999), expected);
      assert.equal(log.count, expected.length);
    }
  });

  it("passes each record with the history it came with, also after others were removed", () => {
    const log = new RecordLog();
    const histories = new Map<VersionedRecord, KeyHistory>();
    for (let modRevision = 2; modRevision < 2_002; modRevision++) {
      const record = put("a", modRevision, 0);
      const history = new KeyHistory(record);
      histories.set(record, history);
      log.append(record, history);
    }
    for (const divisor of [2, 3]) {
      let after: VersionedRecord | undefined;
      do {
        after = log.filter(after, 1_500, 600, (record, history) => {
          assert.equal(history, histories.get(record));
          return record.modRevision % divisor === 0;
        });
      } while (after !== undefined);
    }
    assert.equal(log.count, 250 + 501);
  });

  it("a cursor keeps its place at every point of a removal, and loses nothing that stays", () => {
    for (let taken = 0; taken <= 3_000; taken += 100) {
      const log = createLog(3_000);
      const open = log.cursor(0, 9_999);
      const seen: number[] = [];
      for (let i = 0; i < taken; i += 50)
        seen.push(...positions(open.next(50) as readonly VersionedRecord[]));
      filterAll(log, 900, 300, (record) => record.modRevision % 7 === 0);
      for (let i = 0; i < 10; i++) append(log, put("a", 5_000 + i, 0));
      seen.push(...positions(rest(open)));
      const stays = positionsFrom(log, 0, 9_999);
      assert.deepEqual(
        seen.filter((position) => stays.includes(position)),
        // A cursor that had reached the end before the removal still sees what was appended.
        stays,
      );
      assert.deepEqual(
        seen,
        seen.toSorted((a, b) => a - b),
      );
    }
  });

  it("a cursor ends when other records take the place of all", () => {
    const log = createLog(100);
    const open = log.cursor(0, 9_999);
    assert.equal((open.next(10) as readonly VersionedRecord[]).length, 10);
    log.replaceBy(createLog(200));
    assert.deepEqual(rest(open), []);
    assert.equal(positionsFrom(log, 0, 9_999).length, 200);
  });

  it("removal of everything leaves an empty log that can be written again", () => {
    const log = createLog(2_000);
    filterAll(log, 9_999, 512, () => false);
    assert.equal(log.count, 0);
    assert.equal(log.newest, undefined);
    assert.deepEqual(positionsFrom(log, 0, 9_999), []);
    append(log, put("a", 3, 0));
    assert.deepEqual(positionsFrom(log, 0, 9_999), [6]);
    assert.equal(
      log.filter(undefined, 2, 10, () => false),
      undefined,
    );
    assert.equal(log.count, 1);
  });
});
