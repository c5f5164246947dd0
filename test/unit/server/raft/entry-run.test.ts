import assert from "node:assert/strict";
import fc from "fast-check";
import { EntryRun, entriesBytes, entryBytes, payloadBytes } from "../../../../src/server/raft/entry-run.ts";
import { type Entry, entryType } from "../../../../src/server/raft/index.ts";

function entry(index: number, bytes = 4): Entry {
  return { term: 1, index, type: entryType.normal, data: new Uint8Array(bytes) };
}

const action = fc.oneof(
  fc.record({ kind: fc.constant("push" as const), count: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ kind: fc.constant("drop" as const), count: fc.nat(200) }),
  fc.record({ kind: fc.constant("cut" as const), count: fc.nat(200) }),
  fc.record({ kind: fc.constant("reset" as const), count: fc.nat(1_000) }),
);

describe("A run of entries", () => {
  it("holds what a plain array would, whatever is added, dropped and cut", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const run = new EntryRun(1);
        let first = 1;
        let model: Entry[] = [];
        for (const { kind, count } of actions) {
          if (kind === "push") {
            for (let i = 0; i < count; i++) {
              const added = entry(first + model.length);
              run.push(added);
              model.push(added);
            }
          } else if (kind === "drop") {
            const dropped = Math.min(count, model.length);
            run.dropThrough(first + dropped - 1);
            model = model.slice(dropped);
            first += dropped;
          } else if (kind === "cut") {
            const kept = Math.min(count, model.length + 1);
            run.cutFrom(first + kept);
            model = model.slice(0, kept);
          } else {
            run.reset(count + 1);
            first = count + 1;
            model = [];
          }
          assert.deepEqual(
            [run.firstIndex, run.length, run.endIndex],
            [first, model.length, first + model.length],
          );
          assert.deepEqual(run.slice(first, first + model.length, Number.POSITIVE_INFINITY), model);
          assert.deepEqual(
            [run.at(first - 1), run.at(first), run.at(run.endIndex)],
            [undefined, model[0], undefined],
          );
        }
      }),
    );
  });

  it("hands out copies that stay as they were", () => {
    const run = new EntryRun(1);
    for (let i = 1; i <= 5; i++) run.push(entry(i));
    const slice = run.slice(2, 5, Number.POSITIVE_INFINITY);
    run.dropThrough(3);
    run.cutFrom(4);
    assert.deepEqual(
      slice.map(({ index }) => index),
      [2, 3, 4],
    );
  });

  it("limits a slice by bytes, with at least one entry, and none of an empty range", () => {
    const run = new EntryRun(1);
    for (let i = 1; i <= 5; i++) run.push(entry(i));
    const each = entryBytes(entry(1));
    for (const [bytes, count] of [
      [0, 1],
      [each, 1],
      [2 * each - 1, 1],
      [2 * each, 2],
      [100 * each, 4],
    ] as const) {
      assert.equal(run.slice(2, 6, bytes).length, count);
    }
    assert.deepEqual(run.slice(2, 2, 100), []);
  });

  it("weighs an entry by its data and a fixed share, its payload by its data alone", () => {
    const entries = [entry(1, 0), entry(2, 10)];
    assert.deepEqual([entriesBytes(entries), payloadBytes(entries)], [42, 10]);
  });
});
