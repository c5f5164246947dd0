import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { type ByteString, OPEN_END } from "../../../../src/lib/bytes.ts";
import { createPrng, type Prng } from "../../../../src/lib/prng.ts";
import type { DiskDatabase } from "../../../../src/server/storage/disk-database.ts";
import { DiskEngine } from "../../../../src/server/storage/disk-engine.ts";
import { rootKey } from "../../../../src/server/storage/disk-layout.ts";
import type { VersionedRecord } from "../../../../src/server/storage/engine.ts";
import { type EngineUnderTest, engineSuite, put, tombstone } from "../../../suites/engine-suite.ts";
import { PlainDiskDatabase } from "./plain-disk-database.ts";

async function open(
  database: DiskDatabase,
  onFailure = (error: Error): void => assert.fail(error),
  cacheSizeBytes = 1_048_576,
) {
  return await DiskEngine.open({ database, cacheSizeBytes, yieldTurn: turn, onFailure });
}

/** With the record synced. */
async function openWith(database: DiskDatabase, record: VersionedRecord): Promise<DiskEngine> {
  const engine = await open(database);
  await engine.loader.load([{ kind: "key", key: record.key, revision: undefined }]);
  engine.append([record]);
  await engine.sync();
  return engine;
}

/** How often the files have been rewritten from now on. */
function countRewrites(database: PlainDiskDatabase): () => number {
  let rewrites = 0;
  const { compact } = database;
  database.compact = () => {
    rewrites++;
    return compact.call(database);
  };
  return () => rewrites;
}

/** Each call ends fewer than `turnsMax` turns later. */
function slowDatabase(prng: Prng, turnsMax: number): PlainDiskDatabase {
  return new PlainDiskDatabase(async () => {
    for (let i = prng.below(turnsMax); i > 0; i--) await turn();
  });
}

/** Writes go out after each append, and calls of the database end in turns that a seed draws. */
async function restless(seed: number): Promise<EngineUnderTest> {
  const prng = createPrng(seed);
  const database = slowDatabase(prng, 3);
  const engine = await open(database);
  const { append } = engine;
  engine.append = (records) => {
    append.call(engine, records);
    if (prng.below(2) === 0) engine.flushSoon();
  };
  return { engine, close: () => engine.close() };
}

/** Nothing is written before the end: all is in layers. */
async function lazy(): Promise<EngineUnderTest> {
  const engine = await open(new PlainDiskDatabase());
  return { engine, close: () => engine.close() };
}

/** Every third of the keys is deleted again, half of those before the rest went to the database. */
async function manyKeys(total: number) {
  const engine = await open(new PlainDiskDatabase());
  const keyAt = (i: number): ByteString => put(`k${String(i).padStart(5, "0")}`, 1, 0).key;
  await engine.loader.load(
    Array.from({ length: total }, (_, i) => ({ kind: "key", key: keyAt(i), revision: undefined })),
  );
  let revision = 1;
  const remove = (start: number): void => {
    for (let i = start; i < total; i += 6) engine.append([tombstone(keyAt(i), ++revision, 0)]);
  };
  for (let i = 0; i < total; i++) engine.append([put(keyAt(i), ++revision, 0)]);
  remove(0);
  await engine.sync();
  remove(3);
  const alive = Array.from({ length: total }, (_, i) => keyAt(i)).filter((_, i) => i % 3 !== 0);
  return { keyAt, alive, engine };
}

engineSuite("DiskEngine that writes all the time", () => restless(7));
engineSuite("DiskEngine that has written nothing yet", lazy);

