import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Area, Mutant } from "./mutant.ts";

/** Who tries to find a mutant, the cheapest first. Paths below the root of the tree. */
export interface TrialPlan {
  /** Loaded before all else: a mutant that cannot be loaded proves nothing. */
  readonly mutatedFile: string | undefined;
  /** Folders of data-driven traces. */
  readonly traceFolders: readonly string[];
  /** Test files for mocha. */
  readonly testFiles: readonly string[];
  /** Simulated worlds: of the core alone, and of whole clusters. */
  readonly coreSeeds: number;
  readonly worldSeeds: number;
}

const OWN_TRACES = "test/scripts/raft";
/** The traces run on their own, before the tests. */
const TRACES_TEST = "traces.test.ts";
/** A member that crashes at one operation of its disk after the other. */
const CRASH_TEST = "test/sim/member-crash.test.ts";
const CORE_SEEDS = 60;
const WORLD_SEEDS = 25;

/** The plan for one mutant of `area`; without a mutant all that a mutant may meet. */
export function planTrial(
  root: string,
  area: Area,
  mutant: Mutant | undefined,
  publicTraces: string | undefined,
): TrialPlan {
  const tests = `test/unit/server/${area}`;
  const folder = readdirSync(join(root, tests))
    .filter((name) => name.endsWith(".test.ts") && name !== TRACES_TEST)
    .sort()
    .map((name) => `${tests}/${name}`);
  const first = mutant === undefined ? [] : [...(mutant.tests ?? []), mirrored(area, mutant)];
  const last = area === "node" || area === "storage" ? [CRASH_TEST] : [];
  const testFiles = [...new Set([...first, ...folder, ...last])].filter((file) =>
    existsSync(join(root, file)),
  );
  const publicFolders = publicTraces === undefined ? [] : [publicTraces];
  return {
    mutatedFile: mutant === undefined ? undefined : sourceOf(area, mutant),
    traceFolders: area === "raft" ? [OWN_TRACES, ...publicFolders] : [],
    testFiles,
    coreSeeds: area === "raft" ? CORE_SEEDS : 0,
    worldSeeds: WORLD_SEEDS,
  };
}

/** Of a plan, what is of its area alone; the simulated worlds are the same for all. */
export function withoutSeeds(plan: TrialPlan): TrialPlan {
  return { ...plan, coreSeeds: 0, worldSeeds: 0 };
}

export const seedsPlan: TrialPlan = {
  mutatedFile: undefined,
  traceFolders: [],
  testFiles: [],
  coreSeeds: CORE_SEEDS,
  worldSeeds: WORLD_SEEDS,
};

export function sourceOf(area: Area, { file }: Mutant): string {
  return `src/server/${area}/${file}`;
}

function mirrored(area: Area, { file }: Mutant): string {
  return `test/unit/server/${area}/${file.replace(/\.ts$/, ".test.ts")}`;
}
