import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StorageFailure, UsageError } from "../../../../src/lib/errors.ts";
import { createPrng } from "../../../../src/lib/prng.ts";
import type { DiskDatabase, DiskPair } from "../../../../src/server/storage/disk-database.ts";
import {
  openRocksDatabase,
  type Rocks,
  type RocksConstructor,
  type RocksWriteBatch,
  rocksPackage,
} from "../../../../src/server/storage/rocks-database.ts";
import { rocksSkipReason } from "../../../suites/rocks-module.ts";

const isFull = process.env.METASTORE_FULL === "1";
const SEED = Number(process.env.METASTORE_SEED ?? 1);
const sizes = { cacheSizeBytes: 8 << 20, writeBufferSizeBytes: 1 << 20 };
const start = Buffer.from("k");
const end = Buffer.from("l");

describe("RocksDatabase", () => {
  let path: string;

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), "metastore-rocks-"));
  });
  afterEach(() => rm(path, { recursive: true }));

  describe("without the module", () => {
    const cannotLoad = async (): Promise<RocksConstructor> => {
      throw new Error("Cannot find package 'rocksdb-native'");
    };

    it("says that it is missing, how to get it, and that memory needs none", async () => {
      await assert.rejects(openRocksDatabase({ path, ...sizes }, cannotLoad), (error) => {
        assert.ok(error instanceof UsageError);
        assert.equal(
          error.message,
          "--storage rocksdb needs the module rocksdb-native, which cannot be loaded: Cannot find package 'rocksdb-native'",
        );
        assert.match(error.hint, /npm install rocksdb-native@3\.18\.1\. --storage memory needs no module\./);
        return true;
      });
      assert.deepEqual(await readdir(path), []);
    });

    it("names the version that package.json pins, as an optional dependency", async () => {
      const manifest = JSON.parse(
        await readFile(new URL("../../../../package.json", import.meta.url), "utf8"),
      ) as { optionalDependencies: Record<string, string>; dependencies: Record<string, string> };
      assert.equal(manifest.optionalDependencies[rocksPackage.name], rocksPackage.version);
      assert.equal(manifest.dependencies[rocksPackage.name], undefined);
    });
  });

  describe("over a binding that fails", () => {
    it("refuses every write after a failed one with the same failure, and asks the disk no more", async () => {
      const binding = new FakeBinding();
      const database = await openRocksDatabase({ path, ...sizes }, binding.load);
      await write(database, 1, false);
      binding.failWrites = true;
      const failed = write(database, 2, false);
      const behind = write(database, 3, true);
      const failure = await failureOf(failed);
      binding.failWrites = false;
      const writes = binding.writes;
      assert.match(
        failure.message,
        /writing to the database in .* failed: IO error: No space left on device/,
      );
      assert.equal(await failureOf(behind), failure);
      assert.equal(await failureOf(write(database, 4, true)), failure);
      assert.equal(await failureOf(write(database, 5, false)), failure);
      assert.equal(await failureOf(database.clear(start, end)), failure);
      assert.equal(await failureOf(database.compact(start, end)), failure);
      assert.deepEqual([binding.writes, binding.flushes], [writes, 0]);
      await database.close();
      assert.deepEqual([binding.flushes, binding.isClosed], [0, true]);
    });

    it("refuses every write after a failed flush: what it was to make durable may be lost", async () => {
      const binding = new FakeBinding();
      const database = await openRocksDatabase({ path, ...sizes }, binding.load);
      binding.failFlushes = true;
      const failure = await failureOf(write(database, 1, true));
      binding.failFlushes = false;
      assert.equal(await failureOf(write(database, 2, false)), failure);
      assert.equal(binding.writes, 1);
      await database.close();
    });

    it("makes all durable by one flush that were written while another was under way", async () => {
      const binding = new FakeBinding();
      const database = await openRocksDatabase({ path, ...sizes }, binding.load);
      const done: number[] = [];
      const writes = [1, 2, 3, 4, 5].map((i) => write(database, i, true).then(() => done.push(i)));
      while (binding.writes < 5) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual([binding.flushes, done], [1, []]);
      binding.endFlush();
      await writes[0];
      while (binding.flushes < 2) await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(done, [1]);
      binding.endFlush();
      await Promise.all(writes);
      assert.equal(binding.flushes, 2);
      await write(database, 6, false);
      const closed = database.close();
      while (binding.flushes < 3) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(binding.isClosed, false);
      binding.endFlush();
      await closed;
    });
  });

  describe(`with the module${rocksSkipReason === undefined ? "" : ` (skipped: ${rocksSkipReason})`}`, function () {
    this.timeout(isFull ? 600_000 : 60_000);
    before(function () {
      if (rocksSkipReason !== undefined) this.skip();
    });

    const open = (at = path): Promise<DiskDatabase> => openRocksDatabase({ path: at, ...sizes });
    const fill = async (count: number): Promise<void> => {
      const database = await open();
      for (let i = 0; i < count; i++) await write(database, i, i % 100 === 99);
      await database.compact(start, end);
      await database.close();
    };

    it("refuses a directory that a database is open in, and opens it when that is closed", async () => {
      const first = await open();
      await assert.rejects(open(), (error) => error instanceof UsageError && error.message.includes(path));
      await write(first, 1, false);
      await first.close();
      const second = await open();
      assert.equal((await allOf(second)).length, 1);
      await second.close();
    });

    it("refuses a path that is a file or lies below one, and says which", async () => {
      const file = join(path, "file");
      await writeFile(file, "");
      for (const bad of [file, join(file, "below")]) {
        await assert.rejects(
          open(bad),
          (error) => error instanceof StorageFailure && error.message.includes(bad),
        );
      }
    });

    it("has on disk what was synced, as soon as the write is resolved, whatever the log of RocksDB holds", async () => {
      const database = await open();
      for (let i = 0; i < 50; i++) await write(database, i, i === 29);
      // The files as a loss of power leaves them, the log cut, damaged, or gone.
      for (const damage of ["none", "cut", "flipped", "zeroed", "missing"]) {
        const copy = `${path}.${damage}`;
        await cp(path, copy, { recursive: true });
        await rm(join(copy, "metastore.lock"));
        const logs = (await readdir(copy)).filter((name) => name.endsWith(".log"));
        assert.equal(logs.length, 1);
        const log = join(copy, logs[0]!);
        const content = await readFile(log);
        assert.ok(content.length > 2_000);
        if (damage === "missing") await rm(log);
        else if (damage === "cut") await writeFile(log, content.subarray(0, 700));
        else {
          content.fill(damage === "flipped" ? 0x55 : 0, 700, 800);
          await writeFile(log, content);
        }
        const found = await open(copy);
        assert.equal((await allOf(found)).length, 30, damage);
        await write(found, 30, true);
        await found.close();
        await rm(copy, { recursive: true });
      }
      await database.close();
    });

    it("reports every flipped bit of its files that a read or the start meets, by iterators in both directions too", async () => {
      await fill(2_000);
      const prng = createPrng(SEED);
      const reported = { start: 0, read: 0 };
      for (let run = 0; run < (isFull ? 2_000 : 20); run++) {
        const copy = `${path}.damaged`;
        await cp(path, copy, { recursive: true });
        const names = (await readdir(copy)).filter((name) => /\.sst$|^MANIFEST|^CURRENT$/.test(name));
        const tables = names.filter((name) => name.endsWith(".sst"));
        const name = run % 6 === 0 ? names[prng.below(names.length)]! : tables[prng.below(tables.length)]!;
        const content = await readFile(join(copy, name));
        const at = prng.below(content.length);
        content[at]! ^= 1 << prng.below(8);
        await writeFile(join(copy, name), content);
        const context = `METASTORE_SEED=${SEED}, run ${run}: a bit of byte ${at} of ${name}`;
        const database = await open(copy).catch((error: unknown) => {
          assert.ok(error instanceof StorageFailure && error.message.includes(copy), context);
          reported.start++;
        });
        if (database !== undefined) {
          const reads = [
            () => allOf(database),
            () => allOf(database, { isReverse: true }).then((pairs) => pairs.reverse()),
            () => allOf(database, { isKeysOnly: true }),
            async () => {
              const keys = Array.from({ length: 2_000 }, (_, i) => keyAt(i));
              const values = await database.getMany(keys);
              return keys.map((key, i) => ({ key, value: values[i] ?? Buffer.alloc(0) }));
            },
          ];
          for (const [kind, read] of reads.entries()) {
            try {
              const pairs = await read();
              assert.equal(pairs.length, 2_000, context);
              for (const [i, { key, value }] of pairs.entries()) {
                assert.ok(key.equals(keyAt(i)) && (kind === 2 || value.equals(valueAt(i))), context);
              }
            } catch (error) {
              if (!(error instanceof StorageFailure)) throw error;
              assert.ok(error.message.includes(copy), context);
              reported.read++;
            }
          }
          await database.close();
        }
        await rm(copy, { recursive: true });
      }
      assert.ok(reported.start > 0 && reported.read > 30, JSON.stringify(reported));
    });

    it("reports a missing and a shortened file at the start", async () => {
      await fill(100);
      const name = (await readdir(path)).find((each) => each.endsWith(".sst"))!;
      const content = await readFile(join(path, name));
      await writeFile(join(path, name), content.subarray(0, content.length - 1));
      await assert.rejects(open(), StorageFailure);
      await rm(join(path, name));
      await assert.rejects(open(), StorageFailure);
      await writeFile(join(path, name), content);
      const database = await open();
      assert.equal((await allOf(database)).length, 100);
      await database.close();
    });

    it("keeps none of RocksDB's old messages", async () => {
      for (let i = 0; i < 4; i++) await fill(1);
      assert.ok((await readdir(path)).filter((name) => name.startsWith("LOG.old")).length <= 1);
    });
  });
});

