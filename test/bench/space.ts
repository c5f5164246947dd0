/**
 * What becomes of space, on a live server under load: npm run bench:space -- [--keys 1000000] [--versions 5]
 * [--storage rocksdb|memory] [--writes 500] [--seconds 30] [--folder DIR]. Loads every key once, then `versions` - 1
 * times more, compacts to the last, defragments in a loop, and backs the store up, restores it and damages the backup,
 * all while writes go on; prints sizes, latencies and what was refused.
 */
import { execFile } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { connect } from "../../src/client/index.ts";
import type { Histogram } from "../../src/tui/cluster-sample.ts";
import { observedSince, quantileOf } from "../../src/tui/histogram.ts";
import { RawClient, repositoryRoot, ServerProcess } from "../harness/index.ts";
import { loadKeys, mebibytes, prng, QUOTA_FLAGS, quantile, say, writeSteadily } from "./disk-load.ts";

const { values: flags } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    versions: { type: "string", default: "5" },
    storage: { type: "string", default: "rocksdb" },
    writes: { type: "string", default: "500" },
    seconds: { type: "string", default: "30" },
    folder: { type: "string" },
  },
});

const DAMAGES = 20;
const SETTLE_MS = 120_000;
const SETTLED_MS = 10_000;
const keys = Number(flags.keys);
const run = promisify(execFile);

