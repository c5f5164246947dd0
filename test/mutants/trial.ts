import { relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import Mocha from "mocha";
import { runCoreWorld } from "../sim/core-world.ts";
import { InvariantBroken } from "../sim/tripwire.ts";
import { runWorld } from "../sim/world.ts";
import { runTraceFile, traceFilesBelow } from "../traces/trace-file.ts";
import type { TrialPlan } from "./trial-plan.ts";

/** What the process of a trial tells the one that started it. */
export type TrialReport =
  /** What it begins to do: told beforehand, for it may never end. */
  | { readonly kind: "trying"; readonly what: string }
  | { readonly kind: "killed"; readonly by: string; readonly why: string }
  | { readonly kind: "survived" }
  /** The mutant is no program, which says nothing of the tests. */
  | { readonly kind: "broken"; readonly why: string };

/** Virtual time with faults in each simulated world. */
const CORE_SAFETY_MS = 10_000;
const WORLD_SAFETY_MS = 15_000;
const TEST_TIMEOUT_MS = 20_000;

/** Who found a mutant, and what it said. */
interface Finding {
  readonly by: string;
  readonly why: string;
}

function say(report: TrialReport): void {
  process.send!(report);
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll(/\s+/g, " ").slice(0, 200);
}

function findByTraces(folders: readonly string[]): Finding | undefined {
  for (const folder of folders) {
    for (const path of traceFilesBelow(folder)) {
      const by = `trace ${relative(folder, path).replace(/\.txt$/, "")}`;
      say({ kind: "trying", what: by });
      const { difference } = runTraceFile(path);
      if (difference === undefined) continue;
      const { line, head } = difference.directive;
      return { by, why: `line ${line}: ${head[0]}` };
    }
  }
  return undefined;
}

/** Prints nothing: the process tells what there is to tell. */
class SilentReporter extends Mocha.reporters.Base {
  override epilogue(): void {}
}

/** Runs one file up to the first test that fails. */
async function findByTests(file: string): Promise<Finding | undefined> {
  const mocha = new Mocha({ bail: true, timeout: TEST_TIMEOUT_MS, reporter: SilentReporter });
  mocha.addFile(resolve(file));
  await mocha.loadFilesAsync();
  return await new Promise((done) => {
    let found: Finding | undefined;
    const name = file.replace(/^test\/(unit\/server\/)?/, "").replace(/\.test\.ts$/, ".test");
    const runner = mocha.run(() => done(found));
    runner.on("test", (test) => say({ kind: "trying", what: `${name}: ${test.fullTitle()}` }));
    runner.on("fail", (test, error) => {
      found ??= { by: `${name}: ${test.fullTitle()}`, why: reasonOf(error) };
    });
  });
}

async function findBySeeds(
  name: string,
  seeds: number,
  run: (seed: number) => Promise<unknown>,
): Promise<Finding | undefined> {
  for (let seed = 1; seed <= seeds; seed++) {
    const by = `${name}, seed ${seed}`;
    say({ kind: "trying", what: by });
    try {
      await run(seed);
    } catch (error) {
      return { by, why: error instanceof InvariantBroken ? error.message.split("\n")[0]! : reasonOf(error) };
    }
  }
  return undefined;
}

async function find({
  traceFolders,
  testFiles,
  coreSeeds,
  worldSeeds,
}: TrialPlan): Promise<Finding | undefined> {
  const traced = findByTraces(traceFolders);
  if (traced !== undefined) return traced;
  for (const file of testFiles) {
    const tested = await findByTests(file);
    if (tested !== undefined) return tested;
  }
  const core = (seed: number) => runCoreWorld({ seed, safetyMs: CORE_SAFETY_MS });
  const world = (seed: number) => runWorld({ seed, safetyMs: WORLD_SAFETY_MS });
  return (
    (await findBySeeds("simulator of the core", coreSeeds, core)) ??
    (await findBySeeds("simulator", worldSeeds, world))
  );
}

async function run(plan: TrialPlan): Promise<TrialReport> {
  if (plan.mutatedFile !== undefined) {
    try {
      await import(pathToFileURL(resolve(plan.mutatedFile)).href);
    } catch (error) {
      return { kind: "broken", why: reasonOf(error) };
    }
  }
  const found = await find(plan);
  if (found === undefined) return { kind: "survived" };
  // A name that is not defined is a slip in the mutant, not a rule that the tests know.
  if (/\bReferenceError\b/.test(found.why)) return { kind: "broken", why: found.why };
  return { kind: "killed", ...found };
}

process.once("message", (plan) => {
  run(plan as TrialPlan).then(
    (report) => process.send!(report, () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
