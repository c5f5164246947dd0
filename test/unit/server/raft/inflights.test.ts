import assert from "node:assert/strict";
import fc from "fast-check";
import { Inflights } from "../../../../src/server/raft/inflights.ts";

describe("The appends on their way to a peer", () => {
  it("are as many as were added and not freed, oldest first", () => {
    const action = fc.record({ free: fc.boolean(), amount: fc.nat(100) });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 300, size: "max" }), (actions) => {
        const inflights = new Inflights(150, 5_000);
        let model: { index: number; bytes: number }[] = [];
        let last = 0;
        for (const { free, amount } of actions) {
          const bytes = () => model.reduce((sum, append) => sum + append.bytes, 0);
          if (free) {
            const index = (model[0]?.index ?? 0) + amount;
            inflights.freeThrough(index);
            model = model.filter((append) => append.index > index);
          } else if (!inflights.isFull) {
            last += 1 + (amount % 3);
            inflights.add(last, amount);
            model.push({ index: last, bytes: amount });
          }
          assert.equal(inflights.count, model.length);
          assert.equal(inflights.isFull, model.length >= 150 || bytes() >= 5_000);
        }
      }),
    );
  });

  it("are limited by count, and by bytes so that one append may cross the limit", () => {
    const inflights = new Inflights(2, 100);
    inflights.add(1, 99);
    assert.equal(inflights.isFull, false);
    inflights.add(2, 1_000);
    assert.equal(inflights.isFull, true);
    assert.throws(() => inflights.add(3, 1), /Full inflights/);
    inflights.freeThrough(1);
    assert.deepEqual([inflights.count, inflights.isFull], [1, true], "by bytes");
    inflights.freeThrough(2);
    inflights.add(3, 1);
    inflights.add(4, 1);
    assert.equal(inflights.isFull, true, "by count");
    inflights.clear();
    assert.deepEqual([inflights.count, inflights.isFull], [0, false]);
  });

  it("are freed up to an index that none of them ends at", () => {
    const inflights = new Inflights(300, Number.POSITIVE_INFINITY);
    for (let i = 1; i <= 200; i++) inflights.add(i * 10, 1);
    inflights.freeThrough(5);
    assert.equal(inflights.count, 200);
    inflights.freeThrough(1_005);
    assert.equal(inflights.count, 100);
    inflights.freeThrough(1_010);
    assert.equal(inflights.count, 99);
  });
});
