/**
 * Breaks one rule after the other in a copy of the tree, and sees who notices: npm run test:mutants [-- --only 7,101]
 * [--area raft,node] [--public DIR] [--write]. `--public` adds etcd's public traces to ours; `--write` writes
 * docs/MUTANTS.md. Ends with 1 when a mutant survives that is not known to be equivalent, with 2 when the tree is
 * red without a mutant, with 64 when called wrongly.
 */
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeRun } from "./document.ts";
import { type Area, areas } from "./mutant.ts";
import { mutantsOf } from "./mutants.ts";
import { Sandbox } from "./sandbox.ts";
import { planTrial, seedsPlan, type TrialPlan, withoutSeeds } from "./trial-plan.ts";
import { abandonTrial, runTrial } from "./trial-process.ts";
import { describeScore, describeVerdict, judge, type Verdict } from "./verdict.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** The baseline of an area; then each mutant has this many times as long, and some more. */
const BASELINE_LIMIT_MS = 600_000;
const LIMIT_FACTOR = 3;
const LIMIT_EXTRA_MS = 30_000;

interface Options {
  readonly chosen: ReadonlyMap<Area, ReadonlySet<number>>;
  readonly publicTraces: string | undefined;
  readonly isWritten: boolean;
}

/** Throws Error when called wrongly. */
function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      area: { type: "string" },
      public: { type: "string" },
      write: { type: "boolean", default: false },
    },
  });
  const isPartial = values.only !== undefined || values.area !== undefined;
  if (values.write && isPartial) throw new Error("--write needs all mutants");
  const named = values.area?.split(",") ?? [...areas];
  for (const name of named) {
    if (!areas.includes(name as Area)) throw new Error(`there is no area ${name}: ${areas.join(", ")}`);
  }
  const wanted = values.only?.split(",").map(Number);
  const all = new Set(areas.flatMap((area) => mutantsOf[area].map(({ number }) => number)));
  for (const number of wanted ?? []) if (!all.has(number)) throw new Error(`there is no mutant ${number}`);
  const chosen = new Map<Area, ReadonlySet<number>>();
  for (const area of areas) {
    if (!named.includes(area)) continue;
    const numbers = mutantsOf[area].map(({ number }) => number);
    const left = numbers.filter((number) => wanted?.includes(number) ?? true);
    if (left.length > 0) chosen.set(area, new Set(left));
  }
  const publicTraces = values.public === undefined ? undefined : resolve(values.public);
  return { chosen, publicTraces, isWritten: values.write };
}

/** How long the plan takes on the tree as it is; undefined when it fails there. */
async function measure(sandbox: Sandbox, what: string, plan: TrialPlan): Promise<number | undefined> {
  const outcome = await runTrial(sandbox.root, plan, BASELINE_LIMIT_MS);
  const seconds = (outcome.tookMs / 1000).toFixed(1);
  if (outcome.kind === "survived") {
    console.log(`${what}: green without a mutant (${seconds} s)`);
    return outcome.tookMs;
  }
  const by = outcome.kind === "killed" ? `${outcome.by}\n    ` : "";
  console.log(`${what}: RED without a mutant (${seconds} s)\n    ${by}${outcome.why}`);
  return undefined;
}

/** Undefined when the area is red without any mutant. `seedsMs`: what the simulated worlds take. */
async function tryArea(
  sandbox: Sandbox,
  area: Area,
  { chosen, publicTraces }: Options,
  seedsMs: number,
): Promise<Verdict[] | undefined> {
  const plan = planTrial(sandbox.root, area, undefined, publicTraces);
  const baselineMs = await measure(sandbox, area, withoutSeeds(plan));
  if (baselineMs === undefined) return undefined;
  const limitMs = (baselineMs + seedsMs) * LIMIT_FACTOR + LIMIT_EXTRA_MS;
  const verdicts: Verdict[] = [];
  for (const mutant of mutantsOf[area].filter(({ number }) => chosen.get(area)?.has(number))) {
    const trial = planTrial(sandbox.root, area, mutant, publicTraces);
    const outcome = await sandbox.with(area, mutant, () => runTrial(sandbox.root, trial, limitMs));
    const verdict: Verdict = { area, mutant, outcome };
    console.log(describeVerdict(verdict));
    verdicts.push(verdict);
  }
  return verdicts;
}

async function main(options: Options): Promise<number> {
  const startMs = performance.now();
  const sandbox = new Sandbox(root);
  process.once("exit", () => {
    abandonTrial();
    sandbox.remove();
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  for (const area of options.chosen.keys()) {
    for (const mutant of mutantsOf[area]) sandbox.check(area, mutant);
  }
  const seedsMs = await measure(sandbox, "simulated worlds", seedsPlan);
  if (seedsMs === undefined) return 2;
  const verdicts: Verdict[] = [];
  for (const area of options.chosen.keys()) {
    const found = await tryArea(sandbox, area, options, seedsMs);
    if (found === undefined) return 2;
    verdicts.push(...found);
  }
  console.log(describeScore(verdicts));
  const tookMs = performance.now() - startMs;
  if (options.isWritten) writeFileSync(join(root, "docs", "MUTANTS.md"), describeRun(verdicts, tookMs));
  return verdicts.every((verdict) => ["killed", "equivalent"].includes(judge(verdict))) ? 0 : 1;
}

let options: Options | undefined;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 64;
}
if (options !== undefined) process.exitCode = await main(options);
