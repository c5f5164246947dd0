import assert from "node:assert/strict";
import fc from "fast-check";
import {
  bar,
  formatAge,
  formatClock,
  formatCount,
  formatMs,
  formatRate,
  formatShortCount,
  plainText,
  sparkline,
} from "../../../src/tui/format.ts";
import { fitLine, lineWidth, spread, textWidth, toWidth } from "../../../src/tui/styled-line.ts";
import { startWallMs } from "./samples.ts";

describe("Numbers on the screen", () => {
  it("are short and have their unit", () => {
    assert.equal(formatCount(2_901_337), "2,901,337");
    assert.deepEqual([0, 99_999, 291_333, 999_999, 12_345_678, 123_456_789].map(formatShortCount), [
      "0",
      "99,999",
      "291k",
      "1.0M",
      "12.3M",
      "123M",
    ]);
    assert.deepEqual([0, 0.42, 9.96, 1_204.4].map(formatRate), ["0", "0.4", "10", "1,204"]);
    assert.deepEqual([0.41, 9.96, 48.2, 999.6, 1_234].map(formatMs), [
      "0.4 ms",
      "10 ms",
      "48 ms",
      "1.0 s",
      "1.2 s",
    ]);
    assert.deepEqual([0, 99_000, 180_000, 7_200_000].map(formatAge), ["0 s", "99 s", "3 min", "2 h"]);
    assert.equal(formatClock(startWallMs), "16:24:07");
  });

  it("become bars between zero and the greatest, with blanks where nothing is known", () => {
    assert.equal(sparkline([0, 1, 4, 8], 4), "▁▁▄█");
    assert.equal(sparkline([8, undefined, 8], 5), "  █ █");
    assert.equal(sparkline([0, 0], 2), "▁▁");
    assert.equal(sparkline([1, 2, 3], 2), "▆█");
    assert.equal(sparkline([], 0), "");
  });

  it("fill a bar by their share, and no more than all of it", () => {
    assert.deepEqual(
      [0, 0.2, 1, 7, -1].map((share) => bar(share, 5)),
      ["░░░░░", "█░░░░", "█████", "█████", "░░░░░"],
    );
  });
});

describe("Text on the screen", () => {
  it("that others chose cannot command the terminal", () => {
    assert.equal(plainText("a\u001b[2Jb\nc\u202ed\u009be"), "a?[2Jb?c?d?e");
  });

  it("counts wide characters twice and combining ones not at all", () => {
    assert.deepEqual(["n1", "日本", "e\u0301", "● ▸ █ ✖", "🙂"].map(textWidth), [2, 4, 1, 7, 2]);
  });

  it("takes exactly the columns it is given, whatever it is", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 40 }).map(plainText);
    fc.assert(
      fc.property(
        text,
        fc.nat(50),
        fc.constantFrom("left" as const, "right" as const),
        (word, width, align) => {
          assert.equal(textWidth(toWidth(word, width, align)), width);
        },
      ),
    );
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), fc.nat(80), (words, width) => {
        const line = words.map((word) => ({ text: word }));
        assert.equal(lineWidth(fitLine(line, width)), width);
        assert.equal(lineWidth(spread(line, [{ text: "16:24:07" }], width)), width);
      }),
    );
  });

  it("is cut with an ellipsis", () => {
    assert.equal(toWidth("unreachable", 6), "unrea…");
    assert.equal(toWidth("日本語", 4), "日… ");
  });
});