async function main(): Promise<void> {
  const folder = flags.folder ?? mkdtempSync(join(tmpdir(), "metastore-space-"));
  const server = await ServerProcess.start({
    kind: "metastore",
    folder: join(folder, "live"),
    flags: ["--storage", flags.storage, ...QUOTA_FLAGS],
  });
  const client = connect({ endpoints: [server.endpoint] });
  const raw = new RawClient(server.endpoint);
  const sizeBytes = async (): Promise<number> => (await client.maintenance.status()).dbSize;
  try {
    console.log(`metastore, ${flags.storage}: ${keys} keys of 24 bytes with 256-byte values`);
    await load(raw, 1);
    const freshBytes = await settled(sizeBytes);
    say("a fresh load takes", mebibytes(freshBytes));
    const versions = Number(flags.versions);
    for (let version = 2; version <= versions; version++) await load(raw, version);
    say(`${versions} versions take`, mebibytes(await settled(sizeBytes)));
    const usual = await during(server, raw, () => sleep(Number(flags.seconds) * 1_000));
    say("usual writes", describe(usual));
    let revision = 0;
    const compacting = await during(server, raw, async () => {
      const beganMs = performance.now();
      ({ revision } = await raw.rangeAll("none"));
      await client.kv.compact(revision, { physical: true, timeoutMs: 600_000 });
      say("compaction, to the last record", `${((performance.now() - beganMs) / 1_000).toFixed(0)} s`);
      await settled(sizeBytes);
      say("compaction, to the last file", `${((performance.now() - beganMs) / 1_000).toFixed(0)} s`);
    });
    say("writes during the compaction", `${describe(compacting)}, ${against(compacting, usual)}`);
    const compactedBytes = await sizeBytes();
    const share = ((100 * compactedBytes) / freshBytes).toFixed(0);
    say("the last version takes", `${mebibytes(compactedBytes)}, ${share} % of a fresh load`);

    let rounds = 0;
    const untilMs = performance.now() + Number(flags.seconds) * 1_000;
    const defragmenting = await during(server, raw, async () => {
      for (; performance.now() < untilMs; rounds++)
        await client.maintenance.defragment({ timeoutMs: 60_000 });
    });
    say(
      `writes during ${rounds} rounds of Defragment`,
      `${describe(defragmenting)}, ${against(defragmenting, usual)}`,
    );
    await backUp(folder, server, raw, usual);
  } finally {
    raw.close();
    client.close();
    await server.kill();
    if (flags.folder === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

async function backUp(folder: string, server: ServerProcess, raw: RawClient, usual: Times): Promise<void> {
  const file = join(folder, "backup.snap");
  const beganMs = performance.now();
  // To begin a process keeps this one from measuring: that is over when the writes begin.
  const save = metastore(["snapshot", "save", file, "--endpoints", server.endpoint]);
  const saving = await during(server, raw, async () => {
    await save;
    const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1);
    say("backup", `${mebibytes(statSync(file).size)} in ${seconds} s`);
  });
  say("writes during the backup", `${describe(saving)}, ${against(saving, usual)}`);
  const { revision } = JSON.parse(await metastore(["snapshot", "status", file, "-o", "json"])) as {
    revision: number;
  };
  const restoredFolder = join(folder, "restored");
  const dataDir = join(restoredFolder, "data");
  await metastore(["snapshot", "restore", file, "--data-dir", dataDir, "--storage", flags.storage]);
  const restored = await ServerProcess.start({
    kind: "metastore",
    folder: restoredFolder,
    flags: ["--storage", flags.storage],
  });
  const hashes = await Promise.all(
    [server, restored].map(async ({ endpoint }) => {
      const client = connect({ endpoints: [endpoint] });
      try {
        return (await client.maintenance.hashKv(revision, { timeoutMs: 60_000 })).hash;
      } finally {
        client.close();
      }
    }),
  );
  await restored.stop();
  say(`HashKV at revision ${revision}`, `live ${hashes[0]}, restored ${hashes[1]}`);
  if (hashes[0] !== hashes[1]) process.exitCode = 1;
  await damage(file, join(folder, "damaged"));
}

/** One bit turned at places all over the file, one after the other. */
async function damage(file: string, dataDir: string): Promise<void> {
  const size = statSync(file).size;
  const descriptor = openSync(file, "r+");
  const byte = Buffer.alloc(1);
  let refused = 0;
  let last = "";
  for (let i = 0; i < DAMAGES; i++) {
    const at = Math.floor(((i + prng.below(1_000) / 1_000) / DAMAGES) * size);
    const flip = (): void => {
      readSync(descriptor, byte, 0, 1, at);
      byte[0] = (byte[0] ?? 0) ^ (1 << (i % 8));
      writeSync(descriptor, byte, 0, 1, at);
    };
    flip();
    try {
      await metastore(["snapshot", "restore", file, "--data-dir", dataDir, "--storage", flags.storage]);
    } catch (error) {
      last =
        String((error as { stderr?: string }).stderr)
          .trim()
          .split("\n")[0] ?? "";
      if (!existsSync(dataDir)) refused++;
    }
    flip();
  }
  closeSync(descriptor);
  say("damaged backups refused", `${refused} of ${DAMAGES}, nothing made; the last: ${last}`);
  if (refused < DAMAGES) process.exitCode = 1;
}

interface Times {
  readonly ms: number[];
  failed: number;
  /** Where the server says that its writes waited. */
  waits: string;
}

/** Writes at a steady rate while `work` lasts. */
async function during(server: ServerProcess, raw: RawClient, work: () => Promise<unknown>): Promise<Times> {
  const times: Times = { ms: [], failed: 0, waits: "" };
  const before = await server.metrics();
  let isOver = false;
  const options = { keys, perSecond: Number(flags.writes), isOver: () => isOver };
  const writer = writeSteadily(raw, options, (tookMs, error) => {
    if (error === undefined) times.ms.push(tookMs);
    else times.failed++;
  });
  try {
    await work();
  } finally {
    isOver = true;
    await writer;
  }
  times.ms.sort((left, right) => left - right);
  times.waits = waits(before, await server.metrics());
  return times;
}

/** Half and 99 % of the waits of each kind, as far as the buckets tell. */
function waits(before: string, after: string): string {
  const kinds = {
    "log synced": "etcd_disk_wal_fsync_duration_seconds",
    "records read": "metastore_apply_load_duration_seconds",
  };
  return Object.entries(kinds)
    .map(([what, name]) => {
      const waited = observedSince(histogramIn(after, name), histogramIn(before, name));
      const within = (share: number): string =>
        ((quantileOf(waited, share) ?? Number.NaN) * 1_000).toFixed(2);
      return `${what} p50 ${within(0.5)} ms, p99 ${within(0.99)} ms`;
    })
    .join(", ");
}

/** One family without labels. */
function histogramIn(metrics: string, name: string): Histogram {
  const lines = [...metrics.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\S+)$`, "gm"))];
  return {
    bounds: lines.map(([, bound]) => (bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound))),
    counts: lines.map(([, , count]) => Number(count)),
  };
}

async function load(raw: RawClient, version: number): Promise<void> {
  say(`version ${version} loaded`, `${(await loadKeys(raw, keys)).toFixed(0)} s`);
}

/** A size, once it has not gone down for ten seconds: files are rewritten behind. What is written meanwhile adds to it. */
async function settled(sizeBytes: () => Promise<number>): Promise<number> {
  const untilMs = performance.now() + SETTLE_MS;
  let least = await sizeBytes();
  let last = least;
  let sinceMs = performance.now();
  while (performance.now() < untilMs && performance.now() - sinceMs < SETTLED_MS) {
    await sleep(500);
    last = await sizeBytes();
    if (last >= least * 0.99) continue;
    least = last;
    sinceMs = performance.now();
  }
  return last;
}

async function metastore(args: readonly string[]): Promise<string> {
  const program = join(repositoryRoot, "bin", "run.js");
  return (await run(process.execPath, [program, ...args], { maxBuffer: 1 << 24 })).stdout;
}

function describe({ ms, failed, waits }: Times): string {
  const [p50, p99, most] = [0.5, 0.99, 1].map((share) => quantile(ms, share).toFixed(1));
  return `p50 ${p50} ms, p99 ${p99} ms, at most ${most} ms, of ${ms.length}; ${failed} failed; ${waits}`;
}

function against(times: Times, usual: Times): string {
  return `p99 ${(quantile(times.ms, 0.99) / quantile(usual.ms, 0.99)).toFixed(2)} × the usual`;
}

await main();
