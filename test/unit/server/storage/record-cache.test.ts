import assert from "node:assert/strict";
import fc from "fast-check";
import type { VersionedRecord } from "../../../../src/server/storage/engine.ts";
import { RecordCache } from "../../../../src/server/storage/record-cache.ts";
import { put } from "../../../suites/engine-suite.ts";

/** What 100 records of these take: 1 of key, 43 of value, 256 beside. */
const SIZE_BYTES = 30_000;
const record = (name: string, modRevision: number, valueBytes = 43): VersionedRecord =>
  put(name, modRevision, 0, "x".repeat(valueBytes));

describe("RecordCache", () => {
  it("has what was set last, and nothing that was deleted", () => {
    const cache = new RecordCache(SIZE_BYTES);
    const [first, second] = [record("a", 2), record("a", 3)];
    cache.set(first);
    assert.equal(cache.get(first.key), first);
    cache.set(second);
    assert.equal(cache.get(first.key), second);
    cache.delete(first.key);
    assert.equal(cache.get(first.key), undefined);
  });

  it("holds at least half of its size of what was used last, and never more than its size", () => {
    const cache = new RecordCache(SIZE_BYTES);
    const hot = record("\x00", 2);
    cache.set(hot);
    const records = Array.from({ length: 250 }, (_, i) => record(String.fromCharCode(i + 1), 3 + i));
    for (const each of records) {
      cache.set(each);
      assert.equal(cache.get(hot.key), hot, "it is in use all the time");
    }
    const held = records.map(({ key }) => cache.get(key) !== undefined);
    assert.ok(
      held.slice(-48).every((isHeld) => isHeld),
      "the last ones are there",
    );
    assert.ok(held.filter((isHeld) => isHeld).length <= 99);
  });

  it("takes no record that would push out all others, and forgets the one it had in its place", () => {
    const cache = new RecordCache(SIZE_BYTES);
    cache.set(record("a", 2));
    cache.set(record("a", 3, SIZE_BYTES / 8));
    assert.equal(cache.get(record("a", 2).key), undefined);
  });

  it("never answers with another record than the one set last, whatever is done", () => {
    const step = fc.record({
      kind: fc.constantFrom("set", "set", "get", "delete"),
      name: fc.integer({ min: 0, max: 30 }),
      valueBytes: fc.constantFrom(0, 10, 40, 200),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const cache = new RecordCache(4_000);
        const last = new Map<string, VersionedRecord>();
        for (const [i, { kind, name, valueBytes }] of steps.entries()) {
          const made = record(String.fromCharCode(name), 2 + i, valueBytes);
          if (kind === "set") {
            cache.set(made);
            last.set(made.key, made);
          } else if (kind === "delete") {
            cache.delete(made.key);
            last.delete(made.key);
          } else {
            const found = cache.get(made.key);
            if (found !== undefined) assert.equal(found, last.get(made.key));
          }
        }
      }),
    );
  });
});
