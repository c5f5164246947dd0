/**
 * npm run test:differential: the same random calls over two transports, and all that can be seen of them compared.
 *   --transport NAME  the transport under test (wire, or grpc-js against itself, which shows that the test is sound)
 *   --reference NAME  what it is held to (grpc-js)
 *   --calls N         how many (2000)
 *   --seed S          which (1); a failure names its seed and its number
 *   --planted         puts each planted fault around the transport in turn: every one must be found
 */
import { parseArgs } from "node:util";
import { printedPlan } from "./call-plan.ts";
import { type ComparisonReport, compareTransports, type UnequalCall } from "./comparison.ts";
import { honestDifferences } from "./honest-differences.ts";
import { plants } from "./planted.ts";
import { transportNamed, transports } from "./transports.ts";

const SHOWN_MAX = 20;
const last = Object.keys(transports).at(-1) ?? "grpc-js";

const { values: flags } = parseArgs({
  options: {
    transport: { type: "string", default: last },
    reference: { type: "string", default: "grpc-js" },
    calls: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    planted: { type: "boolean", default: false },
  },
});
const seed = Number(flags.seed);
const calls = Number(flags.calls);

async function main(): Promise<number> {
  const [reference, underTest] = [transportNamed(flags.reference), transportNamed(flags.transport)];
  if (flags.planted) return findPlants();
  const startedAt = performance.now();
  const options = { seed, calls, unequalKept: SHOWN_MAX, unequalMax: Number.POSITIVE_INFINITY };
  const report = await compareTransports(reference, underTest, options);
  for (const unequal of report.unequal) show(unequal);
  showCounts(report);
  const seconds = (performance.now() - startedAt) / 1_000;
  console.log(
    `${flags.transport} held to ${flags.reference}, seed ${seed}: ${(report.calls / seconds).toFixed(0)} calls/s`,
  );
  if (report.inVain > 0) console.log(`${report.inVain} calls waited in vain, on both sides`);
  console.log(`${report.calls - report.unequalCount} passed, ${report.unequalCount} failed`);
  return report.unequalCount === 0 ? 0 : 1;
}

async function findPlants(): Promise<number> {
  let missed = 0;
  const entries = Object.entries(plants);
  for (const [name, plant] of entries) {
    const report = await compareTransports(
      transportNamed(flags.reference),
      plant(transportNamed(flags.transport)),
      { seed, calls, unequalKept: 1, unequalMax: 1 },
    );
    const found = report.unequal[0];
    if (found === undefined) missed++;
    console.log(
      found === undefined
        ? `not ok  ${name}: not found in ${report.calls} calls of seed ${seed}`
        : `ok  ${name}: found by call ${found.number} (${found.plan.name}: ${found.differences[0]?.field})`,
    );
  }
  console.log(`${entries.length - missed} passed, ${missed} failed`);
  return missed === 0 ? 0 : 1;
}

function show({ number, plan, differences, left, right }: UnequalCall): void {
  console.log(`call ${number} of seed ${seed}: ${plan.name}`);
  console.log(`  ${printedPlan(plan)}`);
  for (const difference of differences) {
    console.log(
      `  ${difference.field}: ${flags.reference} ${short(difference.left)}, ${flags.transport} ${short(difference.right)}`,
    );
  }
  console.log(`  ${flags.reference}: ${short(JSON.stringify(left))}`);
  console.log(`  ${flags.transport}: ${short(JSON.stringify(right))}`);
  console.log(
    `  repeat: npm run test:differential -- --transport ${flags.transport} --seed ${seed} --calls ${number + 1}`,
  );
}

function short(text: string): string {
  return text.length > 1_500 ? `${text.slice(0, 1_500)}…` : text;
}

function showCounts(report: ComparisonReport): void {
  const names = [...report.names].sort(([, a], [, b]) => b - a).map(([name, count]) => `${name} ${count}`);
  console.log(`calls by kind: ${names.join(", ")}`);
  for (const entry of honestDifferences) {
    const count = report.covered.get(entry) ?? 0;
    console.log(`meant to differ, ${count} times: ${entry.field} of ${entry.plan}: ${entry.reason}`);
  }
}

process.exitCode = await main();
