import assert from "node:assert/strict";
import { andThen, flatMap } from "../../../src/lib/eventual.ts";

describe("andThen", () => {
  it("goes on at once with a value that is there, and later with one that will be", async () => {
    assert.equal(
      andThen(1, (value) => value + 1),
      2,
    );
    const later = andThen(Promise.resolve(1), (value) => value + 1);
    assert.ok(later instanceof Promise);
    assert.equal(await later, 2);
    await assert.rejects(async () => andThen(Promise.reject(new Error("no")), () => 1), /no/);
  });
});

describe("flatMap", () => {
  const twice = (item: number): number[] => [item, item];

  it("of items that are there is there, in order, with the rest at the end", () => {
    const items = flatMap([1, 2], twice, () => [9]);
    assert.deepEqual([...(items as Iterable<number>)], [1, 1, 2, 2, 9]);
  });

  it("of items that come later comes later", async () => {
    const items = flatMap(later([1, 2]), twice, () => [9]);
    assert.ok(!(Symbol.iterator in items));
    const seen: number[] = [];
    for await (const item of items) seen.push(item);
    assert.deepEqual(seen, [1, 1, 2, 2, 9]);
  });

  it("given up in the middle, gives the items up", async () => {
    for (const source of [now, later]) {
      let isOver = false;
      for await (const _ of flatMap(
        source([1, 2], () => (isOver = true)),
        twice,
        () => [],
      ))
        break;
      assert.equal(isOver, true);
    }
  });
});

function* now(items: number[], onEnd = () => {}): Generator<number> {
  try {
    yield* items;
  } finally {
    onEnd();
  }
}

async function* later(items: number[], onEnd = () => {}): AsyncGenerator<number> {
  yield* now(items, onEnd);
}
