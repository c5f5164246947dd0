import assert from "node:assert/strict";
import { StorageFailure } from "../../../../src/lib/errors.ts";
import { Compactor } from "../../../../src/server/mvcc/compaction.ts";
import { putRecord } from "../../../../src/server/mvcc/record.ts";
import { MemoryEngine } from "../../../../src/server/storage/index.ts";
import { createLoadingEngine } from "./loading-engine.ts";
import { bytes, createStore, putOf, recordsOf, StoreDriver, yieldTurn } from "./store-fixture.ts";

/** An engine with `count` versions of one key, at revisions 2 and up. */
function createEngine(count: number): MemoryEngine {
  const engine = new MemoryEngine();
  for (let modRevision = 2; modRevision < count + 2; modRevision++) {
    engine.append([
      putRecord({
        key: bytes("a"),
        modRevision,
        sub: 0,
        createRevision: 2,
        version: modRevision - 1,
        value: bytes("v"),
        lease: 0n,
      }),
    ]);
  }
  return engine;
}

/** Rests that end in a later turn, counted. */
function countedRests() {
  const rests = { count: 0 };
  const rest = (): Promise<void> => {
    rests.count++;
    return yieldTurn();
  };
  return { rests, rest };
}

/** For those who write nothing meanwhile. */
const recordsWritten = (): number => 0;

