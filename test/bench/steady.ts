/**
 * An hour of steady load: npm run bench:steady -- [--minutes 60] [--share 0.7] [--clients 100] [--keys 100000]
 * [--storage memory] [--server etcd]. Measures how many puts a second the server takes at most, then puts a share of that
 * for the time given, a minute at a time, and prints resident memory for each ten minutes, by how much that moved after
 * the first ten, the longest call, how far the schedule fell behind, and each minute in which it did by over a second, with
 * what a put cost in CPU, how fast the machine was and what its host kept from it. Of history a number of revisions is
 * kept: all of it would grow with every put, and that of a time whenever puts that had to wait come together (etcd looks at
 * revisions every five minutes only, and keeps ten seconds). Needs Go, for paced puts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ServerProcess } from "../harness/index.ts";
import { mebibytes, QUOTA_FLAGS, quantile, say } from "./disk-load.ts";
import { Generator, type Measurement, unwatched } from "./generator.ts";
import { hashMs, stolenMs } from "./machine.ts";
import { type Spread, spreadOf } from "./ratio.ts";

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    share: { type: "string", default: "0.7" },
    clients: { type: "string", default: "100" },
    keys: { type: "string", default: "100000" },
    storage: { type: "string", default: "memory" },
    server: { type: "string", default: "metastore" },
  },
});

const REVISIONS_KEPT = 100_000;
const COMPACTION_FLAGS = {
  metastore: ["--auto-compaction-mode", "revision", "--auto-compaction-retention", String(REVISIONS_KEPT)],
  etcd: ["--auto-compaction-mode", "periodic", "--auto-compaction-retention", "10s"],
} as const;
const WARM_UP_SECONDS = 10;
const TOP_SECONDS = 30;
/** No call is to take longer, and none to be answered later after the moment when it was due. */
const SLOW_US = 1_000_000;
const SAMPLE_MS = 1_000;
const SAMPLES_PER_MINUTE = 60;
/** What memory may take to become what it will be, and the spans it is looked at in. */
const SETTLING_MINUTES = 10;

