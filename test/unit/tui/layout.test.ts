import assert from "node:assert/strict";
import fc from "fast-check";
import { layoutOf, windowOf } from "../../../src/tui/layout.ts";
import { divide, rule, sideBySide, uprights } from "../../../src/tui/panels/rule.ts";
import { lineWidth } from "../../../src/tui/styled-line.ts";

describe("The layout", () => {
  it("gives every row of the terminal to some part, for any size and any number of members", () => {
    const size = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 120 }), fc.nat(20));
    fc.assert(
      fc.property(size, ([columns, rows, members]) => {
        const layout = layoutOf(columns, rows, members);
        if (layout.kind === "compact") {
          assert.ok(columns < 80 || rows < 20);
          return;
        }
        const { memberRows, chartRows, spaceRows, memberChartRows, eventRows } = layout;
        const memberCharts = memberChartRows === 0 ? 0 : memberChartRows + 1;
        assert.equal(8 + memberRows + chartRows + spaceRows + memberCharts + eventRows, rows);
        assert.ok(memberRows >= 1 && eventRows >= 2);
      }),
    );
  });

  it("shows the part of a list in which the selected one is", () => {
    assert.deepEqual(windowOf(3, 5, 2), { from: 0, to: 3 });
    assert.deepEqual(windowOf(10, 4, 9), { from: 6, to: 10 });
    assert.deepEqual(windowOf(10, 4, 0), { from: 0, to: 4 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(),
        (count, rows, at) => {
          const selected = at % count;
          const { from, to } = windowOf(count, rows, selected);
          assert.ok(from <= selected && selected < to && to - from <= rows && to <= count);
        },
      ),
    );
  });
});

describe("Rules and panels", () => {
  const text = (line: ReturnType<typeof rule>) => line.map((segment) => segment.text).join("");

  it("have titles, and joints where uprights meet them", () => {
    const line = rule({
      width: 24,
      ends: ["├", "┤"],
      above: [20],
      below: [12, 20],
      titles: [
        { at: 0, text: "Left" },
        { at: 12, text: "Mid" },
      ],
    });
    assert.equal(text(line), "├ Left ─────┬ Mid ──┼──┤");
  });

  it("leave a title out that there is no room for", () => {
    assert.equal(
      text(rule({ width: 6, ends: ["┌", "┐"], above: [], below: [], titles: [{ at: 0, text: "Members" }] })),
      "┌────┐",
    );
  });

  it("fill the width of the frame exactly, and the uprights stand where the rules have their joints", () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 200 }), (width) => {
        const widths = divide(width, [0.42, 0.3, 0.28]);
        const [line] = sideBySide(
          widths.map((each) => ({ width: each, lines: [] })),
          1,
        );
        assert.equal(lineWidth(line!), width);
        const drawn = text(line!);
        for (const at of uprights(widths)) assert.equal(drawn[at], "│");
      }),
    );
  });
});
