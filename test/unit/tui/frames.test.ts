import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { render } from "ink-testing-library";
import { createElement } from "react";
import type { ClusterModel } from "../../../src/tui/cluster-model.ts";
import { Screen } from "../../../src/tui/screen/screen.tsx";
import { firstScreenState, type ScreenState } from "../../../src/tui/screen-state.ts";
import type { ScreenView } from "../../../src/tui/screen-store.ts";
import { textWidth } from "../../../src/tui/styled-line.ts";
import {
  healthy,
  histogram,
  member,
  metrics,
  modelOf,
  sample,
  silent,
  startWallMs,
  status,
} from "./samples.ts";

const folder = fileURLToPath(new URL("frames/", import.meta.url));
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences
const styleCodes = /\u001b\[[\d;]*m/g;

/** The screen as text: what Ink draws at this size. */
function frame(
  model: ClusterModel | undefined,
  columns: number,
  rows: number,
  change: Partial<ScreenView> = {},
): string {
  const atMs = model?.atMs ?? 10_000;
  const view: ScreenView = {
    model,
    state: firstScreenState,
    size: { columns, rows },
    now: { atMs, wallMs: startWallMs + atMs - 10_000 },
    nextSampleAtMs: atMs + 3_000,
    abilities: { canMoveLeader: true, canDisturb: false },
    ...change,
  };
  const screen = createElement(Screen, { view });
  const instance = render(screen);
  // The library's terminal always has 100 columns.
  Object.defineProperty(instance.stdout, "columns", { value: columns });
  instance.rerender(createElement(Screen, { view: { ...view } }));
  const drawn = (instance.lastFrame() ?? "").replaceAll(styleCodes, "");
  instance.unmount();
  return drawn;
}

/** Compares with the recorded frame; METASTORE_WRITE_FRAMES=1 records it anew. */
function matches(name: string, drawn: string): void {
  const path = join(folder, `${name}.txt`);
  const text = drawn
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
  if (process.env["METASTORE_WRITE_FRAMES"] === "1") {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, `${text}\n`);
  }
  assert.ok(existsSync(path), `${path} is missing: look at the frame and record it`);
  assert.equal(`${text}\n`, readFileSync(path, "utf8"));
}

/** A minute of a cluster under load, as in the picture of the specification: n3 has a slow disk, n4 is new. */
function busy(): ClusterModel {
  const steps = Array.from({ length: 40 }, (_, second) => {
    const wave = Math.round(Math.sin(second / 5) * 400);
    const index = 2_901_337 + second * 1_500;
    const latest = { index, applied: index, revision: 1_284_551 + second * 1_200 };
    const counters = metrics({
      puts: 1_000 + second * 1_204 + wave * 3,
      ranges: 5_000 + second * 2_803 - wave,
      txns: 100 + second * 310,
      fsync: histogram(10 * second, 20 * second, 0, 0),
      peerRoundTrip: histogram(50 * second, second, 0, 0),
    });
    return [
      member(1, { status: status(latest), metrics: counters }),
      member(2, { status: status({ ...latest, applied: index - 1 }), metrics: counters, answerMs: 1.9 }),
      member(3, {
        status: status({ ...latest, applied: index - 239 }),
        metrics: { ...counters, fsync: histogram(second, second, 10 * second, 3 * second) },
        answerMs: 48,
      }),
      member(4, {
        isLearner: true,
        answerMs: 2.4,
        metrics: counters,
        status: status({
          isLearner: true,
          index: index - 400_000 + second * 9_000,
          applied: index - 400_000 + second * 9_000,
        }),
      }),
    ];
  });
  return modelOf(...steps);
}

const lost = () => {
  const elected = status({ leaderId: "a2", term: 15 });
  return modelOf(healthy, [silent(1), member(2, { status: elected }), member(3, { status: elected })]);
};

describe("The screen", () => {
  for (const [columns, rows] of [
    [80, 24],
    [100, 30],
    [120, 40],
  ] as const) {
    it(`shows a busy cluster at ${columns}x${rows}`, () => {
      matches(`busy-${columns}x${rows}`, frame(busy(), columns, rows));
    });
    it(`shows a lost leader and the new one at ${columns}x${rows}`, () => {
      matches(`lost-${columns}x${rows}`, frame(lost(), columns, rows));
    });
  }

  it("shows the last picture and when it tries again while nobody answers", () => {
    matches("unreachable-80x24", frame(modelOf(healthy, [], []), 80, 24));
  });

  it("says that it connects before the first answer", () => {
    matches("connecting-80x24", frame(undefined, 80, 24));
  });

  it("has one line for each member below 80x20", () => {
    matches("compact-60x8", frame(lost(), 60, 8));
  });

  it("shows details, help and the question before leadership moves", () => {
    const show = (change: Partial<ScreenState>) =>
      frame(busy(), 80, 24, { state: { ...firstScreenState, selectedId: "a2", ...change } });
    matches("details-80x24", show({ view: "details" }));
    matches("help-80x24", show({ view: "help" }));
    const dialog = { targetId: "a2", targetName: "n2", typed: "n", complaint: "type n2 to confirm" };
    matches("dialog-80x24", show({ dialog: { ...dialog, phase: "typing" } }));
  });

  it("offers to kill and pause members in a playground alone", () => {
    assert.doesNotMatch(frame(busy(), 80, 24), /kill/);
    const abilities = { canMoveLeader: true, canDisturb: true };
    assert.match(frame(busy(), 80, 24, { abilities }), /x kill\/start +p pause/);
  });

  it("shows alarms, and as many as there is room for", () => {
    const errors = Array.from({ length: 6 }, (_, i) => `memberID:${0xb0 + i} alarm:CORRUPT`);
    const drawn = frame(modelOf([member(1, { status: status({ errors }) })]), 80, 24);
    assert.match(drawn, /✖ CORRUPT b0[\s\S]*✖ CORRUPT b1[\s\S]*and 4 more/);
  });

  it("scrolls to the selected one of more members than there is room for", () => {
    const many = modelOf(Array.from({ length: 20 }, (_, i) => member(i + 1)));
    const drawn = frame(many, 80, 24, { state: { ...firstScreenState, selectedId: "a20" } });
    assert.match(drawn, /Members 13 to 20 of 20/);
    assert.match(drawn, /▸ n20/);
  });

  it("fits any size without an error, a line too many or a line too wide", function () {
    this.timeout(20_000);
    const models = {
      none: undefined,
      busy: busy(),
      lost: lost(),
      empty: modelOf([]),
      unreachable: modelOf(healthy, []),
    };
    const names = Object.keys(models) as (keyof typeof models)[];
    const views = ["main", "help", "details"] as const;
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 140 }),
        fc.integer({ min: 0, max: 45 }),
        fc.constantFrom(...names),
        fc.constantFrom(...views),
        (columns, rows, name, view) => {
          const lines = frame(models[name], columns, rows, { state: { ...firstScreenState, view } }).split(
            "\n",
          );
          assert.ok(lines.length <= Math.max(1, rows), `${lines.length} lines`);
          for (const line of lines) assert.ok(textWidth(line) <= Math.max(1, columns), line);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("is drawn from the sample alone: names of members cannot break it", () => {
    const odd = [
      member(1, { name: "日本語の名前がとても長いサーバー" }),
      member(2, { name: "x".repeat(80) }),
    ];
    const lines = frame(modelOf(odd), 100, 30).split("\n");
    for (const line of lines) assert.ok(textWidth(line) <= 100, line);
    assert.equal(sample(0, odd).members.length, 2);
  });
});
