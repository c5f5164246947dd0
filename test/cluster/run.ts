/**
 * The scenarios on clusters of real processes: npm run test:cluster [-- --only kill-leader,catch-up] [--short] [--seed 1]
 * [--server etcd] [--storage memory|rocksdb|mixed] [--keep]. Needs `npm run build`. CATCH_UP_ENTRIES changes the size of catch-up. Ends with the line
 * "N passed, N failed, N skipped".
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { storageOf } from "../harness/storages.ts";
import { scenarios } from "./scenarios/index.ts";
import type { ScenarioOptions, ScenarioResult } from "./scenarios/scenario.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string" },
    short: { type: "boolean", default: false },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    server: { type: "string", default: "metastore" },
    program: { type: "string" },
    storage: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});

async function main(): Promise<number> {
  const kind = flags.server === "etcd" ? "etcd" : "metastore";
  const wanted = flags.only?.split(",");
  const chosen = scenarios.filter(({ name }) => wanted?.includes(name) ?? true);
  const unknown = wanted?.filter((name) => scenarios.every((scenario) => scenario.name !== name)) ?? [];
  if (unknown.length > 0) throw new Error(`there is no scenario ${unknown.join(", ")}`);
  const folder = mkdtempSync(join(tmpdir(), "metastore-cluster-"));
  let failed = 0;
  console.log(`${kind}, seed ${flags.seed}${flags.short ? ", short" : ""}`);
  for (const { name, promise, run } of chosen) {
    console.log(`\n${name}: ${promise}`);
    const beganMs = performance.now();
    const scenarioFolder = join(folder, name);
    mkdirSync(scenarioFolder);
    let result: ScenarioResult;
    try {
      const options: ScenarioOptions = {
        ...{ kind, folder: scenarioFolder, seed: Number(flags.seed) },
        ...(flags.program === undefined ? {} : { program: flags.program }),
        ...(flags.storage === undefined ? {} : { storage: storageOf(flags.storage) }),
        say: (text: string) => console.log(`  ${text}`),
      };
      result = await run(options, flags.short);
    } catch (error) {
      result = { violations: [`broken: ${error instanceof Error ? error.stack : error}`], figures: {} };
    }
    for (const [title, figure] of Object.entries(result.figures)) console.log(`  ${title}: ${figure}`);
    for (const violation of result.violations.slice(0, 20)) console.log(`  VIOLATION: ${violation}`);
    if (result.violations.length > 20) console.log(`  and ${result.violations.length - 20} more`);
    const hasFailed = result.violations.length > 0;
    if (hasFailed) failed += 1;
    else if (!flags.keep) rmSync(scenarioFolder, { recursive: true, force: true });
    const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0);
    console.log(`  ${hasFailed ? "FAILED" : "passed"} after ${seconds} s`);
  }
  if (failed > 0 || flags.keep) console.log(`\ndata and logs are kept in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
  console.log(`\n${chosen.length - failed} passed, ${failed} failed, 0 skipped`);
  return failed === 0 ? 0 : 1;
}

// Not by running out of work: Node 20 then waits at times, spinning, for a request that it has lost.
process.exit(await main());
