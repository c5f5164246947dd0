import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { type Area, breakRule, type Mutant } from "./mutant.ts";
import { sourceOf } from "./trial-plan.ts";

/** A copy of the tree in which rules are broken, one at a time. */
export class Sandbox {
  readonly root: string;

  /** Copies what the trials need of the tree at `origin`; its packages are shared. */
  constructor(origin: string) {
    this.root = mkdtempSync(join(tmpdir(), "metastore-mutants-"));
    const filter = (path: string): boolean => !path.split(sep).includes("node_modules");
    for (const name of ["src", "test", "proto", "package.json", "tsconfig.json"]) {
      cpSync(join(origin, name), join(this.root, name), { recursive: true, filter });
    }
    symlinkSync(join(origin, "node_modules"), join(this.root, "node_modules"));
  }

  /** Throws Error when the text to change is not there exactly once. */
  check(area: Area, mutant: Mutant): void {
    breakRule(mutant, readFileSync(join(this.root, sourceOf(area, mutant)), "utf8"));
  }

  /** Does `work` while the rule is broken. */
  async with<T>(area: Area, mutant: Mutant, work: () => Promise<T>): Promise<T> {
    const path = join(this.root, sourceOf(area, mutant));
    const whole = readFileSync(path, "utf8");
    writeFileSync(path, breakRule(mutant, whole));
    try {
      return await work();
    } finally {
      writeFileSync(path, whole);
    }
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
