import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Contender } from "./contender.ts";
import type { Generator, Measurement } from "./generator.ts";
import { type Point, titleOf, type WorkloadName } from "./plan.ts";
import { medianOf, ratioOf } from "./ratio.ts";
import { startTarget, type Target } from "./target.ts";

export interface ContestSettings {
  readonly seconds: number;
  readonly repeat: number;
  /** Keys of a contender that does not say how many. */
  readonly keys: number;
  readonly to: "all" | "leader";
  readonly isTls: boolean;
  /** Calls a second of the paced workload; half of what the last contender can do when absent. */
  readonly rate: number | undefined;
  readonly generator: Generator;
  /** Takes the data of all servers. */
  readonly folder: string;
}

/** The runs of every contender at one point: the n-th of each lay beside each other. */
export interface Result {
  readonly point: Point;
  readonly runs: ReadonlyMap<Contender, readonly Measurement[]>;
  /** Log entries per sync of the log in the runs of each that tells. */
  readonly entriesPerSync: ReadonlyMap<Contender, number>;
}

interface Server {
  readonly contender: Contender;
  readonly target: Target;
}

/** The clients that one asks for the top rate with. */
const TOP_RATE_CLIENTS = [100, 1_000];
const WARM_UP_CLIENTS = 100;
const WARM_UP_SECONDS_MAX = 1.5;

/** Measures all points, those of a group on the same servers, which are new for each; tells of each point as it is done. */
export async function contest(
  contenders: readonly Contender[],
  groups: readonly (readonly Point[])[],
  settings: ContestSettings,
): Promise<Result[]> {
  const results: Result[] = [];
  for (const [index, points] of groups.entries()) {
    const folder = join(settings.folder, String(index));
    results.push(...(await measureGroup(contenders, points, { ...settings, folder })));
    // Logs of gigabytes are not to pile up.
    rmSync(folder, { recursive: true, force: true });
  }
  return results;
}

async function measureGroup(
  contenders: readonly Contender[],
  points: readonly Point[],
  settings: ContestSettings,
): Promise<Result[]> {
  const servers: Server[] = [];
  const { generator, to, isTls } = settings;
  try {
    for (const [index, contender] of contenders.entries()) {
      const folder = join(settings.folder, String(index));
      const members = points[0]?.members ?? 1;
      const target = await startTarget(contender, { folder, members, to, isTls });
      servers.push({ contender, target });
      // Its answers are canned; it holds nothing.
      if (contender.kind !== "transport") await generator.preload(target, contender.keys ?? settings.keys);
    }
    for (const server of servers) await warmUp(server, points[0], settings);
    const results: Result[] = [];
    for (const point of points) results.push(await measurePoint(servers, point, settings));
    return results;
  } finally {
    await Promise.all(servers.map(({ target }) => target.kill()));
  }
}

/** A first run, not counted, lets what is hot be compiled. */
async function warmUp(
  { contender, target }: Server,
  point: Point | undefined,
  { generator, seconds, keys }: ContestSettings,
): Promise<void> {
  const workload = point?.workload === "put-paced" ? "put" : point?.workload;
  if (workload === undefined) return;
  await generator.measure(target, {
    ...{ workload, clients: WARM_UP_CLIENTS, keys: contender.keys ?? keys },
    seconds: Math.min(WARM_UP_SECONDS_MAX, seconds),
  });
}

async function measurePoint(
  servers: readonly Server[],
  point: Point,
  settings: ContestSettings,
): Promise<Result> {
  const isPaced = point.workload === "put-paced";
  const rate = isPaced ? (settings.rate ?? (await topRate(servers.at(-1), settings)) / 2) : undefined;
  const runs = new Map<Contender, Measurement[]>(servers.map(({ contender }) => [contender, []]));
  const run = async ({ contender, target }: Server): Promise<Measurement> => {
    await target.settle();
    return settings.generator.measure(target, {
      ...{ workload: point.workload, clients: point.clients, seconds: settings.seconds },
      keys: contender.keys ?? settings.keys,
      ...(rate === undefined ? {} : { rate }),
    });
  };
  const before = await Promise.all(servers.map(({ target }) => syncs(target)));
  for (let round = 0; round < settings.repeat; round++) {
    // Every other round the other way about: who comes second would else always find the machine the same way.
    for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
      runs.get(server.contender)?.push(await run(server));
    }
  }
  const after = await Promise.all(servers.map(({ target }) => syncs(target)));
  const entriesPerSync = new Map<Contender, number>();
  for (const [index, { contender }] of servers.entries()) {
    const [from, to] = [before[index], after[index]];
    if (from === undefined || to === undefined || to.count === from.count) continue;
    entriesPerSync.set(contender, (to.entries - from.entries) / (to.count - from.count));
  }
  say(point, runs, rate);
  return { point, runs, entriesPerSync };
}

/** Puts a second that a server can do at most. */
async function topRate(server: Server | undefined, settings: ContestSettings): Promise<number> {
  if (server === undefined) throw new Error("there is nobody to measure");
  const { target, contender } = server;
  const workload: WorkloadName = "put";
  const rates: number[] = [];
  for (const clients of TOP_RATE_CLIENTS) {
    const load = { workload, clients, seconds: settings.seconds, keys: contender.keys ?? settings.keys };
    rates.push((await settings.generator.measure(target, load)).perSecond);
  }
  return Math.max(...rates);
}

/** Log entries made durable and the syncs that did it, so far; nothing where no metric tells. */
async function syncs(target: Target): Promise<{ entries: number; count: number } | undefined> {
  const text = await target.metrics().catch(() => "");
  const read = (part: string): number | undefined => {
    const found = new RegExp(`^metastore_wal_entries_per_sync_${part} (\\S+)$`, "m").exec(text);
    return found === null ? undefined : Number(found[1]);
  };
  const [entries, count] = [read("sum"), read("count")];
  return entries === undefined || count === undefined ? undefined : { entries, count };
}

function say(
  point: Point,
  all: ReadonlyMap<Contender, readonly Measurement[]>,
  rate: number | undefined,
): void {
  const [first, ...others] = [...all];
  if (first === undefined) return;
  const [{ title }, runs] = first;
  const perSecond = medianOf(runs.map((run) => run.perSecond)).toFixed(0);
  const cpuUs = medianOf(runs.map((run) => run.cpuUs)).toFixed(0);
  const ratios = others.map(([other, otherRuns]) => {
    const throughput = ratioOf(runs, otherRuns, (run) => run.perSecond).median.toFixed(2);
    const cpu = ratioOf(runs, otherRuns, (run) => run.cpuUs).median.toFixed(2);
    return `, ${throughput} × ${other.title} (CPU ${cpu})`;
  });
  const paced = rate === undefined ? "" : ` at ${rate.toFixed(0)}/s`;
  console.log(
    `${titleOf(point)}${paced}, ${point.clients}: ${title} ${perSecond}/s, ${cpuUs} µs CPU${ratios.join("")}`,
  );
}
