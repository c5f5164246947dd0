import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DirectoryLocked, errorCode, NodeFs } from "../../../src/lib/fs.ts";
import { encodeLockOwner } from "../../../src/lib/lock-owner.ts";

describe("A lock of the real file system", () => {
  const fs = new NodeFs();
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "metastore-lock-"));
    path = join(directory, "lock");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("is refused while another process holds it, and free at once after kill -9", async function () {
    this.timeout(30_000);
    const source = pathToFileURL(join(import.meta.dirname, "../../../src/lib/fs.ts")).href;
    const program = `
      const { NodeFs } = await import(${JSON.stringify(source)});
      await new NodeFs().lock(${JSON.stringify(path)});
      console.log("locked");
      setInterval(() => undefined, 1000);`;
    const holder = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(holder.stdout, "data");
    await assert.rejects(
      fs.lock(path),
      (error) => error instanceof DirectoryLocked && error.pid === holder.pid,
    );
    const exited = once(holder, "exit");
    holder.kill("SIGKILL");
    await exited;
    const lock = await fs.lock(path);
    await lock.release();
    assert.deepEqual(readdirSync(directory), []);
  });

  it("is taken over from a process of another start, another boot, or none, and from an unreadable record", async () => {
    const records = [
      encodeLockOwner({ pid: process.pid, bootId: "", startTicks: 1 }),
      encodeLockOwner({ pid: process.pid, bootId: "another boot", startTicks: 0 }),
      encodeLockOwner({ pid: 2 ** 30, bootId: "", startTicks: 0 }),
      "half a rec",
    ];
    for (const record of process.platform === "linux" ? records : records.slice(2)) {
      writeFileSync(path, record);
      const lock = await fs.lock(path);
      assert.equal(JSON.parse(readFileSync(path, "utf8")).pid, process.pid);
      await lock.release();
    }
  });

  it("goes to one of many that start at once", async () => {
    writeFileSync(path, encodeLockOwner({ pid: 2 ** 30, bootId: "", startTicks: 0 }));
    const attempts = await Promise.allSettled(Array.from({ length: 10 }, () => fs.lock(path)));
    assert.equal(attempts.filter(({ status }) => status === "fulfilled").length, 1);
    assert.deepEqual(readdirSync(directory), ["lock"]);
  });

  it("is taken over at once although a starter crashed in the middle of taking it over", async function () {
    // Far less than what once had to pass before a guard counted as left behind.
    this.timeout(2_000);
    const gone = encodeLockOwner({ pid: 2 ** 30, bootId: "", startTicks: 0 });
    for (const left of [undefined, gone, "half a rec"]) {
      writeFileSync(path, gone);
      mkdirSync(`${path}.takeover`);
      if (left !== undefined) writeFileSync(join(`${path}.takeover`, "1073741824.0.0"), left);
      const lock = await fs.lock(path);
      assert.deepEqual(readdirSync(directory), ["lock"]);
      await lock.release();
    }
  });

  it("is not taken over beside a live process that has stopped in the middle of it", async function () {
    this.timeout(20_000);
    const holder = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    try {
      writeFileSync(path, encodeLockOwner({ pid: 2 ** 30, bootId: "", startTicks: 0 }));
      mkdirSync(`${path}.takeover`);
      const record = encodeLockOwner({ pid: holder.pid ?? 0, bootId: "", startTicks: 0 });
      writeFileSync(join(`${path}.takeover`, "its.own.name"), record);
      const isItsOwn = (error: unknown): boolean =>
        error instanceof DirectoryLocked && error.pid === holder.pid;
      await assert.rejects(fs.lock(path), isItsOwn);
      assert.deepEqual(readdirSync(directory), ["lock", "lock.takeover"]);
      assert.deepEqual(readdirSync(`${path}.takeover`), ["its.own.name"]);
    } finally {
      holder.kill("SIGKILL");
    }
  });

  it("goes to one of many that start at once where a starter crashed, each time", async () => {
    const gone = encodeLockOwner({ pid: 2 ** 30, bootId: "", startTicks: 0 });
    for (let round = 0; round < 20; round++) {
      writeFileSync(path, gone);
      mkdirSync(`${path}.takeover`);
      writeFileSync(join(`${path}.takeover`, "1073741824.0.0"), gone);
      const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => fs.lock(path)));
      const taken = attempts.filter((attempt) => attempt.status === "fulfilled");
      assert.equal(taken.length, 1);
      assert.deepEqual(readdirSync(directory), ["lock"]);
      await taken[0]?.value.release();
    }
  });

  it("leaves a lock alone that another has taken meanwhile", async () => {
    const lock = await fs.lock(path);
    writeFileSync(path, "another's");
    await lock.release();
    assert.equal(readFileSync(path, "utf8"), "another's");
  });

  it("cannot be taken where there is no directory", async () => {
    await assert.rejects(fs.lock(join(directory, "none", "lock")), (error) => errorCode(error) === "ENOENT");
    assert.equal(errorCode("text"), undefined);
    assert.equal(errorCode(new Error("plain")), undefined);
  });
});
