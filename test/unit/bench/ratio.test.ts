import assert from "node:assert/strict";
import fc from "fast-check";
import { medianOf, ratioOf, sideOf, spreadOf, spreadText } from "../../bench/ratio.ts";

const same = (run: number): number => run;

describe("Ratios of a bench", () => {
  it("are told by the middle one, or half-way between the middle two", () => {
    assert.equal(medianOf([9, 1, 5]), 5);
    assert.equal(medianOf([9, 1, 5, 7]), 6);
    assert.deepEqual(spreadOf([3]), { median: 3, min: 3, max: 3 });
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const { median, min, max } = spreadOf(values);
        assert.equal(min, Math.min(...values));
        assert.equal(max, Math.max(...values));
        const below = values.filter((value) => value < median).length;
        const above = values.filter((value) => value > median).length;
        assert.ok(Math.max(below, above) <= values.length / 2);
      }),
    );
  });

  it("are those of runs beside each other, not of medians", () => {
    // The machine was half as fast for the second repetition of both.
    assert.deepEqual(ratioOf([100, 50], [50, 25], same), { median: 2, min: 2, max: 2 });
    assert.deepEqual(ratioOf([100, 30], [50, 30], same), { median: 1.5, min: 1, max: 2 });
  });

  it("lie on a side only when all repetitions do", () => {
    assert.equal(sideOf(spreadOf([1.1, 1.2])), "above");
    assert.equal(sideOf(spreadOf([0.8, 0.9])), "below");
    assert.equal(sideOf(spreadOf([0.9, 1.3])), "same");
    assert.equal(sideOf(spreadOf([1, 1.3])), "same");
  });

  it("are printed with their spread, where there is one", () => {
    assert.equal(spreadText(spreadOf([1.234, 2, 3])), "2.00 (1.23..3.00)");
    assert.equal(spreadText(spreadOf([2])), "2.00");
  });
});
