import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { EMPTY, OPEN_END } from "../../../../src/lib/bytes.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import type { VersionedRecord } from "../../../../src/server/storage/engine.ts";
import { MemoryEngine, RECORD_OVERHEAD_BYTES } from "../../../../src/server/storage/memory-engine.ts";
import { engineSuite, put, tombstone } from "../../../suites/engine-suite.ts";

engineSuite("MemoryEngine", () => ({ engine: new MemoryEngine() }));

describe("MemoryEngine", () => {
  it("a record counts its key, its value and a fixed overhead", () => {
    const engine = new MemoryEngine();
    engine.append([put("key", 2, 0, "value")]);
    assert.equal(engine.stats().sizeBytes, 3 + 5 + RECORD_OVERHEAD_BYTES);
    engine.append([tombstone("key", 3, 0)]);
    assert.equal(engine.stats().sizeBytes, 3 + 5 + 3 + 2 * RECORD_OVERHEAD_BYTES);
    assert.equal(engine.storedBytes(), engine.stats().sizeBytes);
  });

  it("many versions of one key are found at every revision and go in one compaction", () => {
    const engine = new MemoryEngine();
    for (let modRevision = 2; modRevision < 50_002; modRevision++)
      engine.append([put("hot", modRevision, 0)]);
    for (const modRevision of [2, 3, 25_000, 50_001])
      assert.equal(engine.at(put("hot", 2, 0).key, modRevision)?.modRevision, modRevision);
    let steps = 1;
    while (!engine.compactStep(50_000, 1_000)) steps++;
    assert.ok(steps >= 45 && steps <= 51, `${steps} bites of a thousand`);
    assert.equal(engine.stats().records, 2);
  });

  it("what a compaction keeps is read in bites, before it, while it removes and after it", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const prng = createPrng(seed);
      const history = Array.from({ length: 3_000 }, (_, i) => {
        const key = `k${prng.below(200)}`;
        return prng.below(10) < 3 ? tombstone(key, i + 2, 0) : put(key, i + 2, 0);
      });
      const [engine, compacted] = [new MemoryEngine(), new MemoryEngine()];
      engine.append(history);
      compacted.append(history);
      const revision = 2 + prng.below(3_000);
      while (!compacted.compactStep(revision, 10_000));
      const expected = compacted.records(0, 2_900).next(10_000);
      let isCompacted = false;
      for (let reading = 0; reading < 3; reading++) {
        const cursor = engine.kept(0, 2_900, revision);
        const kept: VersionedRecord[] = [];
        for (let isLast = false; !isLast; ) {
          const bite = cursor.next(1 + prng.below(400));
          kept.push(...bite.records);
          ({ isLast } = bite);
          if (reading > 0 && !isCompacted) isCompacted = engine.compactStep(revision, 1 + prng.below(200));
        }
        assert.deepEqual(kept, expected, `seed ${seed}, reading ${reading}`);
      }
    }
  });

  it("a replacement of many keys, some written again or deleted on the way, is what the same appends make", async () => {
    const prng = createPrng(5);
    const records: VersionedRecord[] = [];
    for (let modRevision = 2; modRevision < 30_002; modRevision++) {
      const key = `k${prng.below(20_000)}`;
      records.push(prng.below(5) === 0 ? tombstone(key, modRevision, 0) : put(key, modRevision, 0));
    }
    const appended = new MemoryEngine();
    appended.append(records);
    const engine = new MemoryEngine();
    const replacement = engine.beginReplacement();
    for (let i = 0; i < records.length; i += 500) await replacement.append(records.slice(i, i + 500));
    assert.throws(() => replacement.commit(), /prepared before it is committed/);
    await replacement.prepare(turn);
    replacement.commit();
    const whole = { start: EMPTY, end: OPEN_END };
    for (const revision of [0, 7, 15_000, 30_001]) {
      assert.deepEqual(engine.range(whole, revision, 0), appended.range(whole, revision, 0));
    }
    for (const each of [appended, engine]) each.append([put("k7", 40_000, 0), tombstone("k8", 40_000, 1)]);
    while (!engine.compactStep(20_000, 1_000));
    while (!appended.compactStep(20_000, 1_000));
    assert.deepEqual(engine.stats(), appended.stats());
    assert.deepEqual(engine.range(whole, 40_000, 0), appended.range(whole, 40_000, 0));
  });

  it("what compaction leaves is packed, so that a long life does not leave tiny chunks", () => {
    const engine = new MemoryEngine();
    let modRevision = 1;
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 100; i++) engine.append([put(`k${i % 10}`, ++modRevision, 0)]);
      while (!engine.compactStep(modRevision, 7));
    }
    assert.equal(engine.stats().records, 10);
    assert.deepEqual(
      (engine.records(0, modRevision).next(100) as readonly VersionedRecord[]).map(
        (record) => record.modRevision,
      ),
      Array.from({ length: 10 }, (_, i) => modRevision - 9 + i),
    );
  });
});
