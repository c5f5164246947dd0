import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { lowerCompactionPriority } from "../../../../src/server/storage/rocks-threads.ts";

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
      assert.equal(await lowerCompactionPriority(undefined, tasks), false, "none compacts yet");
      await thread(compacting, "rocksdb:low");
      assert.equal(await lowerCompactionPriority(undefined, tasks), true);
      assert.deepEqual([getPriority(compacting), getPriority(flushing)], [10, before]);
    } finally {
      for (const each of processes) each.kill();
    }
  });

  it("stays as it is where a thread ends while it is looked at, or allows no change", async function () {
    if (process.platform !== "linux") this.skip();
    await mkdir(join(tasks, "4194305"));
    assert.equal(await lowerCompactionPriority(undefined, tasks), false);
    await writeFile(join(tasks, "4194305", "comm"), "rocksdb:low\n");
    assert.equal(await lowerCompactionPriority(undefined, tasks), false, "there is no such process");
  });
});
