import assert from "node:assert/strict";
import fc from "fast-check";
import { DynamicTable, NO_SLOT } from "../../../../../src/server/api/wire/dynamic-table.ts";

type Entry = readonly [name: string, value: string];

const sizeOf = ([name, value]: Entry): number => name.length + value.length + 32;
const sizeOfAll = (entries: readonly Entry[]): number =>
  entries.reduce((sum, entry) => sum + sizeOf(entry), 0);

function entriesOf(table: DynamicTable): Entry[] {
  return Array.from({ length: table.count }, (_, age) => {
    const slot = table.slotOf(age);
    assert.equal(table.sizeAt(slot), sizeOf([table.nameAt(slot), table.valueAt(slot)]));
    return [table.nameAt(slot), table.valueAt(slot)];
  });
}

describe("DynamicTable", () => {
  it("holds what a plain list would, after any insertions and sizes", () => {
    const text = fc.nat(60).map((length) => "x".repeat(length));
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.tuple(text, text) },
      { weight: 1, arbitrary: fc.nat(300) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new DynamicTable(300, 200);
        let model: Entry[] = [];
        let bytesMax = 200;
        for (const step of steps) {
          if (typeof step === "number") {
            bytesMax = step;
            table.resize(step);
          } else {
            model = [step, ...model];
            table.insert(...step);
          }
          while (sizeOfAll(model) > bytesMax) model = model.slice(0, -1);
          assert.deepEqual(entriesOf(table), model);
          assert.equal(table.sizeBytes, sizeOfAll(model));
          assert.equal(table.slotOf(model.length), NO_SLOT);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("is emptied by an entry larger than itself, and goes on", () => {
    const table = new DynamicTable(100, 100);
    table.insert("a", "1");
    table.insert("b", "2".repeat(68));
    assert.deepEqual(entriesOf(table), []);
    table.insert("c", "3".repeat(67));
    assert.deepEqual(entriesOf(table), [["c", "3".repeat(67)]]);
  });

  it("holds as many of the smallest entries as fit", () => {
    const table = new DynamicTable(4_096, 4_096);
    for (let i = 0; i < 1_000; i++) table.insert("", "");
    assert.equal(table.count, 128);
    assert.equal(table.sizeBytes, 4_096);
  });

  it("may have no room at all", () => {
    const table = new DynamicTable(0, 0);
    table.insert("a", "1");
    assert.equal(table.count, 0);
    assert.equal(table.slotOf(0), NO_SLOT);
  });
});
