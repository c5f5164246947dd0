import assert from "node:assert/strict";
import fc from "fast-check";
import type {
  DiskDatabase,
  DiskIterator,
  DiskOperation,
  DiskPair,
  DiskRange,
} from "../../src/server/storage/disk-database.ts";

const isFull = process.env.METASTORE_FULL === "1";
const SEED = Number(process.env.METASTORE_SEED ?? 1);

/** An empty database of one implementation. */
export interface DiskDatabaseFixture {
  readonly database: DiskDatabase;
  /** Closes the database and opens it again. */
  reopen(): Promise<DiskDatabase>;
  dispose(): Promise<void>;
}

/** A database that a writer (`writeNumbered`) was working on when it was killed. */
export interface KilledDatabase {
  readonly database: DiskDatabase;
  /** The highest number whose synced write was resolved. */
  readonly lastSynced: number;
  dispose(): Promise<void>;
}

export interface DiskDatabaseSource {
  /** Why the implementation cannot be tested here; undefined: it can. */
  readonly skipReason?: string | undefined;
  create(): Promise<DiskDatabaseFixture>;
  kill(seed: number): Promise<KilledDatabase>;
}

const killedWriteKeys = 3;
const lastKey = Buffer.from("last");

/** Writes number after number, each under several keys at once and every fifth synced, until the end of the process. */
export async function writeNumbered(
  database: DiskDatabase,
  resolved: (number: number, isSynced: boolean) => void,
): Promise<never> {
  const value = Buffer.alloc(300);
  for (let number = 1; ; number++) {
    const isSynced = number % 5 === 0;
    value.writeUInt32BE(number);
    const operations: DiskOperation[] = [{ key: lastKey, value: Buffer.from(value) }];
    for (let part = 0; part < killedWriteKeys; part++) {
      operations.push({ key: numberedKey(number, part), value: Buffer.from(value) });
    }
    // Some are written while others are under way.
    const written = database.write(operations, { isSynced }).then(() => resolved(number, isSynced));
    if (number % 4 === 0) await written;
    else written.catch(() => undefined);
  }
}

function numberedKey(number: number, part: number): Buffer {
  const key = Buffer.alloc(6, "n");
  key.writeUInt32BE(number, 1);
  key[5] = part;
  return key;
}