describe("Compactor", () => {
  it("removes in bites with a rest after each, never within the turn of the request", async () => {
    const engine = createEngine(5_000);
    const { rests, rest: pause } = countedRests();
    const compactor = new Compactor({ recordsWritten, engine, yieldTurn, pause }, -1);
    compactor.schedule(5_001);
    assert.equal(engine.stats().records, 5_000);
    await compactor.finished();
    assert.equal(engine.stats().records, 1);
    assert.ok(rests.count >= 4, `${rests.count} rests`);
    assert.equal(compactor.finishedRevision, 5_001);
  });

  it("tells the rest after a bite how long the bite took", async () => {
    let nowMs = 0;
    const engine = createEngine(3_000);
    const { compactStep } = engine;
    engine.compactStep = (...args) => {
      nowMs += 7;
      return compactStep.apply(engine, args);
    };
    const bitesMs: number[] = [];
    const pause = (biteMs: number): Promise<void> => {
      bitesMs.push(biteMs);
      return yieldTurn();
    };
    const observer = { compactionPaused: () => undefined, compactionFinished: () => undefined };
    const observed = { clock: { nowMs: () => nowMs }, observer };
    const compactor = new Compactor({ recordsWritten, engine, yieldTurn, pause, observed }, -1);
    compactor.schedule(3_001);
    await compactor.finished();
    assert.ok(bitesMs.length >= 2);
    assert.deepEqual([...new Set(bitesMs)], [7]);
  });

  it("stops without a word when the engine's disk fails: the engine has told", async () => {
    const engine = createEngine(3_000);
    let asked = 0;
    engine.compactStep = (() => {
      asked++;
      return Promise.reject(new StorageFailure("the disk is gone", "Check it."));
    }) as unknown as typeof engine.compactStep;
    const compactor = new Compactor({ recordsWritten, engine, yieldTurn, pause: yieldTurn }, -1);
    compactor.schedule(2_000);
    for (let i = 0; i < 20; i++) await yieldTurn();
    compactor.schedule(2_500);
    for (let i = 0; i < 20; i++) await yieldTurn();
    assert.equal(asked, 1);
    assert.equal(compactor.finishedRevision, -1);
  });

  it("tells its observer of each bite, and of the whole with the records that it removed", async () => {
    let nowMs = 0;
    const clock = { nowMs: () => nowMs++ };
    const bites: number[] = [];
    const finished: [number, number][] = [];
    const observer = {
      compactionPaused: (durationMs: number) => bites.push(durationMs),
      compactionFinished: (durationMs: number, removed: number) => finished.push([durationMs, removed]),
    };
    const engine = createEngine(5_000);
    // What is written meanwhile does not count.
    let written = 0;
    const write = (): Promise<void> => {
      const [record] = recordsOf(createEngine(1));
      assert.ok(record !== undefined);
      engine.append([{ ...record, modRevision: 9_000 + written++ }]);
      return yieldTurn();
    };
    const compactor = new Compactor(
      {
        engine,
        recordsWritten: () => written,
        yieldTurn: write,
        pause: write,
        observed: { clock, observer },
      },
      -1,
    );
    compactor.schedule(4_000);
    await compactor.finished();
    assert.ok(written > 4, `${written} written`);
    assert.ok(bites.length >= 4 && bites.every((durationMs) => durationMs === 1), bites.join());
    assert.deepEqual(finished, [[2 * bites.length + 1, 3_998]]);
  });

  it("has finished at once when nothing is under way", async () => {
    const compactor = new Compactor(
      { recordsWritten, engine: createEngine(1), yieldTurn, pause: yieldTurn },
      -1,
    );
    await compactor.finished();
  });

  it("requests that come while one is worked on are done together, up to the highest", async () => {
    const compactor = new Compactor(
      { recordsWritten, engine: createEngine(3_000), yieldTurn, pause: yieldTurn },
      -1,
    );
    compactor.schedule(100);
    await yieldTurn();
    compactor.schedule(200);
    compactor.schedule(300);
    await compactor.finished();
    assert.deepEqual(
      compactor.hashes.map((hash) => [hash.compactRevision, hash.revision]),
      [
        [-1, 100],
        [100, 300],
      ],
    );
  });

  it("a request that goes back is a programmer's error", () => {
    const compactor = new Compactor(
      { recordsWritten, engine: createEngine(10), yieldTurn, pause: yieldTurn },
      5,
    );
    assert.throws(() => compactor.schedule(5), { name: "AssertionError" });
  });

  it("waits for the pins below its revision, and for no others", async () => {
    const engine = createEngine(1_000);
    const compactor = new Compactor({ recordsWritten, engine, yieldTurn, pause: yieldTurn }, -1);
    const unpins = [compactor.pin(-1), compactor.pin(499), compactor.pin(500)];
    compactor.schedule(500);
    const settle = async (): Promise<number> => {
      for (let i = 0; i < 20; i++) await yieldTurn();
      return engine.stats().records;
    };
    assert.equal(await settle(), 1_000);
    unpins[0]?.();
    assert.equal(await settle(), 1_000);
    unpins[1]?.();
    assert.equal(await settle(), 502);
    await compactor.finished();
    unpins[2]?.();
  });

  it("remembers the hashes of the last ten compactions", async () => {
    const { store } = createStore();
    for (let i = 0; i < 20; i++) store.put(putOf("a", String(i)));
    for (let revision = 2; revision < 14; revision++) {
      store.compact(revision);
      await store.compactionFinished();
    }
    assert.deepEqual(
      store.compactionHashes.map((hash) => hash.revision),
      [4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
    );
    const [oldest] = store.compactionHashes;
    assert.deepEqual(await store.hashKv(4), { hash: oldest?.hash, compactRevision: 3, hashRevision: 4 });
    await assert.rejects(store.hashKv(3), { code: "compacted" });
  });

  it("the hash of a compaction is that of the history before it, as any member could compute it", async () => {
    const { store } = createStore();
    const twin = createStore().store;
    for (const each of [store, twin]) {
      for (let i = 0; i < 50; i++) each.put(putOf(`k${i % 7}`, String(i)));
      each.compact(20);
      await each.compactionFinished();
    }
    const before = await twin.hashKv(40);
    store.compact(40);
    await store.compactionFinished();
    assert.deepEqual(await store.hashKv(40), before);
  });

  it("a reset stops the work on the old content, wherever it stands", async () => {
    for (const turns of [0, 1, 2, 3, 5, 8]) {
      const engine = createEngine(5_000);
      const compactor = new Compactor({ recordsWritten, engine, yieldTurn, pause: yieldTurn }, -1);
      const unpin = turns === 0 ? compactor.pin(-1) : undefined;
      compactor.schedule(5_000);
      const finished = compactor.finished();
      for (let i = 0; i < turns; i++) await yieldTurn();
      compactor.reset(-1);
      await finished;
      const replacement = engine.beginReplacement();
      replacement.append(recordsOf(createEngine(100)));
      await replacement.prepare(yieldTurn);
      replacement.commit();
      unpin?.();
      for (let i = 0; i < 10; i++) await yieldTurn();
      assert.equal(engine.stats().records, 100, `after ${turns} turns`);
      assert.equal(compactor.finishedRevision, -1);
      compactor.schedule(50);
      await compactor.finished();
      assert.equal(engine.stats().records, 52);
    }
  });

  it("over an engine that must load, removes as much, counts what it removed, and leaves no hash", async () => {
    const finished: number[] = [];
    const observer = {
      hashed: () => {},
      compactionPaused: () => {},
      compactionFinished: (_durationMs: number, removed: number) => finished.push(removed),
    };
    const { engine } = createLoadingEngine();
    const driver = new StoreDriver(engine, { observed: { clock: { nowMs: () => 0 }, observer } });
    const { store } = driver;
    for (let i = 0; i < 3_000; i++) await driver.put(putOf(`k${i % 10}`));
    store.compact(2_900);
    for (let i = 0; i < 20; i++) await driver.put(putOf("meanwhile"));
    await store.compactionFinished();
    assert.deepEqual(finished, [2_889]);
    assert.equal(engine.stats().records, 3_020 - 2_889);
    assert.deepEqual(store.compactionHashes, []);
  });

  it("over an engine that must load, a restore in the middle of a step stops the work on the old content", async () => {
    for (let turns = 0; turns < 10; turns++) {
      const { engine, close } = createLoadingEngine();
      const driver = new StoreDriver(engine);
      for (let i = 0; i < 2_000; i++) await driver.put(putOf("a"));
      driver.store.compact(1_990);
      for (let i = 0; i < turns; i++) await yieldTurn();
      const other = createStore();
      for (let i = 0; i < 100; i++) other.store.put(putOf("b"));
      await driver.restore(other.store.openSnapshot());
      await engine.settled();
      assert.equal(engine.stats().records, 100, `after ${turns} turns`);
      driver.store.compact(51);
      await driver.store.compactionFinished();
      assert.equal(engine.stats().records, 51);
      await close?.();
    }
  });
});
