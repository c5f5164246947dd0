// Times of the log and of snapshots on this disk: `npx tsx test/bench/wal-bench.ts [directory]` (default: the
// system's temporary directory, which must not be in memory for the figures to mean anything).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SystemClock } from "../../src/lib/clock.ts";
import { NodeFs } from "../../src/lib/fs.ts";
import { silentLog } from "../../src/lib/log.ts";
import type { Entry } from "../../src/server/raft/index.ts";
import {
  createWal,
  FileSnapshotStore,
  openWal,
  type Wal,
  type WalOptions,
} from "../../src/server/storage/index.ts";

const data = Buffer.alloc(300, 120);
let last = 0;

function nextEntry(): Entry {
  return { term: 1, index: ++last, type: 0, data };
}

/** Appends `count` entries, each by itself, with `outstanding` of them waiting at any time. */
async function appendAll(wal: Wal, outstanding: number, count: number): Promise<void> {
  const before = wal.stats;
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  await new Promise<void>((resolve) => {
    let started = 0;
    let finished = 0;
    const start = (): void => {
      if (started === count) return;
      started++;
      wal.append({ hardState: undefined, entries: [nextEntry()] }, () => {
        if (++finished === count) resolve();
        else start();
      });
    };
    for (let i = 0; i < outstanding; i++) start();
  });
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  const syncs = wal.stats.syncs - before.syncs;
  const syncMs = (wal.stats.totalSyncMs - before.totalSyncMs) / syncs;
  console.log(
    `append, ${outstanding} outstanding: ${Math.round((count / ms) * 1000)}/s, ${(count / syncs).toFixed(1)} entries ` +
      `per sync, ${(syncMs * 1000).toFixed(0)} us per sync, ${((user + system) / count).toFixed(2)} us CPU per entry`,
  );
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startMs = performance.now();
  const result = await work();
  console.log(`${what}: ${(performance.now() - startMs).toFixed(0)} ms`);
  return result;
}

const directory = await mkdtemp(join(process.argv[2] ?? tmpdir(), "metastore-bench-"));
try {
  const fs = new NodeFs();
  const identity = { clusterId: 1n, memberId: 2n };
  const options: WalOptions = {
    fs,
    clock: new SystemClock(),
    log: silentLog,
    directory: join(directory, "wal"),
    ...identity,
    onFailure: (failure) => {
      throw failure;
    },
  };
  await fs.createDirectory(options.directory);
  await timed("create a log with a segment of 64 MiB", () => createWal(options));
  const { wal } = await timed("open it", () => openWal(options));
  await appendAll(wal, 1, 2_000);
  await appendAll(wal, 32, 38_000);
  await appendAll(wal, 1_000, 160_000);
  await timed("close", () => wal.close());
  for (let i = 0; i < 3; i++) {
    const found = await timed("recover 200,000 entries of 300 B", () => openWal(options));
    if (found.entries.length !== last) throw new Error(`${found.entries.length} entries of ${last}`);
    await found.wal.close();
  }
  const store = new FileSnapshotStore({ fs, directory, ...identity });
  const metadata = {
    index: 1,
    term: 1,
    confState: { voters: [2n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false },
  };
  const chunks = Array.from({ length: 1_600 }, (_, i) => Buffer.alloc(65_536, i));
  await timed("write a snapshot of 100 MiB", () => store.write(metadata, chunks));
  for (let i = 0; i < 3; i++) {
    await timed("read and check it", async () => {
      for await (const _ of (await store.open(metadata)).chunks);
    });
  }
} finally {
  await rm(directory, { recursive: true });
}
