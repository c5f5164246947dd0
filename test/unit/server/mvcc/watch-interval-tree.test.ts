import { strict as assert } from "node:assert";
import fc from "fast-check";
import { inRange } from "../../../../src/lib/bytes.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import { WatchIntervalTree } from "../../../../src/server/mvcc/watch-interval-tree.ts";
import type { KeyInterval } from "../../../../src/server/storage/index.ts";
import { bytes } from "./watch-world.ts";

const letter = fc.constantFrom("a", "b", "c", "d", "e", "ab", "bb");
const range: fc.Arbitrary<KeyInterval> = fc
  .tuple(letter, fc.oneof(letter, fc.constant("\0")))
  .map(([start, end]) => ({ start: bytes(start), end: bytes(end) }))
  .filter(({ start, end }) => end === "\0" || start < end);
const step = fc.record({ isInsert: fc.boolean(), range });

describe("WatchIntervalTree", () => {
  it("finds exactly the ranges that hold a key, in order, after any inserts and removals", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), fc.nat(), (steps, seed) => {
        const tree = new WatchIntervalTree<string>(createPrng(seed));
        const model = new Map<string, KeyInterval>();
        for (const { isInsert, range } of steps) {
          const name = `${range.start}-${range.end}`;
          assert.equal(tree.get(range), model.has(name) ? name : undefined);
          if (isInsert && !model.has(name)) {
            tree.insert(range, name);
            model.set(name, range);
          } else if (!isInsert && model.has(name)) {
            tree.remove(range);
            model.delete(name);
          }
          assert.equal(tree.size, model.size);
        }
        for (const key of ["", "a", "aa", "ab", "abc", "b", "bb", "c", "d", "e", "z"].map(bytes)) {
          const found: string[] = [];
          tree.collect(key, found);
          const expected = [...model].filter(([, { start, end }]) => inRange(key, start, end));
          assert.deepEqual([...found].sort(), expected.map(([name]) => name).sort());
          const starts = found.map((name) => name.split("-")[0]!);
          assert.deepEqual(starts, [...starts].sort());
        }
      }),
      { numRuns: 300 },
    );
  });

  it("refuses nothing and changes nothing for a range it does not hold", () => {
    const tree = new WatchIntervalTree<number>(createPrng(1));
    const found: number[] = [];
    tree.collect(bytes("a"), found);
    assert.deepEqual(found, []);
    assert.equal(tree.get({ start: bytes("a"), end: bytes("b") }), undefined);
  });
});