/** What every ordered store on disk promises (src/server/storage/disk-database.ts). */
export function diskDatabaseSuite(name: string, source: DiskDatabaseSource): void {
  const { skipReason } = source;
  const reason = skipReason === undefined ? "" : ` (skipped: ${skipReason})`;
  describe(`${name} keeps the law of DiskDatabase${reason}`, function () {
    this.timeout(isFull ? 600_000 : 60_000);
    let fixture: DiskDatabaseFixture;
    let database: DiskDatabase;

    before(function () {
      if (skipReason !== undefined) this.skip();
    });
    beforeEach(async () => {
      fixture = await source.create();
      database = fixture.database;
    });
    afterEach(() => fixture.dispose());

    const put = (text: Record<string, string>, isSynced = false): Promise<void> =>
      database.write(
        Object.entries(text).map(([key, value]) => ({ key: bytes(key), value: bytes(value) })),
        { isSynced },
      );
    const textsOf = async (keys: string[]): Promise<(string | undefined)[]> =>
      (await database.getMany(keys.map(bytes))).map((value) => value?.toString("latin1"));
    const scan = async (range: DiskRange): Promise<string[]> =>
      (await allOf(database.iterate(range))).map(textOf);

    it("gives values in the order of the keys asked for, and undefined for what is not there", async () => {
      await put({ a: "1", b: "", c: "3" });
      assert.deepEqual(await textsOf(["c", "x", "a", "b", "a"]), ["3", undefined, "1", "", "1"]);
      assert.deepEqual(await textsOf([]), []);
    });

    it("overwrites and removes, the later operation of a write winning", async () => {
      await put({ a: "1", b: "1" });
      const operations = [
        { key: bytes("a"), value: bytes("2") },
        { key: bytes("b"), value: undefined },
        { key: bytes("c"), value: bytes("3") },
        { key: bytes("c"), value: undefined },
        { key: bytes("absent"), value: undefined },
      ];
      await database.write(operations, { isSynced: false });
      assert.deepEqual(await scan(everything), ["a=2"]);
    });

    it("closes with iterators still open, and those that nobody waited for", async () => {
      await put({ a: "1", b: "2" });
      const read = database.iterate(everything);
      assert.equal((await read.next(1)).length, 1);
      database.iterate(everything);
      void database.iterate(everything).close();
      database = await fixture.reopen();
      assert.deepEqual(await scan(everything), ["a=1", "b=2"]);
    });

    it("takes writes of nothing, synced or not", async () => {
      await database.write([], { isSynced: false });
      await database.write([], { isSynced: true });
      assert.deepEqual(await scan(everything), []);
    });

    it("lets writes happen in the order of the calls, waited for or not", async () => {
      const writes = [];
      for (let i = 0; i < 200; i++) {
        writes.push(put({ last: String(i), [`k${i}`]: "" }, i % 50 === 49));
      }
      writes.push(database.clear(bytes("k0"), bytes("k2")), put({ k1: "again" }));
      await Promise.all(writes);
      assert.deepEqual(await textsOf(["last", "k0", "k1", "k199", "k2"]), [
        "199",
        undefined,
        "again",
        undefined,
        "",
      ]);
    });

    it("shows a write to every read that is called once it is resolved", async () => {
      for (let i = 0; i < 50; i++) {
        await put({ a: String(i) }, i % 10 === 0);
        const [read, seen] = await Promise.all([textsOf(["a"]), scan(everything)]);
        assert.deepEqual([read, seen], [[String(i)], [`a=${i}`]]);
      }
    });

    it("shows an iterator that is made during a write all of it or nothing", async () => {
      for (let i = 0; i < 30; i++) {
        const written = put(Object.fromEntries(["a", "b", "c", "d"].map((key) => [key, String(i)])));
        const seen = await scan(everything);
        assert.equal(new Set(seen.map((pair) => pair.slice(2))).size <= 1, true, seen.join());
        assert.ok(seen.length === 4 || (i === 0 && seen.length === 0), seen.join());
        await written;
      }
    });

    it("shows an iterator nothing of a write that is called after it", async () => {
      await put({ a: "0", b: "0" });
      for (let i = 1; i < 30; i++) {
        const iterator = database.iterate(everything);
        const written = put({ a: String(i), b: String(i) });
        assert.deepEqual((await allOf(iterator)).map(textOf), [`a=${i - 1}`, `b=${i - 1}`]);
        await written;
      }
    });

    it("keeps an iterator as it was over later writes, clears and compaction", async () => {
      await put({ a: "1", b: "1", c: "1", d: "1" });
      const forward = database.iterate(everything);
      const backward = database.iterate({ ...everything, isReverse: true });
      assert.deepEqual((await forward.next(1)).map(textOf), ["a=1"]);
      await put({ a: "2", b: "2", bb: "2", d: "2", e: "2" }, true);
      await database.clear(bytes("b"), bytes("d"));
      await database.compact(bytes("a"), bytes("z"));
      assert.deepEqual((await allOf(forward)).map(textOf), ["b=1", "c=1", "d=1"]);
      assert.deepEqual((await allOf(backward)).map(textOf), ["d=1", "c=1", "b=1", "a=1"]);
      assert.deepEqual(await scan(everything), ["a=2", "d=2", "e=2"]);
    });

    it("compares keys byte by byte, 0x00 and 0xff among them", async () => {
      const keys = [
        "\0",
        "\0\0",
        "\0\xff",
        "a",
        "a\0",
        "a\0\0",
        "a\x7f",
        "a\x80",
        "a\xff",
        "b",
        "\xff",
        "\xff\xff",
      ];
      await put(Object.fromEntries([...keys].reverse().map((key) => [key, "v"])));
      assert.deepEqual(
        (await allOf(database.iterate(everything))).map((pair) => pair.key.toString("latin1")),
        keys,
      );
      assert.deepEqual(await scan(rangeOf("a\0", "a\xff")), ["a\0=v", "a\0\0=v", "a\x7f=v", "a\x80=v"]);
      assert.deepEqual(await scan({ ...rangeOf("\xff", "\xff\xff"), isReverse: true }), ["\xff=v"]);
      assert.deepEqual(await textsOf(["a\x80", "a\x81"]), ["v", undefined]);
    });

    it("includes the start of a range and excludes its end, and finds nothing in an empty one", async () => {
      await put({ a: "1", b: "2", c: "3" });
      for (const isReverse of [false, true]) {
        const found = async (start: string, end: string): Promise<string> =>
          (await scan({ ...rangeOf(start, end), isReverse })).sort().join();
        assert.equal(await found("a", "c"), "a=1,b=2");
        assert.equal(await found("", "b"), "a=1");
        assert.equal(await found("aa", "bb"), "b=2");
        assert.equal(await found("b", "b"), "");
        assert.equal(await found("c", "a"), "");
        assert.equal(await found("a", ""), "");
        assert.equal(await found("", ""), "");
        assert.equal(await found("x", "z"), "");
      }
    });

    it("leaves values out when only keys are asked for", async () => {
      await put({ a: "1", b: "2" });
      assert.deepEqual(await scan({ ...everything, isKeysOnly: true }), ["a=", "b="]);
      assert.deepEqual(await scan({ ...everything, isKeysOnly: true, isReverse: true }), ["b=", "a="]);
    });

    it("gives pages of the size asked for, in both directions, and an empty one at the end", async () => {
      const keys = Array.from({ length: 2_500 }, (_, i) => String(i).padStart(4, "0"));
      await put(Object.fromEntries(keys.map((key) => [key, key])));
      for (const isReverse of [false, true]) {
        const iterator = database.iterate({ ...everything, isReverse });
        const found: string[] = [];
        for (const countMax of [1, 7, 1_200, 1_000]) {
          const page = await iterator.next(countMax);
          assert.equal(page.length, countMax);
          found.push(...page.map((pair) => pair.value.toString()));
        }
        found.push(...(await iterator.next(10_000)).map((pair) => pair.value.toString()));
        assert.deepEqual(await iterator.next(10), []);
        assert.deepEqual(await iterator.next(10), []);
        await iterator.close();
        assert.deepEqual(found, isReverse ? [...keys].reverse() : keys);
      }
    });

    it("gives all pairs in order where small values, large ones and small ones follow each other", async () => {
      const values = Array.from({ length: 600 }, (_, i) =>
        Buffer.alloc(i >= 250 && i < 290 ? 300_000 : 10, i % 251),
      );
      const keyOf = (i: number): Buffer => Buffer.from(String(i).padStart(4, "0"));
      for (const [i, value] of values.entries()) {
        await database.write([{ key: keyOf(i), value }], { isSynced: false });
      }
      for (const isReverse of [false, true]) {
        const expected = isReverse ? [...values].reverse() : values;
        const iterator = database.iterate({ start: keyOf(0), end: keyOf(9_999), isReverse });
        const found = await iterator.next(values.length + 1);
        await iterator.close();
        assert.equal(found.length, values.length);
        assert.ok(found.every(({ value }, i) => value.equals(expected[i] as Buffer)));
        // Closed with pairs read ahead that nobody asks for.
        const partly = database.iterate({ start: keyOf(0), end: keyOf(9_999), isReverse });
        assert.equal((await partly.next(40)).length, 40);
        await partly.close();
      }
    });

    it("ends a page early when it has the bytes asked for, and goes on where it ended", async () => {
      await put(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i + 100}`, "x".repeat(96)])));
      const iterator = database.iterate(everything);
      const sizes: number[] = [];
      const found: DiskPair[] = [];
      for (;;) {
        const page = await iterator.next(60, 1_000);
        if (page.length === 0) break;
        sizes.push(page.length);
        found.push(...page);
      }
      await iterator.close();
      assert.deepEqual(sizes, Array(10).fill(10));
      assert.deepEqual(
        found.map((pair) => pair.key.toString()),
        Array.from({ length: 100 }, (_, i) => `k${i + 100}`),
      );
    });

    it("keeps values of a megabyte whole, also over a restart", async () => {
      const values = Array.from({ length: 40 }, (_, i) => Buffer.alloc(1 << 20, `${i} `));
      const keys = values.map((_, i) => Buffer.from([i]));
      for (const [i, value] of values.entries()) {
        await database.write([{ key: keys[i]!, value }], { isSynced: i === 20 });
      }
      database = await fixture.reopen();
      const iterator = database.iterate({ start: keys[0]!, end: keys[39]! });
      const page = await iterator.next(100, 3 << 20);
      assert.deepEqual([page.length, page[2]!.value.equals(values[2]!)], [3, true]);
      await iterator.close();
      assert.ok((await database.getMany(keys)).every((value, i) => value?.equals(values[i]!)));
    });

    it("removes a range at once and nothing else, and what is written there later stays", async () => {
      await put({ a: "1", b: "1", "b\0": "1", c: "1", d: "1" });
      await database.clear(bytes("b"), bytes("d"));
      await database.clear(bytes("d"), bytes("b"));
      await database.clear(bytes("a"), bytes("a"));
      await put({ bb: "2" });
      assert.deepEqual(await scan(everything), ["a=1", "bb=2", "d=1"]);
      database = await fixture.reopen();
      assert.deepEqual(await scan(everything), ["a=1", "bb=2", "d=1"]);
    });

    it("tells how many bytes it takes: more after writes, less once what was removed is compacted away", async () => {
      const before = database.sizeBytes();
      const value = Buffer.alloc(10_000);
      for (let i = 0; i < value.length; i++) value[i] = (i * 2_654_435_761) >>> (i % 24);
      for (let i = 0; i < 300; i++) {
        await database.write([{ key: numberedKey(i, 0), value }], { isSynced: i % 100 === 0 });
      }
      const full = database.sizeBytes();
      assert.ok(full - before >= 3_000_000 && full - before < 9_000_000, `${full - before}`);
      await database.clear(bytes("n"), bytes("o"));
      await database.compact(bytes("n"), bytes("o"));
      assert.ok(database.sizeBytes() < before + 300_000, `${database.sizeBytes()}`);
    });

    it("keeps everything over a close and a start, synced or not", async () => {
      await put({ a: "1" }, true);
      await put({ b: "2" });
      const late = put({ c: "3" });
      database = await fixture.reopen();
      await late;
      assert.deepEqual(await scan(everything), ["a=1", "b=2", "c=3"]);
    });

    it("agrees with a sorted array, whatever is written, removed, read and iterated", async () => {
      const key = fc.stringMatching(/^[\0ab\xff]{1,3}$/);
      const bound = fc.stringMatching(/^[\0ab\xff]{0,3}$/);
      const operation = fc.record({
        key,
        value: fc.option(fc.string({ maxLength: 30 }), { nil: undefined }),
      });
      const range = fc.record({
        start: bound,
        end: bound,
        isReverse: fc.boolean(),
        isKeysOnly: fc.boolean(),
      });
      const step = fc.oneof(
        {
          weight: 4,
          arbitrary: fc.record({ write: fc.array(operation, { maxLength: 8 }), isSynced: fc.boolean() }),
        },
        { weight: 1, arbitrary: fc.record({ clear: fc.tuple(bound, bound) }) },
        { weight: 1, arbitrary: fc.record({ compact: fc.tuple(bound, bound) }) },
        { weight: 2, arbitrary: fc.record({ get: fc.array(key, { maxLength: 5 }) }) },
        { weight: 2, arbitrary: fc.record({ iterate: range }) },
        {
          weight: 4,
          arbitrary: fc.record({
            next: fc.nat(9),
            countMax: fc.integer({ min: 1, max: 5 }),
            sizeBytesMax: fc.integer({ min: 1, max: 60 }),
          }),
        },
        { weight: 1, arbitrary: fc.record({ reopen: fc.constant(true) }) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const model = new Map<string, string>();
          let open: { iterator: DiskIterator; rest: string[] }[] = [];
          const closeAll = async (): Promise<void> => {
            for (const { iterator } of open) await iterator.close();
            open = [];
          };
          await database.clear(bytes(""), bytes("\xff".repeat(4)));
          for (const action of steps) {
            if ("write" in action) {
              const operations = action.write.map((each) => ({
                key: bytes(each.key),
                value: each.value === undefined ? undefined : bytes(each.value),
              }));
              await database.write(operations, { isSynced: action.isSynced });
              for (const each of action.write) {
                if (each.value === undefined) model.delete(each.key);
                else model.set(each.key, bytes(each.value).toString("latin1"));
              }
            } else if ("clear" in action) {
              const [start, end] = action.clear;
              await database.clear(bytes(start), bytes(end));
              for (const each of [...model.keys()]) if (each >= start && each < end) model.delete(each);
            } else if ("compact" in action) {
              await database.compact(bytes(action.compact[0]), bytes(action.compact[1]));
            } else if ("get" in action) {
              assert.deepEqual(
                await textsOf(action.get),
                action.get.map((each) => model.get(each)),
              );
            } else if ("iterate" in action) {
              const { start, end, isReverse, isKeysOnly } = action.iterate;
              const rest = [...model]
                .filter(([each]) => each >= start && each < end)
                .sort(([a], [b]) => (a < b ? -1 : 1))
                .map(([each, value]) => `${each}=${isKeysOnly ? "" : value}`);
              if (isReverse) rest.reverse();
              const iterator = database.iterate({ ...rangeOf(start, end), isReverse, isKeysOnly });
              open.push({ iterator, rest });
            } else if ("next" in action) {
              const chosen = open[action.next % Math.max(1, open.length)];
              if (chosen === undefined) continue;
              const page = (await chosen.iterator.next(action.countMax, action.sizeBytesMax)).map(textOf);
              const expected: string[] = [];
              let sizeBytes = 0;
              while (
                chosen.rest.length > 0 &&
                expected.length < action.countMax &&
                sizeBytes < action.sizeBytesMax
              ) {
                const pair = chosen.rest.shift()!;
                sizeBytes += pair.length - 1;
                expected.push(pair);
              }
              assert.deepEqual(page, expected);
            } else {
              await closeAll();
              database = await fixture.reopen();
            }
          }
          for (const { iterator, rest } of open.splice(0)) {
            assert.deepEqual((await allOf(iterator)).map(textOf), rest);
          }
          assert.equal((await scan(everything)).length, model.size);
        }),
        { numRuns: isFull ? 2_000 : 60 },
      );
    });

    it("leaves a first part of its writes, each whole, with every synced one, when its process is killed", async () => {
      for (let seed = SEED; seed < SEED + (isFull ? 40 : 4); seed++) {
        const killed = await source.kill(seed);
        try {
          const [last] = await killed.database.getMany([lastKey]);
          const count = last === undefined ? 0 : last.readUInt32BE();
          const context = `METASTORE_SEED=${seed}: ${count} writes are left, ${killed.lastSynced} were synced`;
          assert.ok(count >= killed.lastSynced, context);
          const pairs = await allOf(killed.database.iterate({ start: numberedKey(0, 0), end: bytes("o") }));
          assert.equal(pairs.length, count * killedWriteKeys, context);
          for (const [i, pair] of pairs.entries()) {
            const number = Math.floor(i / killedWriteKeys) + 1;
            assert.ok(pair.key.equals(numberedKey(number, i % killedWriteKeys)), context);
            assert.equal(pair.value.readUInt32BE(), number, context);
          }
        } finally {
          await killed.dispose();
        }
      }
    });
  });
}

const everything: DiskRange = rangeOf("", "\xff\xff\xff\xff");

function rangeOf(start: string, end: string): DiskRange {
  return { start: bytes(start), end: bytes(end) };
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function textOf(pair: DiskPair): string {
  return `${pair.key.toString("latin1")}=${pair.value.toString("latin1")}`;
}

/** The rest of an iterator, which is closed. */
async function allOf(iterator: DiskIterator): Promise<DiskPair[]> {
  const pairs: DiskPair[] = [];
  for (;;) {
    const page = await iterator.next(1_000);
    if (page.length === 0) break;
    pairs.push(...page);
  }
  await iterator.close();
  return pairs;
}
