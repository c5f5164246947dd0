import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { type ByteString, EMPTY, inRange, OPEN_END } from "../../src/lib/bytes.ts";
import type { Eventual } from "../../src/lib/eventual.ts";
import type {
  Engine,
  EngineStats,
  EngineView,
  KeyInterval,
  RangeRead,
  RecordCursor,
  VersionedRecord,
  Want,
} from "../../src/server/storage/engine.ts";

/** An engine for one test, empty. */
export interface EngineUnderTest {
  readonly engine: Engine;
  /** Resolves when nothing is under way that the engine does by itself. */
  readonly settle?: () => Promise<void>;
  /** Called when the test is over. */
  readonly close?: () => Eventual<void>;
}

export type CreateEngine = () => Eventual<EngineUnderTest>;

const bytes = (text: string): ByteString => text as ByteString;
const everything: KeyInterval = { start: OPEN_END, end: OPEN_END };

export function put(
  key: string,
  modRevision: number,
  sub: number,
  value = `${key}@${modRevision}.${sub}`,
): VersionedRecord {
  return {
    key: bytes(key),
    modRevision,
    sub,
    createRevision: modRevision,
    version: 1,
    value: bytes(value),
    lease: 0n,
    tombstone: false,
  };
}

export function tombstone(key: string, modRevision: number, sub: number): VersionedRecord {
  return {
    key: bytes(key),
    modRevision,
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
    return this.log.findLast((record) => record.key === key && record.modRevision <= revision);
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
        record.modRevision > revision ||
        (this.newest(record.key, revision) === record &&
          !(record.tombstone && record.modRevision < revision)),
    );
  }
}

/** An engine as its users use it: what is read or appended has been named before. */
class Subject {
  readonly engine: Engine;
  readonly #under: EngineUnderTest;

  constructor(under: EngineUnderTest) {
    this.engine = under.engine;
    this.#under = under;
  }

  async append(records: readonly VersionedRecord[]): Promise<void> {
    await this.engine.loader?.load(records.map(({ key }) => keyWant(key)));
    this.engine.append(records);
  }

  /** Appends one record after the other, each a transaction of its own. */
  async fill(count: number, record: (index: number) => VersionedRecord): Promise<void> {
    const records = Array.from({ length: count }, (_, i) => record(i));
    await this.engine.loader?.load(records.map(({ key }) => keyWant(key)));
    for (const each of records) this.engine.append([each]);
  }

  async latest(key: ByteString): Promise<VersionedRecord | undefined> {
    return await this.#read(keyWant(key), (view) => view.latest(key));
  }

  async at(key: ByteString, revision: number): Promise<VersionedRecord | undefined> {
    return await this.#read(keyWant(key, revision), (view) => view.at(key, revision));
  }

  async newest(key: ByteString, revision: number): Promise<VersionedRecord | undefined> {
    return await this.#read(keyWant(key, revision), (view) => view.newest(key, revision));
  }

  async range(interval: KeyInterval, revision: number, limit: number): Promise<RangeRead> {
    const want: Want =
      interval.end === EMPTY
        ? keyWant(interval.start, revision)
        : { kind: "range", interval, revision, limit };
    return await this.#read(want, (view) => view.range(interval, revision, limit));
  }

  async count(interval: KeyInterval, revision: number): Promise<number> {
    const want: Want =
      interval.end === EMPTY ? keyWant(interval.start, revision) : { kind: "count", interval, revision };
    return await this.#read(want, (view) => view.count(interval, revision));
  }

  async records(fromRevision: number, toRevision: number): Promise<VersionedRecord[]> {
    return await readOn(this.engine.records(fromRevision, toRevision));
  }

  async compactWhole(revision: number, recordsMax: number): Promise<void> {
    for (let step = 0; !(await this.engine.compactStep(revision, recordsMax)); step++)
      assert.ok(step < 100_000, "it must end");
  }

  async stats(): Promise<EngineStats> {
    await this.#under.settle?.();
    return this.engine.stats();
  }

