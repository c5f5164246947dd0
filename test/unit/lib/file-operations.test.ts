import assert from "node:assert/strict";
import { freeInSteps, retire, writeFully } from "../../../src/lib/file-operations.ts";
import type { Fs } from "../../../src/lib/fs.ts";
import { SimClock } from "../../sim/clock.ts";
import { SimFs } from "../../sim/disk.ts";

const MIB = 1024 * 1024;

/** A file of that size at /a, and what is done to it from now on. */
async function setUp(sizeBytes: number): Promise<{ fs: Fs; done: string[] }> {
  const fs = new SimFs({ seed: 1 });
  const created = await fs.open("/a", { access: "create" });
  await writeFully(created, [Buffer.alloc(sizeBytes, 1)], 0);
  await created.close();
  const done: string[] = [];
  const note = (target: object, name: string): void => {
    const methods = target as Record<string, (...args: unknown[]) => unknown>;
    const method = methods[name]!;
    methods[name] = (...args) => {
      done.push([name, ...args].join(" "));
      return method.apply(target, args);
    };
  };
  for (const name of ["rename", "syncDirectory", "unlink"]) note(fs, name);
  const open = fs.open.bind(fs);
  fs.open = async (...args) => {
    const file = await open(...args);
    for (const name of ["truncate", "sync"]) note(file, name);
    return file;
  };
  return { fs, done };
}

describe("Files that nothing needs any more", () => {
  it("are out of use durably before anything of them goes", async () => {
    const { fs, done } = await setUp(10);
    assert.equal(await retire(fs, "/a"), "/a.tmp");
    assert.deepEqual(done, ["rename /a /a.tmp", "syncDirectory /"]);
    await freeInSteps(fs, "/a.tmp");
    assert.deepEqual(await fs.readDirectory("/"), []);
  });

  it("are freed four mebibytes at a time, each durably before the next", async () => {
    const { fs, done } = await setUp(9 * MIB);
    await freeInSteps(fs, "/a");
    assert.deepEqual(done, [...[`truncate ${5 * MIB}`, "sync", `truncate ${MIB}`, "sync"], "unlink /a"]);
    assert.deepEqual(await fs.readDirectory("/"), []);
  });

  it("leave the disk to others four times as long as a step took, and no longer once somebody waits", async () => {
    const { fs, done } = await setUp(13 * MIB);
    const clock = new SimClock();
    const open = fs.open.bind(fs);
    fs.open = async (...args) => {
      const file = await open(...args);
      const sync = file.sync.bind(file);
      file.sync = () => {
        clock.advance(5);
        return sync();
      };
      return file;
    };
    let isHurried = false;
    const freed = freeInSteps(fs, "/a", { clock, isHurried: () => isHurried });
    const stepsAfter = async (ms: number): Promise<number> => {
      clock.advance(ms);
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
      return done.filter((operation) => operation === "sync").length;
    };
    assert.equal(await stepsAfter(0), 1);
    assert.equal(await stepsAfter(19), 1);
    isHurried = true;
    assert.equal(await stepsAfter(1), 3);
    await freed;
    assert.deepEqual(await fs.readDirectory("/"), []);
  });
});
