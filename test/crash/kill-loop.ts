/**
 * Kills a real server with SIGKILL again and again under concurrent writers, and after each restart compares it with a
 * ledger of what it acknowledged: npm run test:kill -- --kills 200 --writers 32 --keys 100000 [--seed N]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createPrng, type Prng } from "../../src/lib/prng.ts";
import { decodeWatchAnswer, prefixEnd, RawClient, ServerProcess, type WireEvent } from "../harness/index.ts";
import { Ledger } from "./ledger.ts";
import { Writer } from "./writer.ts";

const { values: flags } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    writers: { type: "string", default: "32" },
    keys: { type: "string", default: "100000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    // "none": how long starts take is told, not judged.
    "ready-limit-ms": { type: "string", default: "2000" },
    server: { type: "string", default: "metastore" },
    storage: { type: "string", default: "memory" },
    keep: { type: "boolean", default: false },
  },
});

const KEYS_PER_TXN = 100;
/** One restart in this many is killed before it is ready. */
const KILLED_EARLY = 10;
const preloadKey = (index: number): string => `k/${String(index).padStart(9, "0")}`;

interface Totals {
  kills: number;
  killedEarly: number;
  failedRestarts: number;
  readonly readyMs: number[];
  /** CPU time the server used until it was ready: what is left of readyMs when the machine is busy with other things. */
  readonly readyCpuMs: number[];
}