async function main(): Promise<void> {
  const [minutes, clients, keys] = [flags.minutes, flags.clients, flags.keys].map(Number) as [
    number,
    number,
    number,
  ];
  const folder = mkdtempSync(join(tmpdir(), "metastore-steady-"));
  const generator = Generator.prepare(folder);
  const kind = flags.server === "etcd" ? "etcd" : "metastore";
  const storage = kind === "etcd" ? [] : ["--storage", flags.storage];
  const server = await ServerProcess.start({
    kind,
    folder,
    flags: [...storage, ...QUOTA_FLAGS, ...COMPACTION_FLAGS[kind]],
  });
  console.log(
    `${[kind, ...storage.slice(1)].join(", ")}: puts of ${keys} keys by ${clients} clients; load by ${generator.title}`,
  );
  try {
    const target = unwatched(server);
    const load = { workload: "put", clients, keys } as const;
    await generator.preload(target, keys);
    await generator.measure(target, { ...load, seconds: WARM_UP_SECONDS });
    const top = await generator.measure(target, { ...load, seconds: TOP_SECONDS });
    const rate = Math.floor(Number(flags.share) * top.perSecond);
    say("puts a second at most", top.perSecond.toFixed(0));
    say("puts a second from now on", String(rate));
    const residents: number[] = [];
    const sampling = setInterval(() => residents.push(server.usage().residentBytes), SAMPLE_MS);
    const steady: Measurement[] = [];
    const speeds = [hashMs()];
    say("the machine before it", `100 MiB hashed in ${speeds[0]!.toFixed(0)} ms`);
    try {
      while (steady.length < minutes) {
        const stolenBeforeMs = stolenMs();
        steady.push(await generator.measure(target, { ...load, rate, seconds: 60 }));
        const stolenAfterMs = stolenMs();
        const isTold = stolenBeforeMs !== undefined && stolenAfterMs !== undefined;
        speeds.push(hashMs());
        sayIfSlow(steady.length, steady.at(-1)!, {
          hashMs: speeds.at(-1)!,
          stolenMs: isTold ? stolenAfterMs - stolenBeforeMs : undefined,
        });
      }
    } finally {
      clearInterval(sampling);
    }
    printResident(residents);
    printPuts(steady);
    const speed = spreadOf(speeds);
    const range = `${speed.min.toFixed(0)} to ${speed.max.toFixed(0)}`;
    say("the machine", `100 MiB hashed in ${speed.median.toFixed(0)} ms (${range})`);
    await server.stop();
  } finally {
    await server.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

const ms = (us: number): string => `${(us / 1_000).toFixed(1)} ms`;

function sayIfSlow(
  minute: number,
  { p99Us, maxUs, callMaxUs, cpuUs }: Measurement,
  machine: { readonly hashMs: number; readonly stolenMs: number | undefined },
): void {
  if (maxUs <= SLOW_US) return;
  const late = `late by ${ms(p99Us)} at p99, by ${ms(maxUs)} at most`;
  const taken = `${late}, the longest call ${ms(callMaxUs)}; ${cpuUs.toFixed(1)} µs of CPU a put`;
  const stolen = machine.stolenMs === undefined ? "unknown" : `${machine.stolenMs.toFixed(0)} ms`;
  const speed = `100 MiB hashed in ${machine.hashMs.toFixed(0)} ms, stolen by the host: ${stolen}`;
  say(`minute ${minute}`, `${taken}; ${speed}`);
}

function printPuts(minutes: readonly Measurement[]): void {
  const sum = (pick: (minute: Measurement) => number): number =>
    minutes.reduce((total, minute) => total + pick(minute), 0);
  const of = (pick: (minute: Measurement) => number): Spread => spreadOf(minutes.map(pick));
  const [p50, p99, cpu] = [of((run) => run.p50Us), of((run) => run.p99Us), of((run) => run.cpuUs)];
  say("puts", `${sum(({ count }) => count)}, ${sum(({ errors }) => errors)} failed`);
  const overASecond = (figures: readonly number[]): string =>
    `over a second in ${figures.filter((us) => us > SLOW_US).length} minutes`;
  const [calls, answers] = [minutes.map((run) => run.callMaxUs), minutes.map((run) => run.maxUs)];
  say("the longest call", `${ms(Math.max(...calls))}; ${overASecond(calls)}`);
  say("counted from when a put was due:", "");
  say("  p50 of the minutes", `${ms(p50.median)} (${ms(p50.min)} to ${ms(p50.max)})`);
  say("  p99 of the minutes", `${ms(p99.median)} (${ms(p99.min)} to ${ms(p99.max)})`);
  say("  the latest answer", `${ms(Math.max(...answers))}; ${overASecond(answers)}`);
  const range = `${cpu.min.toFixed(1)} to ${cpu.max.toFixed(1)}`;
  say("CPU of the server", `${cpu.median.toFixed(1)} µs a put (${range})`);
}

/**
 * Memory goes up until V8 marks the heap, several times a minute, and back then: medians of ten minutes, over many such
 * rounds, tell whether it grows, and those of minutes how far it goes up and down.
 */
function printResident(samples: readonly number[]): void {
  const spans = mediansOf(samples, SETTLING_MINUTES * SAMPLES_PER_MINUTE);
  for (const [span, bytes] of spans.entries()) {
    const from = span * SETTLING_MINUTES;
    say(`resident, minutes ${from + 1} to ${from + SETTLING_MINUTES}`, mebibytes(bytes));
  }
  const [first] = spans.slice(1);
  if (first === undefined) return;
  const percent = (bytes: number): string => `${(100 * (bytes / first - 1)).toFixed(1)} %`;
  const range = (medians: readonly number[]): string =>
    `${percent(Math.min(...medians))} to ${percent(Math.max(...medians))}`;
  say("against the first after the settling", `${range(spans.slice(1))}, the last ${percent(spans.at(-1)!)}`);
  say("  single minutes", range(mediansOf(samples, SAMPLES_PER_MINUTE).slice(SETTLING_MINUTES)));
}

/** Medians of so many samples each; what is left at the end is left out. */
function mediansOf(samples: readonly number[], count: number): number[] {
  const medians: number[] = [];
  for (let from = 0; from + count <= samples.length; from += count) {
    const part = samples.slice(from, from + count).sort((left, right) => left - right);
    medians.push(quantile(part, 0.5));
  }
  return medians;
}

await main();
