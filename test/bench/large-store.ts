/**
 * A store larger than memory: npm run bench:large -- [--keys 10000000] [--storage rocksdb] [--server etcd]
 * [--seconds 60] [--writes 2000] [--folder DIR]. Loads keys of 24 bytes with values of 256, restarts the server,
 * then reads while writes go on, and prints memory, time to ready, latencies and the lag of the event loop. --folder
 * keeps the data, and a folder that has some already is used as it is. Needs Go, for the load generator.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ServerProcess } from "../harness/index.ts";
import { mebibytes, QUOTA_FLAGS, say } from "./disk-load.ts";
import { Generator, type Load, type Measurement, unwatched } from "./generator.ts";

const { values: flags } = parseArgs({
  options: {
    keys: { type: "string", default: "10000000" },
    storage: { type: "string", default: "rocksdb" },
    server: { type: "string", default: "metastore" },
    seconds: { type: "string", default: "60" },
    writes: { type: "string", default: "2000" },
    folder: { type: "string" },
  },
});

/** With the "bench/" before them, 24 bytes. */
const KEY_DIGITS = 18;
const LAG_WINDOW_MS = 31_000;
/** What is hot is compiled before. */
const WARM_UP_SECONDS = 5;
/** Writes that may be under way at once. */
const WRITERS = 100;
/** Between an answer and the next call of a reader. */
const PAUSE_MS = 5;

async function main(): Promise<void> {
  const kind = flags.server === "etcd" ? "etcd" : "metastore";
  const keys = Number(flags.keys);
  const folder = flags.folder ?? mkdtempSync(join(tmpdir(), "metastore-large-"));
  const isLoaded = existsSync(join(folder, "data"));
  const storage = kind === "metastore" ? ["--storage", flags.storage] : [];
  const server = await ServerProcess.prepare({
    kind,
    folder,
    flags: [...storage, ...QUOTA_FLAGS],
  });
  const generator = Generator.prepare(folder);
  const title = kind === "etcd" ? "etcd" : `metastore, ${flags.storage}`;
  console.log(
    `${title}: ${keys} keys of 24 bytes with 256-byte values, in ${isLoaded ? "the folder" : "a new store"}; load by ${generator.title}`,
  );
  try {
    server.spawn();
    say("ready at first", `${(await server.ready(600_000)).toFixed(0)} ms`);
    if (!isLoaded) await load(server, generator, keys);
    say("resident after the load", mebibytes(server.usage().residentBytes));
    await server.stop();
    server.spawn();
    say("restart to ready", `${(await server.ready(600_000)).toFixed(0)} ms`);
    say("resident after the restart", mebibytes(server.usage().residentBytes));
    await readUnderWrites(server, generator, keys, WARM_UP_SECONDS);
    if (kind === "metastore") {
      // The lag is told of the last half minute or more: what was before is not to count.
      await sleep(LAG_WINDOW_MS);
      await server.metrics();
    }
    const lag = watchLag(kind === "metastore" ? server : undefined);
    const measured = await readUnderWrites(server, generator, keys, Number(flags.seconds)).finally(lag);
    for (const [what, { perSecond, p50Us, p99Us, maxUs, count, errors }] of measured) {
      const ms = (us: number): string => `${(us / 1_000).toFixed(1)} ms`;
      const pace = `${count} in all, ${perSecond.toFixed(0)} a second, ${errors} failed`;
      say(what, `p50 ${ms(p50Us)}, p99 ${ms(p99Us)}, at most ${ms(maxUs)}; ${pace}`);
    }
    if (kind === "metastore") say("event loop late by at most", `${(await lag()).toFixed(0)} ms`);
    say("resident at the end", mebibytes(server.usage().residentBytes));
    await server.stop();
  } finally {
    await server.kill();
    if (flags.folder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

async function load(server: ServerProcess, generator: Generator, keys: number): Promise<void> {
  let residentMax = 0;
  const watching = setInterval(() => {
    residentMax = Math.max(residentMax, server.usage().residentBytes);
  }, 1_000);
  const beganMs = performance.now();
  try {
    await generator.preload(unwatched(server), keys, KEY_DIGITS);
  } finally {
    clearInterval(watching);
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  say("loaded", `${keys} keys in ${seconds.toFixed(0)} s, ${(keys / seconds).toFixed(0)} a second`);
  say("resident at most", mebibytes(residentMax));
}

/** One reader of each kind and the writes, at the same time; each measured by a generator of its own. */
async function readUnderWrites(
  server: ServerProcess,
  generator: Generator,
  keys: number,
  seconds: number,
): Promise<readonly (readonly [string, Measurement])[]> {
  const reader = { clients: 1, pauseMs: PAUSE_MS };
  const loads: readonly (readonly [string, Pick<Load, "workload" | "clients" | "rate" | "pauseMs">])[] = [
    ["put", { workload: "put", clients: WRITERS, rate: Number(flags.writes) }],
    ["get", { workload: "range", ...reader }],
    ["page of 1,000", { workload: "page", ...reader }],
    ["count of 10,000", { workload: "count", ...reader }],
  ];
  const measure = async ([what, load]: (typeof loads)[number]) => {
    const common = { seconds, keys, keyDigits: KEY_DIGITS };
    return [what, await generator.measure(unwatched(server), { ...load, ...common })] as const;
  };
  return Promise.all(loads.map(measure));
}

/** Looks at the metric every second; the answer is the most it ever said. */
function watchLag(server: ServerProcess | undefined): () => Promise<number> {
  let lagMaxMs = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver && server !== undefined) {
      const found = /^metastore_event_loop_lag_seconds\{[^}]*quantile="1"[^}]*\} (\S+)$/m.exec(
        await server.metrics(),
      );
      lagMaxMs = Math.max(lagMaxMs, Number(found?.[1] ?? 0) * 1_000);
      await sleep(1_000);
    }
  })().catch(() => undefined);
  return async () => {
    isOver = true;
    await watching;
    return lagMaxMs;
  };
}

await main();
