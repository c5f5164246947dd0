import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { NodeFs } from "../../../../src/lib/fs.ts";
import { openRocksDatabase } from "../../../../src/server/storage/index.ts";
import { lowerCompactionPriority } from "../../../../src/server/storage/rocks-threads.ts";
import { rocksSkipReason } from "../../../suites/rocks-module.ts";

const fs = new NodeFs();

describe("The priority of compactions", () => {
  let tasks: string;
  beforeEach(async () => {
    tasks = await mkdtemp(join(tmpdir(), "metastore-tasks-"));
  });
  afterEach(() => rm(tasks, { recursive: true }));

  async function thread(id: number, name: string): Promise<void> {
    await mkdir(join(tasks, String(id)));
    await writeFile(join(tasks, String(id), "comm"), `${name}\n`);
  }

  it("is lowered for the threads that compact, and for no other", async function () {
    if (process.platform !== "linux") this.skip();
    // Processes of our own stand for threads: both have a priority by the same call.
    const processes = [0, 1].map(() => spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]));
    try {
      const [compacting = 0, flushing = 0] = processes.map(({ pid }) => pid);
      const before = getPriority(flushing);
      await thread(flushing, "rocksdb:high");
      assert.equal(await lowerCompactionPriority(fs, tasks), 0, "none compacts yet");
      await thread(compacting, "rocksdb:low");
      assert.equal(await lowerCompactionPriority(fs, tasks), 1);
      assert.deepEqual([getPriority(compacting), getPriority(flushing)], [10, before]);
    } finally {
      for (const each of processes) each.kill();
    }
  });

  it("stays as it is where a thread ends while it is looked at, or allows no change", async function () {
    if (process.platform !== "linux") this.skip();
    await mkdir(join(tasks, "4194305"));
    assert.equal(await lowerCompactionPriority(fs, tasks), 0);
    await writeFile(join(tasks, "4194305", "comm"), "rocksdb:low\n");
    assert.equal(await lowerCompactionPriority(fs, tasks), 0, "there is no such process");
    assert.equal(await lowerCompactionPriority(fs, join(tasks, "none")), 0);
  });

  it("is lowered in a process that has opened a database", async function () {
    if (process.platform !== "linux" || rocksSkipReason !== undefined) {
      console.log(`      ${rocksSkipReason ?? "not on Linux"}`);
      this.skip();
    }
    const options = { path: join(tasks, "db"), cacheSizeBytes: 1 << 20, writeBufferSizeBytes: 1 << 20 };
    const database = await openRocksDatabase(options);
    const names = await Promise.all(
      (await readdir("/proc/self/task")).map(async (id) => ({
        id: Number(id),
        name: await readFile(`/proc/self/task/${id}/comm`, "utf8").catch(() => "ended"),
      })),
    );
    const compacting = names.filter(({ name }) => name.startsWith("rocksdb:low"));
    assert.deepEqual(
      compacting.map(({ id }) => getPriority(id)),
      [10],
    );
    await database.close();
  });
});