describe("DiskEngine", () => {
  it("finds after a restart what was synced, with its counts, its seal and what was kept beside it", async () => {
    const database = new PlainDiskDatabase();
    const first = await open(database);
    assert.equal(first.recovered.meta, undefined);
    await first.loader.load([]);
    const keys = Array.from({ length: 5_000 }, (_, i) => put(`k${String(i).padStart(5, "0")}`, 2 + i, 0));
    await first.loader.load(keys.map(({ key }) => ({ kind: "key", key, revision: undefined })));
    for (const record of keys) first.append([{ ...record, lease: record.modRevision === 4 ? 9n : 0n }]);
    first.append([tombstone("k00000", 6_000, 0)]);
    first.describeBy(() => ({
      meta: Buffer.from("as of 6000"),
      changes: [{ name: Buffer.from("n"), value: Buffer.from("v") }],
    }));
    await first.sync();
    const stats = first.stats();
    assert.equal(first.storedBytes(), database.sizeBytes());
    const { sizeBytes } = database;
    database.sizeBytes = () =>
      assert.fail("the counts, which every write looks at, ask the database nothing");
    first.stats();
    database.sizeBytes = sizeBytes;
    const second = await open(database);
    assert.deepEqual(second.stats(), stats);
    assert.equal(second.recovered.meta?.toString(), "as of 6000");
    assert.deepEqual(
      second.recovered.side.map(({ name, value }) => [name.toString(), value.toString()]),
      [["n", "v"]],
    );
    assert.deepEqual(second.recovered.attachments, [{ lease: 9n, key: "k00002" }]);
    const interval = { start: put("k00100", 1, 0).key, end: put("k04100", 1, 0).key };
    const view = await second.loader.view([{ kind: "range", interval, revision: undefined, limit: 3 }]);
    const read = view.range(interval, 6_000, 3);
    assert.equal(read.count, 4_000);
    assert.deepEqual(
      read.records.map(({ key }) => key),
      ["k00100", "k00101", "k00102"],
    );
    await second.close();
    assert.equal(database.openIterators, 0);
  });

  it("gives records in one shape, wherever they are: an answer has them as they are", async () => {
    const database = new PlainDiskDatabase();
    const record = put("k", 5, 0, "v");
    await (await openWith(database, record)).close();
    const engine = await open(database);
    const view = await engine.loader.view([{ kind: "key", key: record.key, revision: undefined }]);
    const read = [view.latest(record.key), ...(await engine.records(0, 9).next(1))];
    assert.deepEqual(read, [record, record]);
    for (const each of read) assert.deepEqual(Object.keys(each ?? {}), Object.keys(record));
    await engine.close();
  });

  it("has a root in the form of format 1, which builds of before wrote", async () => {
    const database = new PlainDiskDatabase();
    const engine = await openWith(database, put("k", 5, 1, "v"));
    const [bytes] = await database.getMany([rootKey]);
    const { side, ...root } = JSON.parse(String(bytes));
    const { sizeBytes, sizeInUseBytes } = engine.stats();
    const last = { main: 5, sub: 1 };
    assert.deepEqual(root, { format: 1, generation: 1, records: 1, sizeBytes, sizeInUseBytes, last });
    assert.equal(typeof side, "string");
    await engine.close();
  });

  it("names a root that is not whole, rather than to open with what is left of it", async () => {
    const database = new PlainDiskDatabase();
    await (await openWith(database, put("k", 5, 1, "v"))).close();
    const [bytes] = await database.getMany([rootKey]);
    const root = JSON.parse(String(bytes));
    const writeRoot = (value: unknown) =>
      database.write([{ key: rootKey, value: Buffer.from(JSON.stringify(value)) }]);
    for (const name of Object.keys(root).filter((each) => each !== "format")) {
      for (const wrong of [undefined, null, {}, "1.5", -0.5]) {
        if (name === "side" && typeof wrong === "string") continue;
        await writeRoot({ ...root, [name]: wrong });
        await assert.rejects(open(database), /database is damaged: the root entry/, `${name}: ${wrong}`);
      }
    }
    for (const other of [{ ...root, format: undefined }, null, 1, "root", [], {}]) {
      await writeRoot(other);
      await assert.rejects(open(database), /database is damaged: the root entry/, JSON.stringify(other));
    }
    await writeRoot(root);
    await (await open(database)).close();
  });

  it("counts the keys behind every page from anywhere, of what is in the database and in layers", async () => {
    const prng = createPrng(5);
    const total = 3_000;
    const { keyAt, alive, engine } = await manyKeys(total);
    const revision = engine.stats().records + 1;
    for (let run = 0; run < 300; run++) {
      const from = prng.below(total);
      const to = prng.below(3) === 0 ? undefined : from + 1 + prng.below(total - from);
      const limit = 1 + prng.below(prng.below(2) === 0 ? 20 : 1_500);
      const interval = { start: keyAt(from), end: to === undefined ? OPEN_END : keyAt(to) };
      const view = await engine.loader.view([{ kind: "range", interval, revision: undefined, limit }]);
      const read = view.range(interval, revision, limit);
      const expected = alive.filter(
        (key) => key >= interval.start && (to === undefined || key < interval.end),
      );
      const context = `keys ${from} to ${to}, limit ${limit}`;
      assert.equal(read.count, expected.length, context);
      assert.deepEqual(
        read.records.map(({ key }) => key),
        expected.slice(0, limit),
        context,
      );
    }
    await engine.close();
  });

  it("reads a key as it was when the read began, though it is deleted before the database answers", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const prng = createPrng(seed);
      const database = slowDatabase(prng, 6);
      const engine = await open(database, undefined, 0);
      const { key } = put("a", 2, 0);
      const wants = [{ kind: "key", key, revision: undefined }] as const;
      await engine.loader.load(wants);
      engine.append([put("a", 2, 0)]);
      await engine.sync();
      await engine.loader.load(wants);
      const reading = engine.loader.view(wants);
      engine.append([tombstone("a", 3, 0)]);
      await engine.sync();
      assert.equal((await reading).latest(key)?.modRevision, 2, `seed ${seed}`);
      await engine.close();
    }
  });

  it("reads a key that was deleted while a compaction removes the last of it", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const prng = createPrng(seed);
      const database = slowDatabase(prng, 4);
      const engine = await open(database);
      const { key } = put("a", 2, 0);
      await engine.loader.load([
        { kind: "key", key, revision: undefined },
        { kind: "key", key: put("b", 4, 0).key, revision: undefined },
      ]);
      engine.append([put("a", 2, 0)]);
      engine.append([tombstone("a", 3, 0)]);
      engine.append([put("b", 4, 0)]);
      await engine.sync();
      const [view] = await Promise.all([
        engine.loader.view([{ kind: "key", key, revision: 4 }]),
        (async () => {
          while (!(await engine.compactStep(4, 100)));
        })(),
      ]);
      assert.equal(view.at(key, 4), undefined, `seed ${seed}`);
      await engine.close();
    }
  });

  it("leaves nothing out of the history that goes to the database while a cursor over it is turned", async () => {
    const last = 40;
    for (let seed = 1; seed <= 60; seed++) {
      const prng = createPrng(seed);
      const database = slowDatabase(prng, 6);
      const engine = await open(database);
      const write = async (): Promise<void> => {
        for (let modRevision = 2; modRevision <= last; modRevision++) {
          const record = put(`k${modRevision}`, modRevision, 0);
          await engine.loader.load([{ kind: "key", key: record.key, revision: undefined }]);
          engine.append([record]);
          engine.flushSoon();
          for (let i = prng.below(6); i > 0; i--) await turn();
        }
      };
      const cursor = engine.records(0, last);
      const read = async (): Promise<void> => {
        const seen: number[] = [];
        while (seen.at(-1) !== last) {
          for (const { modRevision } of await cursor.next(10)) seen.push(modRevision);
          assert.deepEqual(
            seen,
            Array.from(seen, (_, i) => 2 + i),
            `seed ${seed}`,
          );
          await turn();
        }
      };
      await Promise.all([write(), read()]);
      cursor.close();
      await engine.close();
      assert.equal(database.openIterators, 0);
    }
  });

  it("lets reads that have begun end before it closes, and begins no other", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const prng = createPrng(seed);
      const database = slowDatabase(prng, 4);
      const engine = await open(database);
      const { key } = put("a", 2, 0);
      await engine.loader.load([{ kind: "key", key, revision: undefined }]);
      engine.append([put("a", 2, 0)]);
      engine.append([put("a", 3, 0)]);
      await engine.sync();
      const cursor = engine.records(0, 3);
      const reading = engine.loader.view([{ kind: "key", key, revision: 2 }]);
      const closing = engine.close();
      assert.equal((await reading).at(key, 2)?.modRevision, 2, `seed ${seed}`);
      await closing;
      await assert.rejects(engine.loader.view([{ kind: "key", key, revision: 2 }]), { code: "stopped" });
      await assert.rejects(
        async () => await cursor.next(10),
        { code: "stopped" },
        "it did not come to the end",
      );
      assert.ok(cursor.next(10) instanceof Promise, "nobody catches what is thrown at once");
    }
  });

  it("shows what it was before when a replacement was not committed, and nothing of it is left", async () => {
    const database = new PlainDiskDatabase();
    const first = await open(database);
    await first.loader.load([{ kind: "key", key: put("a", 2, 0).key, revision: undefined }]);
    first.append([put("a", 2, 0)]);
    first.describeBy(() => ({ meta: Buffer.from("old"), changes: [] }));
    await first.sync();
    const pairs = database.sizeBytes();
    const replacement = first.beginReplacement();
    await replacement.append([put("b", 2, 0), put("c", 3, 0)]);
    await replacement.prepare(turn);
    assert.ok(database.sizeBytes() > pairs);
    const second = await open(database);
    assert.equal(database.sizeBytes(), pairs);
    assert.equal(second.stats().liveKeys, 1);
    assert.equal(second.recovered.meta?.toString(), "old");
  });

  it("is the replacement after a restart once that was committed and synced, and the old content is gone", async () => {
    const database = new PlainDiskDatabase();
    const first = await open(database);
    const records = Array.from({ length: 1_000 }, (_, i) => put(`old${i}`, 2 + i, 0));
    await first.loader.load(records.map(({ key }) => ({ kind: "key", key, revision: undefined })));
    for (const record of records) first.append([record]);
    await first.sync();
    const replacement = first.beginReplacement();
    await replacement.append([put("b", 2, 0), put("b", 3, 0), put("c", 4, 0)]);
    await replacement.prepare(turn);
    first.describeBy(() => ({ meta: Buffer.from("new"), changes: [] }));
    replacement.commit();
    assert.equal(first.stats().liveKeys, 2);
    await first.close();
    assert.ok(database.sizeBytes() < 20, `${database.sizeBytes()} entries`);
    const second = await open(database);
    assert.equal(second.recovered.meta?.toString(), "new");
    assert.deepEqual([second.stats().liveKeys, second.stats().records], [2, 3]);
  });

  /** `keys` of two versions each. */
  async function openWithPast(database: PlainDiskDatabase, keys: number): Promise<DiskEngine> {
    const engine = await open(database);
    const records = Array.from({ length: 2 * keys }, (_, i) => put(`k${i % keys}`, 2 + i, 0));
    await engine.loader.load(records.map(({ key }) => ({ kind: "key", key, revision: undefined })));
    for (const record of records) engine.append([record]);
    await engine.sync();
    return engine;
  }

  it("rewrites the files only when something will come of it, once for all who ask", async () => {
    const database = new PlainDiskDatabase(() => turn());
    const rewrites = countRewrites(database);
    const engine = await openWithPast(database, 500);
    await Promise.all([engine.defragment(), engine.defragment()]);
    assert.equal(rewrites(), 1);
    await engine.defragment();
    assert.equal(rewrites(), 1, "nothing was removed since");
    await engine.compactStep(503, 10);
    await engine.defragment();
    assert.equal(rewrites(), 2);
    while (!(await engine.compactStep(1_001, 100)));
    await engine.defragment();
    assert.equal(rewrites(), 3, "what compaction began for half of the records");
    await engine.close();
  });

  it("rewrites the files by itself when three tenths of the records have been removed since the last time", async () => {
    const database = new PlainDiskDatabase();
    const rewrites = countRewrites(database);
    const engine = await openWithPast(database, 500);
    const removeTo = async (revision: number): Promise<void> => {
      while (!(await engine.compactStep(revision, 100)));
    };
    await removeTo(701);
    assert.deepEqual([engine.stats().records, rewrites()], [800, 0]);
    await removeTo(751);
    assert.deepEqual([engine.stats().records, rewrites()], [750, 1]);
    await removeTo(901);
    assert.deepEqual([engine.stats().records, rewrites()], [600, 1]);
    await removeTo(1_001);
    assert.deepEqual([engine.stats().records, rewrites()], [500, 2]);
    await engine.close();
  });

  it("goes on with a compaction where its last bite ended, not at what is removed already", async () => {
    const database = new PlainDiskDatabase();
    const engine = await openWithPast(database, 500);
    const starts: Uint8Array[] = [];
    const { iterate } = database;
    database.iterate = (range) => {
      starts.push(range.start);
      return iterate.call(database, range);
    };
    while (!(await engine.compactStep(1_001, 100)));
    assert.ok(starts.length >= 5, `${starts.length} bites`);
    for (let i = 1; i < starts.length - 1; i++) {
      assert.ok(Buffer.compare(starts[i - 1]!, starts[i]!) < 0, `bite ${i}`);
    }
    assert.equal(engine.stats().records, 500);
    await engine.close();
  });

  it("tells of a failed write once, and serves nothing any more", async () => {
    const failures: Error[] = [];
    const database = new PlainDiskDatabase();
    const engine = await open(database, (error) => failures.push(error));
    await engine.loader.load([{ kind: "key", key: put("a", 2, 0).key, revision: undefined }]);
    engine.append([put("a", 2, 0)]);
    database.write = () => Promise.reject(new Error("EIO"));
    await assert.rejects(engine.sync(), /EIO/);
    await assert.rejects(engine.sync(), /EIO/);
    await assert.rejects(engine.loader.view([]), /EIO/);
    assert.equal(failures.length, 1);
    await engine.close();
  });
});