function keyAt(i: number): Buffer {
  return Buffer.from(`k${String(i).padStart(6, "0")}`);
}

function valueAt(i: number): Buffer {
  return Buffer.alloc(100, `value ${i} `);
}

function write(database: DiskDatabase, i: number, isSynced: boolean): Promise<void> {
  return database.write([{ key: keyAt(i), value: valueAt(i) }], { isSynced });
}

async function allOf(
  database: DiskDatabase,
  how: { isReverse?: boolean; isKeysOnly?: boolean } = {},
): Promise<DiskPair[]> {
  const iterator = database.iterate({ start, end, ...how });
  try {
    return await iterator.next(10_000);
  } finally {
    await iterator.close();
  }
}

async function failureOf(work: Promise<unknown>): Promise<StorageFailure> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StorageFailure, String(error));
  return error;
}

/** A binding whose writes and flushes fail when told to; a flush that does not fail takes until it is told to end. */
class FakeBinding {
  writes = 0;
  flushes = 0;
  failWrites = false;
  failFlushes = false;
  isClosed = false;
  endFlush: () => void = () => undefined;

  readonly load = async (): Promise<RocksConstructor> => {
    const rocks: Rocks = {
      ready: async () => undefined,
      close: async () => {
        this.isClosed = true;
      },
      flush: () => {
        this.flushes++;
        if (this.failFlushes) return Promise.reject(new Error("IO error: No space left on device"));
        return new Promise((resolve) => {
          this.endFlush = resolve;
        });
      },
      write: () => this.#batch(),
      getProperty: async () => "0",
      compactRange: async () => undefined,
      read: () => assert.fail(),
      iterator: () => assert.fail(),
      snapshot: () => assert.fail(),
    };
    return class {
      constructor() {
        // biome-ignore lint/correctness/noConstructorReturn: stands for the module's class
        return rocks;
      }
    } as unknown as RocksConstructor;
  };

  #batch(): RocksWriteBatch {
    return {
      tryPut: () => undefined,
      tryDelete: () => undefined,
      tryDeleteRange: () => undefined,
      destroy: () => undefined,
      flush: async () => {
        this.writes++;
        const cause = new Error("IO error: No space left on device");
        if (this.failWrites) throw new Error("Batch was not applied", { cause });
      },
    };
  }
}
