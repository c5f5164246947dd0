import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { areas, breakRule } from "../../mutants/mutant.ts";
import { mutantsOf } from "../../mutants/mutants.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

describe("Every mutant", () => {
  for (const area of areas) {
    for (const mutant of mutantsOf[area]) {
      it(`changes one place, to code that can be read: ${mutant.number} ${mutant.rule}`, () => {
        const path = join(root, "src", "server", area, mutant.file);
        const text = readFileSync(path, "utf8");
        const broken = breakRule(mutant, text);
        assert.notEqual(broken, text);
        const { diagnostics = [] } = ts.transpileModule(broken, {
          fileName: path,
          reportDiagnostics: true,
          compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
        });
        assert.deepEqual(
          diagnostics.map(({ messageText }) => messageText),
          [],
        );
        for (const test of mutant.tests ?? []) assert.ok(existsSync(join(root, test)), `there is no ${test}`);
      });
    }
  }

  it("has a number of its own", () => {
    const numbers = areas.flatMap((area) => mutantsOf[area].map(({ number }) => number));
    assert.equal(new Set(numbers).size, numbers.length);
  });

  it("is refused when the text that it changes is not there, or is there twice", () => {
    const mutant = { number: 1, rule: "", file: "a.ts", from: "ab", to: "c" };
    assert.equal(breakRule(mutant, "xabx"), "xcx");
    assert.throws(() => breakRule(mutant, "x"), /mutant 1: its text stands 0 times in a\.ts/);
    assert.throws(() => breakRule(mutant, "abab"), /stands 2 times/);
  });
});