async function main(): Promise<number> {
  const kind = flags.server === "etcd" ? "etcd" : "metastore";
  const [kills, writerCount, keyCount] = [flags.kills, flags.writers, flags.keys].map(Number) as [
    number,
    number,
    number,
  ];
  const readyLimitMs =
    flags["ready-limit-ms"] === "none" ? Number.POSITIVE_INFINITY : Number(flags["ready-limit-ms"]);
  if (Number.isNaN(readyLimitMs))
    throw new Error(`--ready-limit-ms ${flags["ready-limit-ms"]}: milliseconds, or "none"`);
  const prng = createPrng(Number(flags.seed));
  const folder = mkdtempSync(join(tmpdir(), "metastore-kill-"));
  console.log(
    `kill loop: ${kind}, ${kills} kills, ${writerCount} writers, ${keyCount} keys, seed ${flags.seed}` +
      (kind === "metastore" ? `, storage ${flags.storage}` : ""),
  );
  const serverFlags = kind === "metastore" ? ["--storage", flags.storage] : [];
  const server = await ServerProcess.start({ kind, folder, flags: serverFlags });
  const ledger = new Ledger();
  const writers = Array.from({ length: writerCount }, (_, index) => {
    const share = Math.max(1, Math.floor(keyCount / writerCount));
    return new Writer(index, createPrng(prng.below(2 ** 31)), ledger, (pick) =>
      preloadKey(index * share + (pick % share)),
    );
  });
  const totals: Totals = { kills: 0, killedEarly: 0, failedRestarts: 0, readyMs: [], readyCpuMs: [] };
  try {
    await preload(server, ledger, Math.max(keyCount, writerCount));
    console.log(`preloaded ${keyCount} keys, revision ${ledger.revisionSeen}`);
    // The first check reads the history of the preload too.
    let checkedRevision = 0;
    while (totals.kills < kills) {
      await runUntilKilled(server, writers, prng);
      totals.kills += 1;
      await restart(server, prng, totals, kills);
      const readyMs = totals.readyMs.at(-1) ?? Number.NaN;
      checkedRevision = await check(server, ledger, writers, checkedRevision);
      const problems = [...ledger.violations.splice(0)];
      if (readyMs > readyLimitMs)
        problems.push(`ready after ${readyMs.toFixed(0)} ms, limit ${readyLimitMs}`);
      if (problems.length > 0) totals.failedRestarts += 1;
      for (const problem of problems.slice(0, 20))
        console.log(`VIOLATION after kill ${totals.kills}: ${problem}`);
      if (problems.length > 20) console.log(`... and ${problems.length - 20} more`);
      if (totals.kills % 10 === 0 || totals.kills === kills) report(totals, ledger, checkedRevision);
    }
  } finally {
    await server.kill();
    if (flags.keep || totals.failedRestarts > 0) console.log(`data and log are kept in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
  console.log(
    `${totals.readyMs.length - totals.failedRestarts} passed, ${totals.failedRestarts} failed, 0 skipped`,
  );
  return totals.failedRestarts === 0 ? 0 : 1;
}

async function preload(server: ServerProcess, ledger: Ledger, count: number): Promise<void> {
  const client = new RawClient(server.endpoint);
  try {
    let next = 0;
    const loader = async (): Promise<void> => {
      while (next < count) {
        const start = next;
        next += KEYS_PER_TXN;
        const end = Math.min(next, count);
        const changes = new Map<string, string>();
        for (let i = start; i < end; i++) changes.set(preloadKey(i), `preloaded:${i}:${"p".repeat(64)}`);
        ledger.acknowledge(changes, await client.putAll([...changes]));
      }
    };
    await Promise.all(Array.from({ length: 8 }, loader));
  } finally {
    client.close();
  }
}

/** Lets the writers loose for a random while, then kills the server under them. */
async function runUntilKilled(server: ServerProcess, writers: readonly Writer[], prng: Prng): Promise<void> {
  let dead = false;
  const running = writers.map((writer) => writer.run(server.endpoint, () => dead));
  await sleep(30 + prng.below(1_200));
  await server.kill();
  dead = true;
  await Promise.all(running);
}

async function restart(server: ServerProcess, prng: Prng, totals: Totals, kills: number): Promise<void> {
  server.spawn();
  while (totals.kills < kills && prng.below(KILLED_EARLY) === 0) {
    await sleep(prng.below(800));
    await server.kill();
    totals.kills += 1;
    totals.killedEarly += 1;
    server.spawn();
  }
  totals.readyMs.push(await server.ready(120_000));
  totals.readyCpuMs.push(server.usage().cpuMs);
}

/** Compares the server with the ledger; answers the revision up to which all is checked, and compacts there. */
async function check(
  server: ServerProcess,
  ledger: Ledger,
  writers: readonly Writer[],
  after: number,
): Promise<number> {
  const client = new RawClient(server.endpoint);
  try {
    const present = new Map<string, { value: string; modRevision: number }>();
    let revision = 0;
    for (const prefix of ["k/", "w/"]) {
      const all = await client.rangeAll(prefix);
      revision = all.revision;
      for (const kv of all.kvs) present.set(kv.key, kv);
    }
    ledger.check(revision, await history(client, after + 1, revision), present);
    const leases = await client.leases();
    for (const writer of writers) {
      const found = leases.has(writer.leaseId);
      if (writer.leaseHeld !== undefined && writer.leaseHeld !== found) {
        ledger.violations.push(
          `lease ${writer.leaseId}: ${found ? "back after its revoke" : "lost after its grant"}`,
        );
      }
      writer.leaseHeld = found;
    }
    // Bounds the history, and brings compaction into the crashes.
    if (revision > after) await client.compact(revision);
    return revision;
  } finally {
    client.close();
  }
}

/** Every event with a revision in [first, last]. */
function history(client: RawClient, first: number, last: number): Promise<WireEvent[]> {
  if (last < first) return Promise.resolve([]);
  return new Promise((resolve, reject) => {
    const events: WireEvent[] = [];
    const stream = client.watch("k/", { rangeEnd: prefixEnd("w/"), startRevision: first });
    const timer = setTimeout(() => stream.destroy(new Error("no history for 60 s")), 60_000);
    stream.on("data", (message: Buffer) => {
      const answer = decodeWatchAnswer(message);
      if (answer.canceled)
        stream.destroy(new Error(`history from ${first} is compacted at ${answer.compactRevision}`));
      events.push(...answer.events);
      // The newest revision may be none of ours when a lease took keys along; here leases hold none.
      if ((events.at(-1)?.kv.modRevision ?? 0) >= last) {
        clearTimeout(timer);
        stream.cancel();
        resolve(events);
      }
    });
    stream.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

function report(totals: Totals, ledger: Ledger, revision: number): void {
  const spread = (figures: readonly number[]): string => {
    const sorted = [...figures].sort((a, b) => a - b);
    const at = (part: number): string => (sorted[Math.floor(part * (sorted.length - 1))] ?? 0).toFixed(0);
    return `p50 ${at(0.5)} p99 ${at(0.99)} max ${at(1)}`;
  };
  console.log(
    `kills ${totals.kills} (${totals.killedEarly} while starting), acknowledged ${ledger.acknowledgedCount}, ` +
      `unsure ${ledger.unsureCount} of which applied ${ledger.unsureAppliedCount}, keys ${ledger.keyCount}, ` +
      `revision ${revision}, restarts with violations ${totals.failedRestarts}, ` +
      `ready ms ${spread(totals.readyMs)}, CPU ms until then ${spread(totals.readyCpuMs)}`,
  );
}

process.exitCode = await main();
