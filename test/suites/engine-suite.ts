import assert from "node:assert/strict";
import fc from "fast-check";
import { type ByteString, EMPTY, inRange, OPEN_END } from "../../src/lib/bytes.ts";
import type { Engine, KeyInterval, VersionedRecord } from "../../src/server/storage/engine.ts";

const bytes = (text: string): ByteString => text as ByteString;
const everything: KeyInterval = { start: OPEN_END, end: OPEN_END };

export function put(
  key: string,
  main: number,
  sub: number,
  value = `${key}@${main}.${sub}`,
): VersionedRecord {
  return {
    key: bytes(key),
    main,
    sub,
    createRevision: main,
    version: 1,
    value: bytes(value),
    lease: 0n,
    tombstone: false,
  };
}

export function tombstone(key: string, main: number, sub: number): VersionedRecord {
  return {
    key: bytes(key),
    main,
    sub,
    createRevision: 0,
    version: 0,
    value: EMPTY,
    lease: 0n,
    tombstone: true,
  };
}

/** The law of Engine said again over a plain array, with no thought for speed. */
class NaiveEngine {
  log: VersionedRecord[] = [];

  newest(key: ByteString, revision: number): VersionedRecord | undefined {
    return this.log.findLast((record) => record.key === key && record.main <= revision);
  }

  range(interval: KeyInterval, revision: number): VersionedRecord[] {
    return [...new Set(this.log.map((record) => record.key))]
      .filter((key) => inRange(key, interval.start, interval.end))
      .sort()
      .map((key) => this.newest(key, revision))
      .filter((record) => record?.tombstone === false) as VersionedRecord[];
  }

  compact(revision: number): void {
    this.log = this.log.filter(
      (record) =>
        record.main > revision ||
        (this.newest(record.key, revision) === record && !(record.tombstone && record.main < revision)),
    );
  }
}

function compactWhole(engine: Engine, revision: number, recordsMax: number): void {
  for (let step = 0; !engine.compactStep(revision, recordsMax); step++)
    assert.ok(step < 100_000, "it must end");
}

