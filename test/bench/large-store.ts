/**
 * A store larger than memory: npm run bench:large -- [--keys 10000000] [--storage rocksdb] [--server etcd]
 * [--seconds 60] [--writes 2000] [--folder DIR]. Loads keys of 24 bytes with values of 256, restarts the server,
 * then reads while writes go on, and prints memory, time to ready, latencies and the lag of the event loop. --folder
 * keeps the data, and a folder that has some already is used as it is.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { prefixEnd, RawClient, ServerProcess } from "../harness/index.ts";
import {
  KEY_PREFIX,
  keyOf,
  loadKeys,
  mebibytes,
  prng,
  QUOTA_FLAGS,
  quantile,
  say,
  writeSteadily,
} from "./disk-load.ts";

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

/** Keys that share all but their last four digits. */
const GROUP_KEYS = 10_000;
const PAGE_KEYS = 1_000;
const LAG_WINDOW_MS = 31_000;

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
  const title = kind === "etcd" ? "etcd" : `metastore, ${flags.storage}`;
  console.log(
    `${title}: ${keys} keys of 24 bytes with 256-byte values, in ${isLoaded ? "the folder" : "a new store"}`,
  );
  try {
    server.spawn();
    say("ready at first", `${(await server.ready(600_000)).toFixed(0)} ms`);
    if (!isLoaded) await load(server, keys);
    say("resident after the load", mebibytes(server.usage().residentBytes));
    await server.stop();
    server.spawn();
    say("restart to ready", `${(await server.ready(600_000)).toFixed(0)} ms`);
    say("resident after the restart", mebibytes(server.usage().residentBytes));
    if (kind === "metastore") {
      // The lag is told of the last half minute or more: the start is not to count.
      await sleep(LAG_WINDOW_MS);
      await server.metrics();
    }
    await readUnderWrites(server, keys);
    say("resident at the end", mebibytes(server.usage().residentBytes));
    await server.stop();
  } finally {
    await server.kill();
    if (flags.folder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

async function load(server: ServerProcess, keys: number): Promise<void> {
  const client = new RawClient(server.endpoint);
  let given = 0;
  let residentMax = 0;
  const progress = setInterval(() => {
    const { residentBytes } = server.usage();
    residentMax = Math.max(residentMax, residentBytes);
    console.log(`  ${given} keys, resident ${mebibytes(residentBytes)}`);
  }, 10_000);
  try {
    const seconds = await loadKeys(client, keys, (count) => {
      given = count;
    });
    say("loaded", `${keys} keys in ${seconds.toFixed(0)} s, ${(keys / seconds).toFixed(0)} a second`);
  } finally {
    clearInterval(progress);
    client.close();
  }
  say("resident at most", mebibytes(residentMax));
}

async function readUnderWrites(server: ServerProcess, keys: number): Promise<void> {
  const client = new RawClient(server.endpoint);
  const untilMs = performance.now() + Number(flags.seconds) * 1_000;
  const isOver = (): boolean => performance.now() >= untilMs;
  const timesMs = { put: [] as number[], get: [] as number[], page: [] as number[], count: [] as number[] };
  const timed = async (kind: keyof typeof timesMs, work: () => Promise<unknown>): Promise<void> => {
    const beganMs = performance.now();
    await work();
    timesMs[kind].push(performance.now() - beganMs);
  };
  const writer = async (): Promise<void> => {
    let failure: unknown;
    await writeSteadily(client, { keys, perSecond: Number(flags.writes), isOver }, (tookMs, error) => {
      timesMs.put.push(tookMs);
      failure ??= error;
    });
    if (failure !== undefined) throw failure;
  };
  const reader = async (kind: keyof typeof timesMs, work: () => Promise<unknown>): Promise<void> => {
    while (!isOver()) {
      await timed(kind, work);
      await sleep(5);
    }
  };
  const groups = Math.max(1, Math.floor(keys / GROUP_KEYS));
  const lag = watchLag(server);
  try {
    await Promise.all([
      writer(),
      reader("get", () => client.range(keyOf(prng.below(keys)))),
      reader("page", () =>
        client.range(keyOf(prng.below(keys)), { rangeEnd: prefixEnd(KEY_PREFIX), limit: PAGE_KEYS }),
      ),
      reader("count", () => {
        const prefix = keyOf(prng.below(groups) * GROUP_KEYS).slice(0, -4);
        return client.count(prefix, prefixEnd(prefix));
      }),
    ]);
  } finally {
    const lagMaxMs = await lag();
    client.close();
    say("writes a second", (timesMs.put.length / Number(flags.seconds)).toFixed(0));
    for (const [kind, times] of Object.entries(timesMs)) {
      const sorted = times.sort((left, right) => left - right);
      const at = (share: number): string => quantile(sorted, share).toFixed(1);
      say(kind, `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms, of ${sorted.length}`);
    }
    if (flags.server !== "etcd") say("event loop late by at most", `${lagMaxMs.toFixed(0)} ms`);
  }
}

/** Looks at the metric every second; the answer is the most it ever said. */
function watchLag(server: ServerProcess): () => Promise<number> {
  let lagMaxMs = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
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
