import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { crc32c } from "../../../../src/lib/crc32c.ts";
import { createDeferred } from "../../../../src/lib/deferred.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import { hashRecords } from "../../../../src/server/mvcc/hash.ts";
import { encodedBytesMax, encodeRecord } from "../../../../src/server/mvcc/storage-encoding.ts";
import { MemoryEngine, type VersionedRecord } from "../../../../src/server/storage/index.ts";
import type { HashKvAnswer, HashKvChange, HashKvStep } from "../../../fixtures/hash-kv/record.ts";
import { createLoadingEngine } from "./loading-engine.ts";
import {
  bytes,
  createStore,
  deleteOf,
  putOf,
  recordsIn,
  StoreDriver,
  txnOf,
  yieldTurn,
} from "./store-fixture.ts";

const vectorsFile = new URL("../../../fixtures/hash-kv/vectors.jsonl", import.meta.url);
const fromBase64 = (text: string): string => Buffer.from(text, "base64").toString("latin1");

async function hashOf({ store }: StoreDriver, revision: number): Promise<HashKvAnswer> {
  try {
    const { hash, compactRevision } = await store.hashKv(revision);
    return { hash, compactRevision };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

async function applyChange(driver: StoreDriver, change: HashKvChange): Promise<void> {
  if (change.op === "put") await driver.put(putRequestOf(change));
  else await driver.deleteRange(deleteOf(fromBase64(change.key), fromBase64(change.end)));
}

function putRequestOf(change: Extract<HashKvChange, { op: "put" }>): ReturnType<typeof putOf> {
  const value = String.fromCharCode(change.value.byte).repeat(change.value.count);
  return putOf(fromBase64(change.key), value, { lease: BigInt(change.lease) });
}

async function apply(driver: StoreDriver, step: Exclude<HashKvStep, { op: "hash" }>): Promise<void> {
  const { store, leases } = driver;
  if (step.op === "txn") {
    const success = step.changes.map((change) =>
      change.op === "put"
        ? ({ case: "put", request: putRequestOf(change) } as const)
        : ({
            case: "deleteRange",
            request: deleteOf(fromBase64(change.key), fromBase64(change.end)),
          } as const),
    );
    await driver.txn(txnOf({ success }));
  } else if (step.op === "compact") {
    store.compact(step.revision);
    await store.compactionFinished();
  } else if (step.op === "put" || step.op === "delete") {
    await applyChange(driver, step);
  } else if (step.op === "grant") {
    leases.grant(BigInt(step.lease));
  } else {
    await driver.deleteKeys(leases.keysOf(BigInt(step.lease)).map(bytes));
    leases.keys.delete(BigInt(step.lease));
  }
}

function checksumOf(records: readonly VersionedRecord[]): number {
  return records.reduce(
    (checksum, record) => {
      const encoded = Buffer.alloc(encodedBytesMax(record));
      return crc32c(encoded.subarray(0, encodeRecord(record, encoded, 0)), checksum);
    },
    crc32c(Buffer.from("key")),
  );
}

describe("hashKv", () => {
  it("of an empty store is the checksum of the bucket's name", async () => {
    const { store } = createStore();
    assert.deepEqual(await store.hashKv(0), {
      hash: crc32c(Buffer.from("key")),
      compactRevision: -1,
      hashRevision: 1,
    });
  });

  it("tells its observer how long it took, and nothing when the answer was remembered or refused", async () => {
    let nowMs = 0;
    const hashed: number[] = [];
    const observer = {
      hashed: (durationMs: number) => hashed.push(durationMs),
      compactionPaused: () => {},
      compactionFinished: () => {},
    };
    const { store } = createStore({ observed: { clock: { nowMs: () => (nowMs += 5) }, observer } });
    store.put(putOf("a"));
    store.put(putOf("a"));
    await store.hashKv(0);
    await store.hashKv(3);
    assert.deepEqual(hashed, [5, 5]);
    await assert.rejects(store.hashKv(99), { code: "futureRevision" });
    store.compact(3);
    await store.compactionFinished();
    await store.hashKv(3);
    assert.deepEqual(hashed, [5, 5]);
  });

  for (const [name, create] of [
    ["MemoryEngine", () => ({ engine: new MemoryEngine() })],
    ["LoadingEngine", createLoadingEngine],
  ] as const) {
    it(`over ${name} equals what real etcds (3.4.23 and 3.8.0-alpha.0) answered for the same operations`, async function () {
      this.timeout(20_000);
      const file = process.env["HASH_KV_VECTORS"] ?? vectorsFile;
      const steps = readFileSync(file, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as HashKvStep);
      const { engine } = create();
      const driver = new StoreDriver(engine);
      let compared = 0;
      for (const [index, step] of steps.entries()) {
        if (step.op !== "hash") {
          await apply(driver, step);
          continue;
        }
        const ours = await hashOf(driver, step.revision);
        const isAtCompaction = step.revision === driver.store.compactRevision;
        const isCompacted = step.revision !== 0 && step.revision <= driver.store.compactRevision;
        // Where there is a loader, no hash of a compaction is remembered either.
        if (!isCompacted || engine.loader === undefined) {
          assert.deepEqual(ours, step.answers["etcd-3.8"], `step ${index} at revision ${step.revision}`);
        }
        // etcd 3.4 remembers no hashes of compactions, and refuses to hash at the compact revision.
        if (!isAtCompaction) {
          assert.deepEqual(ours, step.answers["etcd-3.4"], `step ${index} at revision ${step.revision}`);
        }
        compared++;
      }
      assert.ok(compared > 80, `${compared} hashes compared`);
    });
  }

  it("is the same over an engine that must load, however far the removal after a compaction has come", async () => {
    const memory = new StoreDriver(new MemoryEngine());
    const loading = new StoreDriver(createLoadingEngine().engine);
    for (const driver of [memory, loading]) {
      for (let i = 0; i < 1_500; i++) await driver.put(putOf(`k${i % 170}`, `value ${i}`));
      for (let i = 0; i < 60; i++) await driver.deleteRange(deleteOf(`k${i}`));
      driver.store.compact(1_520);
    }
    for (let i = 0; i < 3; i++) {
      for (const revision of [0, 1_521, 1_530])
        assert.equal(
          (await hashOf(loading, revision)).hash,
          (await hashOf(memory, revision)).hash,
          `${revision}`,
        );
      await loading.put(putOf("more", `${i}`));
      await memory.put(putOf("more", `${i}`));
    }
    await Promise.all([memory.store.compactionFinished(), loading.store.compactionFinished()]);
    for (const revision of [0, 1_521, 1_530])
      assert.deepEqual(await hashOf(loading, revision), await hashOf(memory, revision));
  });

  it("of an engine that must load begins again when the store is restored, wherever it stands", async () => {
    const other = new StoreDriver(new MemoryEngine());
    await other.put(putOf("other", "content"));
    const expected = await other.store.hashKv(0);
    for (let turns = 0; turns < 30; turns += 3) {
      const { engine, close } = createLoadingEngine();
      const driver = new StoreDriver(engine);
      for (let i = 0; i < 600; i++) await driver.put(putOf(`k${i}`, "x"));
      const hashing = driver.store.hashKv(0);
      for (let i = 0; i < turns; i++) await yieldTurn();
      const snapshot = other.store.openSnapshot();
      await driver.restore(snapshot);
      snapshot.close();
      const { hash } = await hashing;
      // It may have been through before the restore was.
      if ((await driver.store.hashKv(0)).hash === hash) assert.equal(hash, expected.hash);
      await engine.settled();
      await close?.();
    }
  });

  it("does not depend on how far the removal after a compaction has come", async () => {
    let release = (): void => {};
    const held = createStore({ pauseCompaction: () => new Promise((resolve) => (release = resolve)) });
    const free = createStore();
    for (const { store } of [held, free]) {
      for (let i = 0; i < 4_000; i++) store.put(putOf(`k${i % 700}`, `value ${i}`));
      for (let i = 0; i < 300; i++) store.deleteRange(deleteOf(`k${i}`));
      store.compact(4_100);
    }
    await free.store.compactionFinished();
    while (held.engine.stats().records === 4_300) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(held.engine.stats().records > free.engine.stats().records, "the removal is half-way");
    for (const revision of [0, 4_101, 4_200]) {
      assert.deepEqual(await held.store.hashKv(revision), await free.store.hashKv(revision));
    }
    assert.equal(held.store.stats().records > free.store.stats().records, true);
    release();
  });

  it("that a compaction leaves is the one that a pass over its history finds before it", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const prng = createPrng(seed);
      const { store, engine } = createStore();
      for (let compactRevision = -1, round = 0; round < 4; round++) {
        const keys = 1 + prng.below(400);
        for (let i = prng.below(1_500); i >= 0; i--) {
          const key = `k${prng.below(keys)}`;
          if (prng.below(3) === 0) store.deleteRange(deleteOf(key));
          else store.put(putOf(key, `value ${i}`));
        }
        // Nothing at all is kept, now and then.
        if (prng.below(4) === 0) store.deleteRange(deleteOf("a", "z"));
        const revision = store.currentRevision - prng.below(3);
        if (revision <= Math.max(1, compactRevision)) continue;
        const scope = { compactRevision, revision, keptTombstones: "recent" } as const;
        const hash = await hashRecords(engine, scope, yieldTurn);
        store.compact(revision);
        await store.compactionFinished();
        const remembered = { hash, compactRevision, hashRevision: revision };
        assert.deepEqual(await store.hashKv(revision), remembered, `seed ${seed}`);
        compactRevision = revision;
      }
    }
  });

  it("when nothing is kept, it is of what a finished removal leaves, however far the removal has come", async () => {
    const started = createStore({ pauseCompaction: () => new Promise(() => {}) });
    const finished = createStore();
    for (const { store } of [started, finished]) {
      for (let i = 0; i < 1_500; i++) store.put(putOf("k", String(i)));
      store.deleteRange(deleteOf("k"));
      store.compact(1_400);
    }
    await finished.store.compactionFinished();
    assert.deepEqual(await started.store.hashKv(0), await finished.store.hashKv(0));
  });

  it("finds what is kept wherever in the history it is, and from its end", async () => {
    const revisions = 2_000;
    const compactRevision = 1_501;
    for (const place of [2, 255, 256, 257, 511, 512, 769, 1_231, 1_232, 1_744, 1_745, 1_998]) {
      const paused = createDeferred<void>();
      const { store, engine } = createStore({
        pauseCompaction: () => {
          paused.resolve();
          return new Promise(() => {});
        },
      });
      while (store.currentRevision < revisions) {
        if (store.currentRevision + 1 === place) store.put(putOf("kept", "x"));
        else if (store.currentRevision + 1 === compactRevision) store.put(putOf("b", "put"));
        else if (engine.latest(bytes("b")) === undefined) store.put(putOf("b", "x"));
        else store.deleteRange(deleteOf("b"));
      }
      if (engine.latest(bytes("b")) !== undefined) store.deleteRange(deleteOf("b"));
      const all = engine.records(0, store.currentRevision).next(2 * revisions) as VersionedRecord[];
      const hashed = all.filter(({ modRevision, key }) => modRevision > compactRevision || key === "kept");
      store.compact(compactRevision);
      await paused.promise;
      let read = 0;
      const { records } = engine;
      engine.records = (from, to) => {
        const cursor = records.call(engine, from, to);
        const next = (countMax: number): readonly VersionedRecord[] => {
          const page = cursor.next(countMax) as VersionedRecord[];
          read += page.length;
          return page;
        };
        return { next, close: () => cursor.close() };
      };
      assert.equal((await store.hashKv(0)).hash, checksumOf(hashed), `kept at ${place}`);
      const looked = read - engine.stats().records;
      assert.ok(
        looked <= 257 + 3 * (store.currentRevision - place),
        `${looked} records for the one at ${place}`,
      );
    }
  });

  it("writes that come while it runs do not change the hash of the revision asked for", async () => {
    const quiet = createStore();
    const busy = createStore({
      yieldTurn: async () => {
        busy.store.put(putOf("k1", "later"));
        busy.store.deleteRange(deleteOf("k2"));
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    for (const { store } of [quiet, busy]) for (let i = 0; i < 2_000; i++) store.put(putOf(`k${i}`, "x"));
    assert.deepEqual(await busy.store.hashKv(0), await quiet.store.hashKv(0));
    assert.ok(busy.store.currentRevision > quiet.store.currentRevision);
  });

  it("goes over the records once for all who ask for the same meanwhile, and one after the other for the rest", async () => {
    let [running, most, passes] = [0, 0, 0];
    const engine = new (class extends MemoryEngine {
      override records(...bounds: Parameters<MemoryEngine["records"]>): ReturnType<MemoryEngine["records"]> {
        const cursor = super.records(...bounds);
        passes++;
        most = Math.max(most, ++running);
        return { next: (max) => cursor.next(max), close: () => [running--, cursor.close()] };
      }
    })();
    const { store } = new StoreDriver(engine);
    for (let i = 0; i < 2_000; i++) store.put(putOf(`k${i}`, "x"));
    const alone = [await store.hashKv(0), await store.hashKv(1_000)];
    const passesAlone = passes;
    const together = [0, 1_000, 0, 2_001, 1_000, 0].map((revision) => store.hashKv(revision));
    const [current, older] = alone;
    assert.deepEqual(await Promise.all(together), [current, older, current, current, older, current]);
    assert.equal(passes, 2 * passesAlone);
    assert.equal(most, 1);
  });

  it("a compaction that comes while it runs waits for it, and it reports the compact revision it began with", async () => {
    const { store, engine } = createStore();
    for (let i = 0; i < 2_000; i++) store.put(putOf(`k${i % 10}`, "x"));
    const quiet = await store.hashKv(0);
    const hashing = store.hashKv(0);
    store.compact(1_500);
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(engine.stats().records, 2_000);
    assert.deepEqual(await hashing, quiet);
    await store.compactionFinished();
    assert.equal(engine.stats().records, 511);
  });

  it("a restore while it runs makes it begin again with the new content", async () => {
    const other = createStore();
    other.store.put(putOf("other", "content"));
    const { store } = createStore();
    for (let i = 0; i < 2_000; i++) store.put(putOf(`k${i}`, "x"));
    const hashing = store.hashKv(0);
    const snapshot = other.store.openSnapshot();
    const restore = store.restore(snapshot);
    restore.append([...recordsIn(snapshot)]);
    await restore.prepare();
    restore.finish();
    snapshot.close();
    assert.deepEqual(await hashing, await other.store.hashKv(0));
  });

  it("refuses revisions below the compact revision and above the current one", async () => {
    const { store } = createStore();
    for (let i = 0; i < 10; i++) store.put(putOf("k", "x"));
    await assert.rejects(store.hashKv(12), { code: "futureRevision" });
    store.compact(5);
    await assert.rejects(store.hashKv(4), { code: "compacted" });
    assert.equal((await store.hashKv(5)).compactRevision, 5);
    await store.compactionFinished();
    assert.equal((await store.hashKv(5)).compactRevision, -1, "the hash the compaction left");
  });
});