/** The law of storage/engine.ts, run over every engine there is. */
export function engineSuite(name: string, create: () => Engine): void {
  describe(`${name} keeps the law of engines`, () => {
    it("an empty engine answers every read with nothing", () => {
      const engine = create();
      assert.equal(engine.latest(bytes("a")), undefined);
      assert.equal(engine.at(bytes("a"), 5), undefined);
      assert.equal(engine.newest(bytes("a"), 5), undefined);
      assert.deepEqual(engine.range(everything, 5, 0), { records: [], count: 0 });
      assert.equal(engine.count(everything, 5), 0);
      assert.deepEqual([...engine.records(0, 100)], []);
      assert.equal(engine.compactStep(5, 10), true);
      assert.deepEqual(engine.stats(), { liveKeys: 0, records: 0, sizeBytes: 0, sizeInUseBytes: 0 });
    });

    it("E1: a record is visible to every read as soon as it is appended", () => {
      const engine = create();
      const record = put("a", 2, 0);
      engine.append([record]);
      assert.deepEqual(engine.latest(record.key), record);
      assert.deepEqual(engine.at(record.key, 2), record);
      assert.equal(engine.at(record.key, 1), undefined);
      assert.deepEqual(engine.range(everything, 2, 0), { records: [record], count: 1 });
      assert.equal(engine.count(everything, 1), 0);
      assert.deepEqual([...engine.records(2, 2)], [record]);
      assert.equal(engine.stats().liveKeys, 1);
    });

    it("E1: records that do not ascend are refused as a programmer's error", () => {
      const engine = create();
      engine.append([put("a", 2, 1)]);
      assert.throws(() => engine.append([put("b", 2, 1)]), { name: "AssertionError" });
      assert.throws(() => engine.append([put("b", 1, 9)]), { name: "AssertionError" });
    });

    it("E2: a read at a revision sees the newest record up to it, a tombstone reads as absent", () => {
      const engine = create();
      engine.append([put("a", 2, 0)]);
      engine.append([put("a", 3, 0), put("a", 3, 1)]);
      engine.append([tombstone("a", 5, 0)]);
      engine.append([put("a", 7, 0)]);
      const values = [1, 2, 3, 4, 5, 6, 7, 8].map((revision) => engine.at(bytes("a"), revision)?.value);
      assert.deepEqual(values, [
        undefined,
        "a@2.0",
        "a@3.1",
        "a@3.1",
        undefined,
        undefined,
        "a@7.0",
        "a@7.0",
      ]);
      assert.equal(engine.newest(bytes("a"), 6)?.tombstone, true);
      assert.equal(engine.latest(bytes("a"))?.main, 7);
    });

    it("E2: intervals are single keys, half-open, open-ended, or empty when the end is not after the start", () => {
      const engine = create();
      engine.append(["a", "b", "b\0", "c", "\xff"].map((key, sub) => put(key, 2, sub)));
      const keys = (start: string, end: string): string[] =>
        engine.range({ start: bytes(start), end: bytes(end) }, 2, 0).records.map((record) => record.key);
      assert.deepEqual(keys("b", ""), ["b"]);
      assert.deepEqual(keys("x", ""), []);
      assert.deepEqual(keys("b", "c"), ["b", "b\0"]);
      assert.deepEqual(keys("b", "\0"), ["b", "b\0", "c", "\xff"]);
      assert.deepEqual(keys("\0", "\0"), ["a", "b", "b\0", "c", "\xff"]);
      assert.deepEqual(keys("b", "b"), []);
      assert.deepEqual(keys("c", "b"), []);
      assert.equal(engine.count({ start: bytes("c"), end: bytes("b") }, 2), 0);
      assert.equal(engine.count({ start: bytes("c"), end: bytes("b") }, 1), 0);
    });

    it("E2: a limit cuts the records and never the count", () => {
      const engine = create();
      for (let i = 0; i < 300; i++) engine.append([put(`k${String(i).padStart(3, "0")}`, 2 + i, 0)]);
      engine.append([tombstone("k000", 302, 0)]);
      for (const revision of [302, 301, 150]) {
        const total = Math.min(revision - 1, revision === 302 ? 299 : 300);
        for (const limit of [0, 1, 64, 298, 299, 300, 301]) {
          const read = engine.range(everything, revision, limit);
          assert.equal(read.count, total);
          assert.equal(read.records.length, limit === 0 ? total : Math.min(limit, total));
        }
        assert.equal(engine.count(everything, revision), total);
      }
    });

    it("E3: compaction removes superseded records and old tombstones, and keeps one at the revision itself", () => {
      const engine = create();
      engine.append([put("a", 2, 0)]);
      engine.append([put("b", 3, 0)]);
      engine.append([put("a", 4, 0)]);
      engine.append([tombstone("b", 5, 0)]);
      engine.append([put("c", 6, 0)]);
      engine.append([tombstone("c", 7, 0)]);
      engine.append([put("a", 8, 0)]);
      compactWhole(engine, 7, 1);
      const left = [...engine.records(0, 100)].map((record) => [record.key, record.main, record.tombstone]);
      assert.deepEqual(left, [
        ["a", 4, false],
        ["c", 7, true],
        ["a", 8, false],
      ]);
      assert.equal(engine.newest(bytes("b"), 100), undefined);
      compactWhole(engine, 8, 1);
      assert.deepEqual(
        [...engine.records(0, 100)].map((record) => record.main),
        [8],
      );
    });

    it("E3: a key made anew after its removal has begun is not harmed by the rest of it", () => {
      const engine = create();
      for (let i = 0; i < 3_000; i++) engine.append([put(`k${i}`, 2 + i, 0)]);
      engine.append([...Array(3_000).keys()].map((i) => tombstone(`k${i}`, 4_000, i)));
      engine.append([put("z", 4_001, 0)]);
      assert.equal(engine.compactStep(4_001, 1), false);
      engine.append([put("k0", 4_002, 0), put("k2999", 4_002, 1)]);
      compactWhole(engine, 4_001, 100);
      assert.deepEqual(
        [...engine.records(0, 9_999)].map((record) => record.key),
        ["z", "k0", "k2999"],
      );
      assert.deepEqual(
        engine.range(everything, 4_002, 0).records.map((record) => record.key),
        ["k0", "k2999", "z"],
      );
    });

    it("E3: a higher revision while one is under way starts anew, a lower one goes on with it", () => {
      const engine = create();
      for (let i = 0; i < 5_000; i++) engine.append([put(`k${i % 10}`, 2 + i, 0)]);
      assert.equal(engine.compactStep(3_000, 1), false);
      assert.equal(engine.compactStep(5_001, 1), false);
      assert.equal(engine.compactStep(4_000, 1), false);
      compactWhole(engine, 5_001, 500);
      assert.equal(engine.compactStep(4_000, 500), true);
      assert.equal(engine.stats().records, 10);
    });

    it("E4: an open iterator goes on in order while records are appended and removed", () => {
      const engine = create();
      for (let i = 0; i < 2_000; i++) engine.append([put(`k${i % 50}`, 2 + i, 0)]);
      const open = engine.records(0, 2_500);
      const seen: number[] = [];
      for (let i = 0; i < 1_000; i++) seen.push((open.next().value as VersionedRecord).main);
      compactWhole(engine, 1_500, 100);
      for (let i = 2_000; i < 3_000; i++) engine.append([put(`k${i % 50}`, 2 + i, 0)]);
      for (const record of open) seen.push(record.main);
      for (let i = 1; i < seen.length; i++) assert.ok((seen[i - 1] as number) < (seen[i] as number));
      // Nothing above the compacted revision may be missing.
      assert.deepEqual(
        seen.filter((main) => main > 1_500),
        Array.from({ length: 1_000 }, (_, i) => 1_501 + i),
      );
    });

    it("E4: an iterator that has caught up goes on with what is appended later", () => {
      const engine = create();
      engine.append([put("a", 2, 0)]);
      const open = engine.records(0, 10);
      assert.equal(open.next().value?.main, 2);
      engine.append([put("a", 3, 0)]);
      assert.equal(open.next().value?.main, 3);
      assert.equal(open.next().done, true);
    });

    it("a replacement changes nothing until it is committed, then everything, and ends open iterators", () => {
      const engine = create();
      for (let i = 0; i < 100; i++) engine.append([put(`k${i}`, 2 + i, 0)]);
      engine.append([tombstone("k1", 200, 0)]);
      engine.compactStep(150, 10);
      const open = engine.records(0, 999);
      open.next();
      const before = engine.stats();
      const replacement = engine.beginReplacement();
      replacement.append([put("x", 2, 0)]);
      assert.deepEqual(engine.stats(), before);
      assert.equal(engine.latest(bytes("k2"))?.main, 4);
      replacement.commit();
      assert.equal(open.next().done, true);
      assert.equal(engine.latest(bytes("k2")), undefined);
      assert.deepEqual(
        engine.range(everything, 2, 0).records.map((record) => record.key),
        ["x"],
      );
      engine.append([put("x", 3, 0)]);
      compactWhole(engine, 3, 10);
      assert.equal(engine.stats().records, 1);
    });

    it("sizes count every record held, and in use only what a compaction now would leave", () => {
      const engine = create();
      engine.append([put("a", 2, 0, "x".repeat(1_000))]);
      const one = engine.stats();
      assert.ok(one.sizeBytes > 1_001);
      assert.equal(one.sizeInUseBytes, one.sizeBytes);
      engine.append([put("a", 3, 0, "x".repeat(1_000))]);
      assert.equal(engine.stats().sizeBytes, 2 * one.sizeBytes);
      assert.equal(engine.stats().sizeInUseBytes, one.sizeBytes);
      compactWhole(engine, 3, 10);
      assert.deepEqual(engine.stats(), { ...one, records: 1 });
      engine.append([tombstone("a", 4, 0)]);
      assert.equal(engine.stats().sizeInUseBytes, 0);
      assert.equal(engine.stats().liveKeys, 0);
      engine.append([put("b", 5, 0)]);
      compactWhole(engine, 5, 10);
      assert.equal(engine.stats().sizeBytes, engine.stats().sizeInUseBytes);
    });

    it("equals the naive engine after any sequence of appends and compactions in bites", () => {
      const keys = ["a", "b", "ba", "b\0", "c", "\xff"];
      const step = fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({ kind: fc.constant("append" as const), changes: changesOf(keys) }),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            kind: fc.constant("compact" as const),
            share: fc.double({ min: 0, max: 1, noNaN: true }),
          }),
        },
        {
          weight: 1,
          arbitrary: fc.record({
            kind: fc.constant("bite" as const),
            records: fc.integer({ min: 1, max: 3 }),
          }),
        },
      );
      const bound = fc.constantFrom("\0", "a", "b", "b\0", "bb", "c", "");
      fc.assert(
        fc.property(
          fc.array(step, { maxLength: 60 }),
          bound,
          bound,
          fc.integer({ min: 0, max: 4 }),
          (steps, from, to, limit) => {
            const engine = create();
            const naive = new NaiveEngine();
            let main = 1;
            let compacted = -1;
            for (const action of steps) {
              if (action.kind === "append") {
                main++;
                const records = action.changes.map(([key, isPut], sub) =>
                  isPut ? put(key, main, sub) : tombstone(key, main, sub),
                );
                engine.append(records);
                naive.log.push(...records);
              } else if (action.kind === "compact") {
                compacted = Math.max(compacted, Math.floor(action.share * main));
                engine.compactStep(compacted, 1);
              } else if (compacted >= 0) {
                engine.compactStep(compacted, action.records);
              }
            }
            const interval = { start: bytes(from), end: bytes(to) };
            const compare = (): void => {
              for (let revision = Math.max(0, compacted); revision <= main + 1; revision++) {
                const expected = naive.range(interval, revision);
                assert.deepEqual(engine.range(interval, revision, limit), {
                  records: limit === 0 ? expected : expected.slice(0, limit),
                  count: expected.length,
                });
                assert.equal(engine.count(interval, revision), expected.length);
                for (const key of keys.map(bytes)) {
                  const newest = naive.newest(key, revision);
                  assert.deepEqual(
                    engine.at(key, revision),
                    newest?.tombstone === false ? newest : undefined,
                  );
                }
              }
            };
            compare();
            if (compacted >= 0) {
              compactWhole(engine, compacted, 2);
              naive.compact(compacted);
              compare();
            }
            assert.deepEqual([...engine.records(0, main)], naive.log);
            assert.deepEqual(
              [...engine.records(3, 5)],
              naive.log.filter(({ main: m }) => m >= 3 && m <= 5),
            );
            assert.equal(engine.stats().records, naive.log.length);
            assert.equal(engine.stats().liveKeys, naive.range(everything, main).length);
          },
        ),
        { numRuns: 300 },
      );
    });
  });
}

/** Changes of one revision: pairs of key and whether it is put (or deleted, also where there is nothing). */
function changesOf(keys: readonly string[]): fc.Arbitrary<[string, boolean][]> {
  return fc.array(fc.tuple(fc.constantFrom(...keys), fc.boolean()), { minLength: 1, maxLength: 4 });
}
