import assert from "node:assert/strict";
import fc from "fast-check";
import type { ByteString } from "../../../src/lib/bytes.ts";
import { SortedMap, SortedMapBuilder } from "../../../src/lib/sorted-map.ts";

const key = (number: number): ByteString => number.toString(36).padStart(4, "0") as ByteString;

function entriesFrom(map: SortedMap<number>, start: ByteString): [string, number][] {
  const entries: [string, number][] = [];
  for (const cursor = map.seek(start); !cursor.isDone; cursor.advance()) {
    entries.push([cursor.key, cursor.value]);
  }
  return entries;
}

/** Every promise of the map against an array that is sorted anew each time. */
function assertSame(map: SortedMap<number>, model: Map<ByteString, number>, probes: ByteString[]): void {
  const sorted = [...model].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  assert.equal(map.size, sorted.length);
  assert.deepEqual(entriesFrom(map, "" as ByteString), sorted);
  for (const probe of probes) {
    assert.equal(map.get(probe), model.get(probe));
    assert.equal(map.rank(probe), sorted.filter(([k]) => k < probe).length);
    assert.deepEqual(
      entriesFrom(map, probe),
      sorted.filter(([k]) => k >= probe),
    );
  }
}

describe("SortedMap", () => {
  it("an empty map holds nothing and every rank is 0", () => {
    const map = new SortedMap<number>();
    assert.equal(map.size, 0);
    assert.equal(map.get(key(1)), undefined);
    assert.equal(map.delete(key(1)), false);
    assert.equal(map.rank(key(1)), 0);
    assert.equal(map.seek(key(1)).isDone, true);
  });

  it("set says whether the key is new and replaces the value when it is not", () => {
    const map = new SortedMap<number>();
    assert.equal(map.set(key(1), 1), true);
    assert.equal(map.set(key(1), 2), false);
    assert.equal(map.get(key(1)), 2);
    assert.equal(map.size, 1);
  });

  it("keys come out in byte order, with bytes above 0x7f after those below", () => {
    const map = new SortedMap<number>();
    const keys = ["\xff", "", "\0", "a", "\x80", "ab", "a\0", "A"] as ByteString[];
    for (const [i, k] of keys.entries()) map.set(k, i);
    assert.deepEqual(
      entriesFrom(map, "" as ByteString).map(([k]) => k),
      ["", "\0", "A", "a", "a\0", "ab", "\x80", "\xff"],
    );
  });

  for (const [name, order] of [
    ["ascending", (i: number) => i],
    ["descending", (i: number) => 20_000 - i],
    ["scattered", (i: number) => (i * 7919) % 20_011],
  ] as const) {
    it(`20,000 keys inserted in ${name} order keep order and ranks, and go again one by one`, () => {
      const map = new SortedMap<number>();
      const model = new Map<ByteString, number>();
      for (let i = 0; i < 20_000; i++) {
        map.set(key(order(i)), i);
        model.set(key(order(i)), i);
      }
      const probes = [0, 1, 63, 64, 65, 9_999, 19_999, 20_000, 30_000].map(key);
      assertSame(map, model, probes);
      for (let i = 0; i < 20_000; i++) {
        assert.equal(map.delete(key(order(i))), true);
        model.delete(key(order(i)));
        if (i % 4_000 === 0) assertSame(map, model, probes);
      }
      assertSame(map, model, probes);
    });
  }

  it("a queue that grows at one end and shrinks at the other does not leave empty nodes behind", () => {
    const map = new SortedMap<number>();
    for (let i = 0; i < 50_000; i++) {
      map.set(key(i), i);
      if (i >= 100) assert.equal(map.delete(key(i - 100)), true);
    }
    assert.equal(map.size, 100);
    assert.equal(map.seek("" as ByteString).key, key(49_900));
    assert.equal(map.rank(key(49_950)), 50);
  });

  it("clear makes it as new", () => {
    const map = new SortedMap<number>();
    for (let i = 0; i < 1_000; i++) map.set(key(i), i);
    map.clear();
    assertSame(map, new Map(), [key(1)]);
    map.set(key(5), 5);
    assertSame(map, new Map([[key(5), 5]]), [key(1), key(9)]);
  });

  it("equals a sorted array after any sequence of sets and deletes", () => {
    const run = fc.record({
      isSet: fc.boolean(),
      from: fc.integer({ min: 0, max: 3_000 }),
      count: fc.integer({ min: 1, max: 400 }),
      step: fc.constantFrom(1, 2, 7, 13),
    });
    fc.assert(
      fc.property(
        fc.array(run, { maxLength: 25 }),
        fc.array(fc.integer({ min: 0, max: 9_000 }), { maxLength: 4 }),
        (runs, probes) => {
          const map = new SortedMap<number>();
          const model = new Map<ByteString, number>();
          for (const { isSet, from, count, step } of runs) {
            for (let i = 0; i < count; i++) {
              const k = key(from + i * step);
              if (isSet) assert.equal(map.set(k, i), !model.has(k));
              else assert.equal(map.delete(k), model.has(k));
              if (isSet) model.set(k, i);
              else model.delete(k);
            }
          }
          assertSame(map, model, probes.map(key));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is the same made of ascending entries at once as made one by one, and goes on as that does", () => {
    for (const count of [0, 1, 2, 47, 48, 49, 96, 97, 2_304, 2_305, 5_000, 120_000]) {
      const keys = Array.from({ length: count }, (_, i) => String(2 * i).padStart(7, "0") as ByteString);
      const builder = new SortedMapBuilder<number>();
      for (const [i, k] of keys.entries()) builder.add(k, i);
      const map = builder.finish();
      assert.equal(map.size, count);
      const seen: ByteString[] = [];
      for (let at = map.seek("" as ByteString); !at.isDone; at.advance()) seen.push(at.key);
      assert.deepEqual(seen, keys);
      for (let i = 0; i < count; i += Math.max(1, count >> 5)) {
        assert.equal(map.get(keys[i] as ByteString), i);
        assert.equal(map.rank(keys[i] as ByteString), i);
      }
      for (let i = 0; i < 500; i++) map.set(String(2 * i + 1).padStart(7, "0") as ByteString, i);
      for (const key of keys) map.delete(key);
      assert.equal(map.size, 500);
      assert.equal(map.rank(String(2 * 250 + 1).padStart(7, "0") as ByteString), 250);
    }
  });
});
