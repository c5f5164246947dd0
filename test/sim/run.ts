import { fork } from "node:child_process";
import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { type Storage, storageOf } from "../harness/storages.ts";
import { FaultCounts } from "./fault-counts.ts";
import { plantedBugs } from "./planted.ts";
import { runWorld } from "./world.ts";

/**
 * npm run sim: whole clusters in one process, from a seed.
 *   --seed N      the first seed (1)
 *   --seeds N     how many, one after the other (1)
 *   --time T      virtual time with faults: 90s, 5m, 1h, or seconds (60s)
 *   --members N   members at the start; drawn from the seed without it
 *   --storage S   the engines of the members: memory, rocksdb (over a simulated database), or mixed (memory)
 *   --jobs N      processes that share the seeds (one per core, at most one per 10 seeds)
 *   --trace       prints every event and every log line of the members
 *   --planted     runs each planted bug until it is found, at most 200 seeds each
 * Ends with 1 when a seed failed or a planted bug was not found.
 */
const USAGE =
  "npm run sim -- [--seed N] [--seeds N] [--time T] [--members N] [--storage memory|rocksdb|mixed] [--jobs N] [--trace] [--planted]";
const PLANTED_SEEDS_MAX = 200;
const SEEDS_PER_JOB_MIN = 10;

interface Options {
  readonly seed: number;
  readonly seeds: number;
  readonly safetyMs: number;
  readonly members: number | undefined;
  readonly storage: Storage;
  readonly jobs: number;
  readonly isTraced: boolean;
  readonly isPlanted: boolean;
}

/** What a process tells of one seed. */
type Report =
  | { readonly seed: number; readonly failure: string }
  | {
      readonly seed: number;
      readonly failure: undefined;
      readonly traceHash: string;
      readonly virtualMs: number;
      readonly events: number;
      readonly counts: readonly [string, number][];
    };

function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: "1" },
      seeds: { type: "string", default: "1" },
      time: { type: "string", default: "60s" },
      members: { type: "string" },
      storage: { type: "string", default: "memory" },
      jobs: { type: "string" },
      trace: { type: "boolean", default: false },
      planted: { type: "boolean", default: false },
    },
  });
  const seeds = integer(values.seeds);
  const jobsMax = Math.max(1, Math.floor(seeds / SEEDS_PER_JOB_MIN));
  return {
    seed: integer(values.seed),
    seeds,
    safetyMs: duration(values.time),
    members: values.members === undefined ? undefined : integer(values.members),
    storage: storageOf(values.storage),
    jobs: values.jobs === undefined ? Math.min(jobsMax, availableParallelism()) : integer(values.jobs),
    isTraced: values.trace,
    isPlanted: values.planted,
  };
}

function integer(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new Error(`${text} is no number\n${USAGE}`);
  return value;
}

function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const unitsMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  if (match === null) throw new Error(`${text} is no duration\n${USAGE}`);
  return Number(match[1]) * unitsMs[match[2] ?? "s"]!;
}

/** The command that runs one seed again, as it was run. */
function replayCommand(seed: number, { safetyMs, members, storage }: Options): string {
  const rest =
    (members === undefined ? "" : ` --members ${members}`) +
    (storage === "memory" ? "" : ` --storage ${storage}`);
  return `npm run sim -- --seed ${seed} --time ${safetyMs / 1000}s${rest}`;
}

