import assert from "node:assert/strict";
import { sortTogether } from "../../../src/lib/merge-sort.ts";
import { createPrng } from "../../../src/lib/prng.ts";

const check = (keys: readonly string[]): void => {
  const sorted = sortTogether(
    [...keys],
    keys.map((key) => ({ of: key })),
  );
  assert.deepEqual(sorted.keys, keys.toSorted());
  assert.deepEqual(
    sorted.values.map((value) => value.of),
    sorted.keys,
  );
};

describe("sortTogether", () => {
  it("sorts keys, and keeps each value beside its key", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const prng = createPrng(seed);
      const keys = new Set<string>();
      for (let i = prng.below(300); i > 0; i--) {
        const length = prng.below(4);
        keys.add(Array.from({ length }, () => String.fromCharCode(prng.below(256))).join(""));
      }
      check([...keys]);
    }
  });

  it("takes what is sorted already, what is sorted the other way, and runs of any length", () => {
    const ascending = Array.from({ length: 1_000 }, (_, i) => `k${String(i).padStart(4, "0")}`);
    check([]);
    check(["one"]);
    check(ascending);
    check(ascending.toReversed());
    for (const run of [1, 2, 3, 100, 333, 999]) {
      const runs: string[] = [];
      for (let at = ascending.length; at > 0; at -= run)
        runs.push(...ascending.slice(Math.max(0, at - run), at));
      check(runs);
    }
  });
});
