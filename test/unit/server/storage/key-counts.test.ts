import assert from "node:assert/strict";
import fc from "fast-check";
import type { ByteString } from "../../../../src/lib/bytes.ts";
import { KeyCounts } from "../../../../src/server/storage/key-counts.ts";

const keyOf = (i: number): ByteString => `k${String(i).padStart(6, "0")}` as ByteString;

/** All splits that are due, with the keys that are alive. */
function splitAll(counts: KeyCounts, alive: ReadonlySet<ByteString>): void {
  for (;;) {
    const bucket = counts.beginSplit();
    if (bucket === undefined) return;
    const keys = [...alive].filter((key) => key >= bucket.start && (bucket.end === "" || key < bucket.end));
    counts.endSplit(bucket, keys.sort());
  }
}

describe("KeyCounts", () => {
  it("counts any interval as whole buckets and at most two parts, whatever came and went", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 9_999 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 10_000 }),
        fc.integer({ min: 0, max: 10_000 }),
        (starts, from, to) => {
          const counts = new KeyCounts();
          const alive = new Set<ByteString>();
          for (const start of starts) {
            for (let i = start; i < start + 700; i++) {
              const key = keyOf(i);
              const isThere = alive.has(key);
              counts.change(key, isThere ? -1 : 1);
              if (isThere) alive.delete(key);
              else alive.add(key);
            }
            splitAll(counts, alive);
          }
          for (const end of [keyOf(to), "\0" as ByteString]) {
            const { count, rest } = counts.count(keyOf(from), end);
            const inside = (start: ByteString, until: string): number =>
              [...alive].filter((key) => key >= start && (until === "\0" || until === "" || key < until))
                .length;
            const total = rest.reduce((sum, part) => sum + inside(part.start, part.end), count);
            assert.equal(total, end === "\0" || end > keyOf(from) ? inside(keyOf(from), end) : 0);
            assert.ok(rest.length <= 2);
            for (const part of rest) assert.ok(inside(part.start, part.end) <= 2_048);
          }
          assert.equal(counts.total, alive.size);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("follows what happens to a bucket while its keys are read for a split", () => {
    const counts = new KeyCounts();
    const keys = Array.from({ length: 3_000 }, (_, i) => keyOf(2 * i));
    for (const key of keys) counts.change(key, 1);
    const bucket = counts.beginSplit();
    assert.ok(bucket);
    counts.change(keyOf(1), 1);
    counts.change(keyOf(4_001), 1);
    counts.change(keyOf(0), -1);
    counts.endSplit(bucket, keys);
    assert.equal(counts.total, 3_001);
    assert.equal(counts.count("\0" as ByteString, "\0" as ByteString).count, 3_001);
  });

  it("gives what has changed once, and is the same again when that is loaded", () => {
    const counts = new KeyCounts();
    const alive = new Set(Array.from({ length: 5_000 }, (_, i) => keyOf(i)));
    for (const key of alive) counts.change(key, 1);
    splitAll(counts, alive);
    const changes = counts.takeChanges();
    assert.deepEqual(counts.takeChanges(), []);
    const again = new KeyCounts();
    again.load(changes);
    const [start, end] = [keyOf(1_234), keyOf(4_321)];
    assert.deepEqual(again.count(start, end), counts.count(start, end));
    assert.equal(again.total, 5_000);
  });
});
