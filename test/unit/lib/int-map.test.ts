import assert from "node:assert/strict";
import { getHeapSpaceStatistics } from "node:v8";
import { IntMap } from "../../../src/lib/int-map.ts";
import { createPrng } from "../../../src/lib/prng.ts";

describe("IntMap", () => {
  it("equals a Map after any sequence of changes", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const prng = createPrng(seed);
      const map = new IntMap<string>(prng.below(2 ** 32));
      const model = new Map<number, string>();
      const span = [10, 100, 5_000][seed % 3] as number;
      // Above 2^32 as well: sequence numbers grow for as long as a process lives.
      const base = seed % 2 === 0 ? 1 : 2 ** 40;
      for (let i = 0; i < 4_000; i++) {
        const key = base + prng.below(span);
        const [expected, hadIt] = [model.get(key), model.has(key)];
        assert.equal(map.get(key), expected, `seed ${seed}`);
        // Grows at first, shrinks at the end.
        if (prng.below(4_000) > i) {
          map.set(key, `${i}`);
          model.set(key, `${i}`);
        } else {
          assert.equal(map.delete(key), hadIt, `seed ${seed}`);
          model.delete(key);
        }
        assert.equal(map.size, model.size);
      }
      const sorted = [...model].sort(([left], [right]) => left - right);
      assert.deepEqual(map.entries(), sorted, `seed ${seed}`);
      assert.deepEqual(map.values().sort(), [...model.values()].sort(), `seed ${seed}`);
    }
  });

  it("finds all when keys follow each other and the oldest goes, as those of requests do", () => {
    const map = new IntMap<number>();
    map.set(1, 1);
    for (let key = 3; key < 20_001; key += 2) {
      map.set(key, key);
      if (key > 41) assert.equal(map.delete(key - 40), true);
      assert.equal(map.get(1), 1);
      assert.equal(map.get(key), key);
    }
    assert.equal(map.size, 21);
  });

  it("has its keys in places that only those can tell who know its secret", () => {
    const keys = Array.from({ length: 100 }, (_, i) => 2 * i + 1);
    const places = (secret: number): number[] => {
      const map = new IntMap<number>(secret);
      for (const key of keys) map.set(key, key);
      return map.values();
    };
    assert.deepEqual(places(7), places(7));
    assert.notDeepEqual(places(7), places(8));
  });

  it("does not keep what has left it, however old the map itself is", () => {
    const oldBytes = (): number => {
      const spaces = getHeapSpaceStatistics();
      return spaces.find(({ space_name }) => space_name === "old_space")!.space_used_size;
    };
    const text = (key: number): string => `${key}`.padStart(180, "x");
    const map = new IntMap<{ readonly text: string }>();
    for (let key = 1; key <= 10; key++) map.set(key, { text: text(key) });
    // The young part of the heap is collected some times meanwhile: what the map is made of grows old.
    const garbage = { text: "" };
    for (let i = 0; i < 400_000; i++) garbage.text = text(i);
    const before = oldBytes();
    let most = before;
    // 80 MB of requests, ten of them open at a time. With a Map of V8 the old part grows by 20 MB and more.
    for (let key = 11; key <= 400_000; key++) {
      map.set(key, { text: text(key) });
      map.delete(key - 10);
      if (key % 10_000 === 0) most = Math.max(most, oldBytes());
    }
    assert.ok(most - before < 8_000_000, `${most - before} bytes`);
  });

  it("has nothing left after clear, and takes all again", () => {
    const map = new IntMap<number>();
    for (let key = 1; key <= 1_000; key++) map.set(key, key);
    map.clear();
    assert.equal(map.size, 0);
    assert.equal(map.get(1), undefined);
    assert.deepEqual(map.entries(), []);
    map.set(7, 8);
    assert.deepEqual(map.entries(), [[7, 8]]);
  });
});
