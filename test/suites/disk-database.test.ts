import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createPrng } from "../../src/lib/prng.ts";
import { openRocksDatabase } from "../../src/server/storage/rocks-database.ts";
import { SimDiskDatabase } from "../sim/disk-database.ts";
import { type DiskDatabaseSource, diskDatabaseSuite, writeNumbered } from "./disk-database-suite.ts";
import { rocksSkipReason } from "./rocks-module.ts";

/** Compiled where this is (npm run coverage). */
const writer = fileURLToPath(new URL(`disk-database-writer${extname(import.meta.url)}`, import.meta.url));

const rocks: DiskDatabaseSource = {
  skipReason: rocksSkipReason,
  async create() {
    const path = await mkdtemp(join(tmpdir(), "metastore-rocks-"));
    const open = () => openRocksDatabase({ path, cacheSizeBytes: 8 << 20, writeBufferSizeBytes: 8 << 20 });
    let database = await open();
    return {
      database,
      reopen: async () => {
        await database.close();
        database = await open();
        return database;
      },
      dispose: async () => {
        await database.close();
        await rm(path, { recursive: true });
      },
    };
  },
  async kill(seed) {
    const path = await mkdtemp(join(tmpdir(), "metastore-rocks-"));
    const child = fork(writer, [path], { execArgv: ["--import", "tsx"] });
    const killAt = 5 * (1 + createPrng(seed).below(200));
    let lastSynced = 0;
    child.on("message", (number) => {
      lastSynced = Number(number);
      if (lastSynced >= killAt) child.kill("SIGKILL");
    });
    await new Promise((resolve) => child.on("close", resolve));
    if (lastSynced < killAt) throw new Error(`the writer ended after ${lastSynced}`);
    const database = await openRocksDatabase({
      path,
      cacheSizeBytes: 1 << 20,
      writeBufferSizeBytes: 1 << 20,
    });
    const dispose = async () => {
      await database.close();
      await rm(path, { recursive: true });
    };
    return { database, lastSynced, dispose };
  },
};

const sim: DiskDatabaseSource = {
  async create() {
    let database = new SimDiskDatabase({ seed: 1 });
    return {
      database,
      reopen: async () => {
        await database.close();
        database = database.reboot("dropped", { seed: 2 });
        return database;
      },
      dispose: async () => undefined,
    };
  },
  async kill(seed) {
    const prng = createPrng(seed);
    const database = new SimDiskDatabase({ seed, crashAt: 1 + prng.below(200) });
    let lastSynced = 0;
    void writeNumbered(database, (number, isSynced) => {
      if (isSynced) lastSynced = number;
    });
    await database.crashed;
    const mode = (["clean", "torn", "dropped"] as const)[prng.below(3)]!;
    return { database: database.reboot(mode, { seed }), lastSynced, dispose: async () => undefined };
  },
};

diskDatabaseSuite("RocksDatabase", rocks);
diskDatabaseSuite("SimDiskDatabase", sim);