  async close(): Promise<void> {
    await this.#under.settle?.();
    await this.#under.close?.();
  }

  /** A view answers what the engine itself answers when the same is loaded. */
  async #read<T>(want: Want, read: (view: EngineView) => T): Promise<T> {
    const { loader } = this.engine;
    if (loader === undefined) return read(this.engine);
    const answer = read(await loader.view([want]));
    await loader.load([want]);
    assert.deepEqual(read(this.engine), answer);
    return answer;
  }
}

function keyWant(key: ByteString, revision?: number): Want {
  return { kind: "key", key, revision };
}

function mainsOf(records: readonly VersionedRecord[]): number[] {
  return records.map(({ modRevision }) => modRevision);
}

/** The rest of the cursor, which is closed then. */
async function readOn(cursor: RecordCursor, countMax = 7): Promise<VersionedRecord[]> {
  const records: VersionedRecord[] = [];
  for (;;) {
    const page = await cursor.next(countMax);
    if (page.length === 0) break;
    records.push(...page);
  }
  cursor.close();
  return records;
}

/** The law of storage/engine.ts, run over every engine there is. */
export function engineSuite(name: string, createEngine: CreateEngine, numRuns = 300): void {
  describe(`${name} keeps the law of engines`, () => {
    const subjects: Subject[] = [];
    const create = async (): Promise<Subject> => {
      const subject = new Subject(await createEngine());
      subjects.push(subject);
      return subject;
    };
    afterEach(async () => {
      for (const subject of subjects.splice(0)) await subject.close();
    });

    it("an empty engine answers every read with nothing", async () => {
      const subject = await create();
      assert.equal(await subject.latest(bytes("a")), undefined);
      assert.equal(await subject.at(bytes("a"), 5), undefined);
      assert.equal(await subject.newest(bytes("a"), 5), undefined);
      assert.deepEqual(await subject.range(everything, 5, 0), { records: [], count: 0 });
      assert.equal(await subject.count(everything, 5), 0);
      assert.deepEqual(await subject.records(0, 100), []);
      assert.equal(await subject.engine.compactStep(5, 10), true);
      assert.deepEqual(await subject.stats(), { liveKeys: 0, records: 0, sizeBytes: 0, sizeInUseBytes: 0 });
    });

    it("E1: a record is visible to every read as soon as it is appended", async () => {
      const subject = await create();
      const record = put("a", 2, 0);
      await subject.append([record]);
      assert.deepEqual(await subject.latest(record.key), record);
      assert.deepEqual(await subject.at(record.key, 2), record);
      assert.equal(await subject.at(record.key, 1), undefined);
      assert.deepEqual(await subject.range(everything, 2, 0), { records: [record], count: 1 });
      assert.equal(await subject.count(everything, 1), 0);
      assert.deepEqual(await subject.records(2, 2), [record]);
      assert.equal((await subject.stats()).liveKeys, 1);
    });

    it("E1: what was loaded as it is now is read as it becomes, and as it was before the last change", async () => {
      const subject = await create();
      const { engine } = subject;
      await subject.append(["a", "b", "d"].map((key, sub) => put(key, 2, sub)));
      const interval = { start: bytes("a"), end: bytes("d") };
      const now = { interval, revision: undefined };
      await engine.loader?.load([
        ...["a", "b", "c", "d"].map((key) => keyWant(bytes(key))),
        { ...now, kind: "range", limit: 0 },
        { ...now, kind: "range", limit: 1 },
        { ...now, kind: "count" },
      ]);
      const valuesAt = (revision: number, limit: number): string[] =>
        engine.range(interval, revision, limit).records.map(({ value }) => value);
      assert.deepEqual(valuesAt(2, 0), ["a@2.0", "b@2.1"]);
      engine.append([tombstone("a", 3, 0)]);
      assert.deepEqual(
        [valuesAt(3, 0), valuesAt(3, 1), engine.count(interval, 3)],
        [["b@2.1"], ["b@2.1"], 1],
      );
      engine.append([tombstone("b", 3, 1)]);
      engine.append([put("b", 3, 2), put("c", 3, 3)]);
      assert.deepEqual(valuesAt(3, 0), ["b@3.2", "c@3.3"]);
      assert.deepEqual(engine.range(interval, 3, 1), { records: [put("b", 3, 2)], count: 2 });
      assert.equal(engine.count(interval, 3), 2);
      assert.equal(engine.latest(bytes("a")), undefined);
      assert.equal(engine.newest(bytes("a"), 3)?.tombstone, true);
      const before = ["a", "b", "c", "d"].map((key) => engine.at(bytes(key), 2)?.value);
      assert.deepEqual(before, ["a@2.0", "b@2.1", undefined, "d@2.2"]);
      engine.append([put("d", 4, 0)]);
      assert.equal(engine.at(bytes("d"), 3)?.value, "d@2.2");
      assert.equal(engine.latest(bytes("d"))?.value, "d@4.0");
    });

    it("E1: records that do not ascend are refused as a programmer's error", async () => {
      const subject = await create();
      await subject.append([put("a", 2, 1)]);
      await assert.rejects(subject.append([put("b", 2, 1)]), { name: "AssertionError" });
      await assert.rejects(subject.append([put("b", 1, 9)]), { name: "AssertionError" });
    });

    it("E2: a read at a revision sees the newest record up to it, a tombstone reads as absent", async () => {
      const subject = await create();
      await subject.append([put("a", 2, 0)]);
      await subject.append([put("a", 3, 0), put("a", 3, 1)]);
      await subject.append([tombstone("a", 5, 0)]);
      await subject.append([put("a", 7, 0)]);
      const values: unknown[] = [];
      for (let revision = 1; revision <= 8; revision++)
        values.push((await subject.at(bytes("a"), revision))?.value);
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
      assert.equal((await subject.newest(bytes("a"), 6))?.tombstone, true);
      assert.equal((await subject.latest(bytes("a")))?.modRevision, 7);
    });

    it("E2: intervals are single keys, half-open, open-ended, or empty when the end is not after the start", async () => {
      const subject = await create();
      await subject.append(["a", "b", "b\0", "c", "\xff"].map((key, sub) => put(key, 2, sub)));
      const keys = async (start: string, end: string): Promise<string[]> =>
        (await subject.range({ start: bytes(start), end: bytes(end) }, 2, 0)).records.map(
          (record) => record.key,
        );
      assert.deepEqual(await keys("b", ""), ["b"]);
      assert.deepEqual(await keys("x", ""), []);
      assert.deepEqual(await keys("b", "c"), ["b", "b\0"]);
      assert.deepEqual(await keys("b", "\0"), ["b", "b\0", "c", "\xff"]);
      assert.deepEqual(await keys("\0", "\0"), ["a", "b", "b\0", "c", "\xff"]);
      assert.deepEqual(await keys("b", "b"), []);
      assert.deepEqual(await keys("c", "b"), []);
      assert.equal(await subject.count({ start: bytes("c"), end: bytes("b") }, 2), 0);
      assert.equal(await subject.count({ start: bytes("c"), end: bytes("b") }, 1), 0);
    });

    it("E2: a limit cuts the records and never the count", async () => {
      const subject = await create();
      await subject.fill(300, (i) => put(`k${String(i).padStart(3, "0")}`, 2 + i, 0));
      await subject.append([tombstone("k000", 302, 0)]);
      for (const revision of [302, 301, 150]) {
        const total = Math.min(revision - 1, revision === 302 ? 299 : 300);
        for (const limit of [0, 1, 64, 298, 299, 300, 301]) {
          const read = await subject.range(everything, revision, limit);
          assert.equal(read.count, total);
          assert.equal(read.records.length, limit === 0 ? total : Math.min(limit, total));
        }
        assert.equal(await subject.count(everything, revision), total);
      }
    });

    it("E2: a range of few or of many keys ends where its end says, with a limit and without", async () => {
      const subject = await create();
      const name = (i: number): string => `k${String(i).padStart(3, "0")}`;
      await subject.fill(300, (i) => put(name(i), 2 + i, 0));
      await subject.fill(100, (i) => tombstone(name(3 * i), 302 + i, 0));
      const live = Array.from({ length: 300 }, (_, i) => name(i)).filter((_, i) => i % 3 !== 0);
      for (const from of [0, 1, 150]) {
        for (const end of [0, 1, 63, 64, 65, 95, 96, 97, 98, 99, 200, 299, 300].map((keys) =>
          name(from + keys),
        )) {
          const within = live.filter((key) => key >= name(from) && key < end);
          for (const limit of [0, 1, 63, 64, 65, 66, within.length, within.length + 1]) {
            const read = await subject.range({ start: bytes(name(from)), end: bytes(end) }, 401, limit);
            const keys = read.records.map(({ key }) => key as string);
            assert.deepEqual(keys, limit === 0 ? within : within.slice(0, limit));
            assert.equal(read.count, within.length);
          }
        }
      }
    });

    it("E3: compaction removes superseded records and old tombstones, and keeps one at the revision itself", async () => {
      const subject = await create();
      await subject.append([put("a", 2, 0)]);
      await subject.append([put("b", 3, 0)]);
      await subject.append([put("a", 4, 0)]);
      await subject.append([tombstone("b", 5, 0)]);
      await subject.append([put("c", 6, 0)]);
      await subject.append([tombstone("c", 7, 0)]);
      await subject.append([put("a", 8, 0)]);
      await subject.compactWhole(7, 1);
      const left = (await subject.records(0, 100)).map((record) => [
        record.key,
        record.modRevision,
        record.tombstone,
      ]);
      assert.deepEqual(left, [
        ["a", 4, false],
        ["c", 7, true],
        ["a", 8, false],
      ]);
      assert.equal(await subject.newest(bytes("b"), 100), undefined);
      await subject.compactWhole(8, 1);
      assert.deepEqual(
        (await subject.records(0, 100)).map((record) => record.modRevision),
        [8],
      );
    });

    it("E3: a key made anew after its removal has begun is not harmed by the rest of it", async () => {
      const subject = await create();
      await subject.fill(3_000, (i) => put(`k${i}`, 2 + i, 0));
      await subject.append([...Array(3_000).keys()].map((i) => tombstone(`k${i}`, 4_000, i)));
      await subject.append([put("z", 4_001, 0)]);
      assert.equal(await subject.engine.compactStep(4_001, 1), false);
      await subject.append([put("k0", 4_002, 0), put("k2999", 4_002, 1)]);
      await subject.compactWhole(4_001, 100);
      assert.deepEqual(
        (await subject.records(0, 9_999)).map((record) => record.key),
        ["z", "k0", "k2999"],
      );
      assert.deepEqual(
        (await subject.range(everything, 4_002, 0)).records.map((record) => record.key),
        ["k0", "k2999", "z"],
      );
    });

    it("E3: a higher revision while one is under way starts anew, a lower one goes on with it", async () => {
      const subject = await create();
      await subject.fill(5_000, (i) => put(`k${i % 10}`, 2 + i, 0));
      assert.equal(await subject.engine.compactStep(3_000, 1), false);
      assert.equal(await subject.engine.compactStep(5_001, 1), false);
      assert.equal(await subject.engine.compactStep(4_000, 1), false);
      await subject.compactWhole(5_001, 500);
      assert.equal(await subject.engine.compactStep(4_000, 500), true);
      assert.equal((await subject.stats()).records, 10);
    });

    it("E4: an open cursor goes on in order while records are appended and removed", async () => {
      const subject = await create();
      await subject.fill(2_000, (i) => put(`k${i % 50}`, 2 + i, 0));
      const open = subject.engine.records(0, 2_500);
      const seen: number[] = [];
      while (seen.length < 1_000) seen.push(...mainsOf(await open.next(1_000 - seen.length)));
      await subject.compactWhole(1_500, 100);
      await subject.fill(1_000, (i) => put(`k${i % 50}`, 2_002 + i, 0));
      seen.push(...mainsOf(await readOn(open)));
      for (let i = 1; i < seen.length; i++) assert.ok((seen[i - 1] as number) < (seen[i] as number));
      // Nothing above the compacted revision may be missing.
      assert.deepEqual(
        seen.filter((modRevision) => modRevision > 1_500),
        Array.from({ length: 1_000 }, (_, i) => 1_501 + i),
      );
    });

    it("E4: a cursor that has caught up goes on with what is appended later", async () => {
      const subject = await create();
      await subject.append([put("a", 2, 0)]);
      const open = subject.engine.records(0, 10);
      assert.deepEqual(mainsOf(await open.next(1)), [2]);
      await subject.append([put("a", 3, 0)]);
      assert.deepEqual(mainsOf(await open.next(1)), [3]);
      assert.deepEqual(await open.next(1), []);
      open.close();
    });

    it("E5: a view is of its moment, and what it answers is the caller's", async () => {
      const subject = await create();
      const { loader } = subject.engine;
      await subject.append(["a", "b"].map((key, sub) => put(key, 2, sub)));
      const want: Want = { kind: "range", interval: everything, revision: undefined, limit: 0 };
      const asked = loader?.view([want, keyWant(bytes("a"))]);
      await subject.append([put("a", 3, 0), tombstone("b", 3, 1)]);
      await subject.compactWhole(3, 100);
      const view = await asked;
      if (view === undefined) return;
      view.range(everything, 2, 0).records.reverse().pop();
      assert.deepEqual(
        view.range(everything, 2, 0).records.map(({ value }) => value),
        ["a@2.0", "b@2.1"],
      );
      assert.equal(view.latest(bytes("a"))?.modRevision, 2);
    });

    it("E5: where there is a loader, reads and changes that nobody named are a programmer's error", async () => {
      const subject = await create();
      const { engine } = subject;
      await subject.append(["a", "b"].map((key, sub) => put(key, 2, sub)));
      const { loader } = engine;
      if (loader === undefined) return;
      const reads = (view: EngineView): (() => unknown)[] => [
        () => view.latest(bytes("b")),
        () => view.at(bytes("b"), 2),
        () => view.newest(bytes("never"), 2),
        () => view.range(everything, 2, 0),
        () => view.count(everything, 2),
      ];
      const view = await loader.view([keyWant(bytes("a"))]);
      await loader.load([keyWant(bytes("a"))]);
      for (const read of [...reads(view), ...reads(engine)])
        assert.throws(read, { name: "AssertionError" }, String(read));
      assert.throws(() => engine.append([put("b", 3, 0)]), { name: "AssertionError" });
      engine.append([put("a", 4, 0)]);
    });

    it("a replacement changes nothing until it is committed, then everything, and ends open cursors", async () => {
      const subject = await create();
      await subject.fill(100, (i) => put(`k${i}`, 2 + i, 0));
      await subject.append([tombstone("k1", 200, 0)]);
      await subject.engine.compactStep(150, 10);
      const open = subject.engine.records(0, 999);
      assert.equal((await open.next(1)).length, 1);
      const before = await subject.stats();
      const replacement = subject.engine.beginReplacement();
      await replacement.append([put("x", 2, 0)]);
      assert.deepEqual(await subject.stats(), before);
      assert.equal((await subject.latest(bytes("k2")))?.modRevision, 4);
      await replacement.prepare(turn);
      assert.deepEqual(await subject.stats(), before);
      replacement.commit();
      assert.deepEqual(await open.next(1), []);
      open.close();
      assert.equal(await subject.latest(bytes("k2")), undefined);
      assert.deepEqual(
        (await subject.range(everything, 2, 0)).records.map((record) => record.key),
        ["x"],
      );
      await subject.append([put("x", 3, 0)]);
      await subject.compactWhole(3, 10);
      assert.equal((await subject.stats()).records, 1);
    });

    it("sizes count every record held, and in use only what a compaction now would leave", async () => {
      const subject = await create();
      await subject.append([put("a", 2, 0, "x".repeat(1_000))]);
      const one = await subject.stats();
      assert.ok(one.sizeBytes > 1_001);
      assert.equal(one.sizeInUseBytes, one.sizeBytes);
      await subject.append([put("a", 3, 0, "x".repeat(1_000))]);
      assert.equal((await subject.stats()).sizeBytes, 2 * one.sizeBytes);
      assert.equal((await subject.stats()).sizeInUseBytes, one.sizeBytes);
      await subject.compactWhole(3, 10);
      assert.deepEqual(await subject.stats(), { ...one, records: 1 });
      await subject.append([tombstone("a", 4, 0)]);
      assert.equal((await subject.stats()).sizeInUseBytes, 0);
      assert.equal((await subject.stats()).liveKeys, 0);
      await subject.append([put("b", 5, 0)]);
      await subject.compactWhole(5, 10);
      assert.equal((await subject.stats()).sizeBytes, (await subject.stats()).sizeInUseBytes);
    });

    it("equals the naive engine after any sequence of appends and compactions in bites", async () => {
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
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { maxLength: 60 }),
          bound,
          bound,
          fc.integer({ min: 0, max: 4 }),
          async (steps, from, to, limit) => {
            const subject = await create();
            const naive = new NaiveEngine();
            let modRevision = 1;
            let compacted = -1;
            for (const action of steps) {
              if (action.kind === "append") {
                modRevision++;
                const records = action.changes.map(([key, isPut], sub) =>
                  isPut ? put(key, modRevision, sub) : tombstone(key, modRevision, sub),
                );
                await subject.append(records);
                naive.log.push(...records);
              } else if (action.kind === "compact") {
                compacted = Math.max(compacted, Math.floor(action.share * modRevision));
                await subject.engine.compactStep(compacted, 1);
              } else if (compacted >= 0) {
                await subject.engine.compactStep(compacted, action.records);
              }
            }
            const interval = { start: bytes(from), end: bytes(to) };
            const compare = async (): Promise<void> => {
              for (let revision = Math.max(0, compacted); revision <= modRevision + 1; revision++) {
                const expected = naive.range(interval, revision);
                assert.deepEqual(await subject.range(interval, revision, limit), {
                  records: limit === 0 ? expected : expected.slice(0, limit),
                  count: expected.length,
                });
                assert.equal(await subject.count(interval, revision), expected.length);
                for (const key of keys.map(bytes)) {
                  const newest = naive.newest(key, revision);
                  assert.deepEqual(
                    await subject.at(key, revision),
                    newest?.tombstone === false ? newest : undefined,
                  );
                }
              }
            };
            await compare();
            if (compacted >= 0) {
              await subject.compactWhole(compacted, 2);
              naive.compact(compacted);
              await compare();
            }
            assert.deepEqual(await subject.records(0, modRevision), naive.log);
            assert.deepEqual(
              await subject.records(3, 5),
              naive.log.filter(({ modRevision: m }) => m >= 3 && m <= 5),
            );
            assert.equal((await subject.stats()).records, naive.log.length);
            assert.equal((await subject.stats()).liveKeys, naive.range(everything, modRevision).length);
            subjects.splice(subjects.indexOf(subject), 1);
            await subject.close();
          },
        ),
        { numRuns },
      );
    });
  });
}

/** Changes of one revision: pairs of key and whether it is put (or deleted, also where there is nothing). */
function changesOf(keys: readonly string[]): fc.Arbitrary<[string, boolean][]> {
  return fc.array(fc.tuple(fc.constantFrom(...keys), fc.boolean()), { minLength: 1, maxLength: 4 });
}
