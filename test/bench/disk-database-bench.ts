// Times of the ordered store on disk: `npx tsx test/bench/disk-database-bench.ts [keys] [directory]` (default: a million
// keys of 24 bytes with values of 256, in the system's temporary directory, which must not be in memory for the synced
// figures to mean anything). Of each figure the median of its repetitions.
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPrng } from "../../src/lib/prng.ts";
import { type DiskOperation, openRocksDatabase } from "../../src/server/storage/index.ts";

const keys = Number(process.argv[2] ?? 1_000_000);
const directory = await mkdtemp(join(process.argv[3] ?? tmpdir(), "metastore-bench-"));
const prng = createPrng(1);
// Half of a value can be compressed, half cannot.
const noise = Buffer.from(Array.from({ length: 65_536 }, () => prng.below(256)));

function keyAt(i: number): Buffer {
  const key = Buffer.alloc(24, "key/");
  key.writeUIntBE(i, 18, 6);
  return key;
}

function operationAt(i: number): DiskOperation {
  const value = Buffer.alloc(256, 97);
  noise.copy(value, 0, (i * 37) % 65_000);
  return { key: keyAt(i), value: value.fill(97, 128) };
}

/** Each in turn; prints the median time and the CPU time of one, also per `per` parts of it. */
async function repeat(what: string, count: number, per: number, work: () => Promise<void>): Promise<void> {
  const times: number[] = [];
  const cpu = process.cpuUsage();
  for (let i = 0; i < count; i++) {
    const startMs = performance.now();
    await work();
    times.push((performance.now() - startMs) * 1000);
  }
  const { user, system } = process.cpuUsage(cpu);
  const median = times.sort((a, b) => a - b)[count >> 1]!;
  const slow = times[Math.ceil(count * 0.99) - 1]!;
  console.log(
    `${what}: ${median.toFixed(0)} us (p99 ${slow.toFixed(0)}), ${((user + system) / count).toFixed(0)} us CPU` +
      (per === 1
        ? ""
        : `; ${(median / per).toFixed(2)} us each, ${((user + system) / count / per).toFixed(2)} CPU`),
  );
}

try {
  const options = { path: join(directory, "db"), cacheSizeBytes: 32 << 20, writeBufferSizeBytes: 64 << 20 };
  let database = await openRocksDatabase(options);
  let written = 0;
  const batch = (size: number): DiskOperation[] =>
    Array.from({ length: size }, () => operationAt((written++ * 7_919) % keys));
  const startMs = performance.now();
  while (written < keys) await database.write(batch(1_000), { isSynced: false });
  console.log(
    `load of ${keys} keys: ${(performance.now() - startMs).toFixed(0)} ms, ${Math.round(process.memoryUsage().rss / 1e6)} MB RSS`,
  );
  for (const size of [1, 100, 1_000]) {
    for (const isSynced of [false, true]) {
      await repeat(`write of ${size}${isSynced ? ", synced" : ""}`, 50, size, () =>
        database.write(batch(size), { isSynced }),
      );
    }
  }
  for (const count of [1, 100]) {
    await repeat(`getMany of ${count}`, 200, count, async () => {
      const values = await database.getMany(Array.from({ length: count }, () => keyAt(prng.below(keys))));
      if (values.some((value) => value?.length !== 256)) throw new Error("a value is missing");
    });
  }
  for (const count of [1, 100, 10_000]) {
    for (const isKeysOnly of [false, true]) {
      await repeat(`iteration over ${count}${isKeysOnly ? ", keys only" : ""}`, 25, count, async () => {
        const first = prng.below(keys - count);
        const iterator = database.iterate({ start: keyAt(first), end: keyAt(first + count), isKeysOnly });
        const found = (await iterator.next(count + 1)).length;
        if (found !== count) throw new Error(`${found} keys of ${count}`);
        await iterator.close();
      });
    }
  }
  console.log(
    `${Math.round(process.memoryUsage().rss / 1e6)} MB RSS, ${database.sizeBytes()} bytes by its own word`,
  );
  await repeat("close and open", 3, 1, async () => {
    await database.close();
    database = await openRocksDatabase(options);
  });
  await repeat("clear and compact", 1, 1, async () => {
    await database.clear(keyAt(0), keyAt(keys));
    await database.compact(keyAt(0), keyAt(keys));
  });
  let sizeBytes = 0;
  for (const name of await readdir(options.path)) sizeBytes += (await stat(join(options.path, name))).size;
  console.log(`${sizeBytes} bytes of files are left, ${database.sizeBytes()} by its own word`);
  await database.close();
} finally {
  await rm(directory, { recursive: true });
}
