/**
 * Mixed faults on clusters of real processes: npm run chaos -- --minutes 5 --seed 1 [--server etcd] [--storage mixed] [--rounds 1]
 * [--seconds 50] [--size 3] [--clients 12] [--only kill,partition] [--canary] [--quiet]. Round n of seed s is seed s + n.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { storageOf } from "../harness/storages.ts";
import { type ChaosReport, chaosRound } from "./scenarios/chaos-round.ts";
import { ChaosTotals } from "./totals.ts";

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    rounds: { type: "string" },
    seconds: { type: "string", default: "50" },
    size: { type: "string" },
    clients: { type: "string" },
    only: { type: "string" },
    server: { type: "string", default: "metastore" },
    program: { type: "string" },
    storage: { type: "string" },
    "acknowledged-min": { type: "string" },
    canary: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
  },
});

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "metastore-chaos-"));
  const kind = flags.server === "etcd" ? "etcd" : "metastore";
  const endMs = performance.now() + Number(flags.minutes) * 60_000;
  const rounds = flags.rounds === undefined ? Number.POSITIVE_INFINITY : Number(flags.rounds);
  const totals = new ChaosTotals();
  // The last of an option given twice holds.
  const others = process.argv.slice(2);
  let isKept = flags.keep;
  const say = (text: string): void => {
    if (!flags.quiet) console.log(text);
  };
  for (let round = 0; round < rounds && performance.now() < endMs; round++) {
    const seed = Number(flags.seed) + round;
    const roundFolder = join(folder, `seed-${seed}`);
    mkdirSync(roundFolder);
    let report: ChaosReport | undefined;
    try {
      report = await chaosRound({
        ...{ kind, folder: roundFolder, seed, say, areReadsStale: flags.canary },
        seconds: Math.min(Number(flags.seconds), Math.max(5, (endMs - performance.now()) / 1_000)),
        ...(flags["acknowledged-min"] === undefined
          ? {}
          : { acknowledgedPerSecondMin: Number(flags["acknowledged-min"]) }),
        ...(flags.program === undefined ? {} : { program: flags.program }),
        ...(flags.storage === undefined ? {} : { storage: storageOf(flags.storage) }),
        ...(flags.size === undefined ? {} : { size: Number(flags.size) }),
        ...(flags.clients === undefined ? {} : { clients: Number(flags.clients) }),
        ...(flags.only === undefined ? {} : { only: flags.only.split(",") }),
      });
    } catch (error) {
      totals.broke(seed, error);
      isKept = true;
      console.log(`BROKEN seed ${seed}: ${error instanceof Error ? error.stack : error}`);
      continue;
    }
    totals.add(report);
    console.log(totals.line(report));
    for (const violation of report.violations.slice(0, 10))
      console.log(`VIOLATION seed ${seed}: ${violation}`);
    if (report.violations.length === 0) rmSync(roundFolder, { recursive: true, force: true });
    else {
      isKept = true;
      console.log(
        `again: npm run chaos -- ${[...others, "--rounds", "1", "--seed", String(seed)].join(" ")}`,
      );
    }
  }
  if (isKept) console.log(`data, logs and histories are kept in ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
  console.log(totals.summary().join("\n"));
  // The planted fault must be found.
  return totals.failedRounds > 0 === flags.canary ? 0 : 1;
}

// Clients of a round that broke may still be trying to connect.
process.exit(await main());