async function runSeed(seed: number, options: Options): Promise<Report> {
  const { safetyMs, members, storage, isTraced } = options;
  try {
    const onTrace = isTraced ? (line: string): void => console.log(line) : undefined;
    const { traceHash, virtualMs, events, counts } = await runWorld({
      ...{ seed, safetyMs, members, storage, onTrace },
    });
    return { seed, failure: undefined, traceHash, virtualMs, events, counts: counts.entries() };
  } catch (error) {
    return { seed, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Runs the seeds from `first` on in strides of `jobs`. */
async function runShare(options: Options, first: number, onReport: (report: Report) => void): Promise<void> {
  for (let i = first; i < options.seeds; i += options.jobs) {
    onReport(await runSeed(options.seed + i, options));
    // The world leaves the event loop no time, which the report needs to get out.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** All in one file of plain JavaScript: what the loader adds to every function costs a fifth of a long run. */
async function bundle(): Promise<string> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const outfile = join(root, "node_modules", ".cache", "metastore-sim", `run-${process.pid}.mjs`);
  await build({
    ...{ entryPoints: [fileURLToPath(import.meta.url)], outfile, bundle: true, packages: "external" },
    ...{ platform: "node", format: "esm", target: "node20", sourcemap: "inline", logLevel: "warning" },
  });
  return outfile;
}

function forkShare(program: string, first: number, onReport: (report: Report) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(program, process.argv.slice(2), {
      env: { ...process.env, METASTORE_SIM_SHARE: String(first) },
      execArgv: ["--enable-source-maps"],
    });
    child.on("message", (report) => onReport(report as Report));
    child.on("error", reject);
    child.on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a process of the simulation ended with ${code}`));
    });
  });
}

async function runSeeds(options: Options): Promise<boolean> {
  const total = new FaultCounts();
  const startMs = performance.now();
  let seeds = 0;
  let failed = 0;
  let virtualMs = 0;
  let events = 0;
  let lastHash = "";
  const onReport = (report: Report): void => {
    seeds++;
    if (report.failure !== undefined) {
      failed++;
      console.log(
        `seed ${report.seed} FAILED\n${report.failure}\nreplay: ${replayCommand(report.seed, options)}\n`,
      );
      return;
    }
    virtualMs += report.virtualMs;
    events += report.events;
    lastHash = report.traceHash;
    for (const [kind, count] of report.counts) total.add(kind, count);
    if (seeds % 50 === 0) console.log(`${seeds} of ${options.seeds} seeds, ${failed} failed`);
  };
  if (options.jobs === 1) await runShare(options, 0, onReport);
  else {
    const program = await bundle();
    try {
      await Promise.all(
        Array.from({ length: options.jobs }, (_, first) => forkShare(program, first, onReport)),
      );
    } finally {
      rmSync(program);
    }
  }
  const tookMs = performance.now() - startMs;
  const cpu = process.cpuUsage();
  const rows: [string, string][] = [
    ["seeds", `${seeds}, ${failed} failed`],
    ["virtual time", `${(virtualMs / 60_000).toFixed(1)} min`],
    ["events", String(events)],
    ...total.entries().map(([kind, count]): [string, string] => [kind, String(count)]),
    ["took", `${(tookMs / 1000).toFixed(1)} s on ${options.jobs} processes`],
  ];
  if (seeds === 1) rows.push(["trace hash", lastHash]);
  if (options.jobs === 1) rows.push(["CPU time", `${((cpu.user + cpu.system) / 1e6).toFixed(1)} s`]);
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) console.log(`${name.padEnd(width)}  ${value}`);
  return failed === 0;
}

/** Each planted bug must be found; the production code without it passes the same seeds (see above). */
async function runPlanted(options: Options): Promise<boolean> {
  let missed = 0;
  for (const { name, seams } of plantedBugs) {
    let found: string | undefined;
    let tried = 0;
    while (found === undefined && tried < PLANTED_SEEDS_MAX) {
      const seed = options.seed + tried++;
      const { safetyMs, members, storage } = options;
      await runWorld({ seed, safetyMs, members, storage, seams }).catch((error: Error) => {
        found = error.message.trim().split("\n")[0];
      });
    }
    if (found === undefined) missed++;
    console.log(
      `${found === undefined ? "MISSED" : "found "}  ${name}: ${tried} seeds; ${found ?? "nothing"}`,
    );
  }
  console.log(`${plantedBugs.length - missed} of ${plantedBugs.length} planted bugs found`);
  return missed === 0;
}

const options = parseOptions(process.argv.slice(2));
const share = process.env.METASTORE_SIM_SHARE;
if (share !== undefined) {
  await runShare(options, Number(share), (report) => process.send!(report));
  process.disconnect();
} else {
  const succeeded = options.isPlanted ? await runPlanted(options) : await runSeeds(options);
  process.exitCode = succeeded ? 0 : 1;
}
