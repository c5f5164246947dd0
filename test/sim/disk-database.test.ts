import assert from "node:assert/strict";
import { StorageFailure } from "../../src/lib/errors.ts";
import { createPrng } from "../../src/lib/prng.ts";
import { SimDiskDatabase } from "./disk-database.ts";

const key = Buffer.from("k");

function write(database: SimDiskDatabase, i: number, isSynced = false): Promise<void> {
  return database.write([{ key, value: Buffer.from([i]) }], { isSynced });
}

async function valueIn(database: SimDiskDatabase): Promise<number | undefined> {
  const [value] = await database.getMany([key]);
  return value?.[0];
}

describe("SimDiskDatabase", () => {
  it("fails the operation it is told to, and every one after it with the same failure", async () => {
    for (const fail of ["failAt", "failNext"]) {
      const database = new SimDiskDatabase({ seed: 1, ...(fail === "failAt" ? { failAt: 3 } : {}) });
      await write(database, 1);
      await database.compact(key, Buffer.from("l"));
      if (fail === "failNext") database.failNext();
      const results = await Promise.allSettled([
        write(database, 2),
        write(database, 3),
        database.clear(key, key),
      ]);
      const reasons = results.map((result) => (result.status === "rejected" ? result.reason : undefined));
      assert.ok(reasons[0] instanceof StorageFailure);
      assert.deepEqual(new Set(reasons).size, 1);
    }
  });

  it("lets a failed write have happened or not, by the seed", async () => {
    const found = new Set<number | undefined>();
    for (let seed = 0; seed < 30; seed++) {
      const database = new SimDiskDatabase({ seed, failAt: 2 });
      await write(database, 1, true);
      await assert.rejects(write(database, 2));
      found.add(await valueIn(database));
    }
    assert.deepEqual([...found].sort(), [1, 2]);
  });

  it("ends nothing that a crash came before, in or after", async () => {
    const database = new SimDiskDatabase({ seed: 1, crashAt: 2 });
    await write(database, 1);
    const iterator = database.iterate({ start: key, end: Buffer.from("l") });
    const ended: string[] = [];
    const note = (what: string) => () => void ended.push(what);
    void write(database, 2).finally(note("in"));
    await database.crashed;
    void write(database, 3).finally(note("after"));
    void database.getMany([key]).finally(note("read"));
    void iterator.next(1).finally(note("next"));
    void database.close().finally(note("close"));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(ended, []);
    assert.equal(database.operations, 2);
  });

  it("loses at a crash what was not synced, all of it or a part by the seed, and nothing else", async () => {
    const found = { clean: new Set<number>(), torn: new Set<number>(), dropped: new Set<number>() };
    for (let seed = 0; seed < 100; seed++) {
      for (const mode of ["clean", "torn", "dropped"] as const) {
        const database = new SimDiskDatabase({ seed });
        for (let i = 0; i < 8; i++) await write(database, i, i === 4);
        found[mode].add((await valueIn(database.reboot(mode, { seed })))!);
      }
    }
    assert.deepEqual([...found.dropped], [4]);
    for (const mode of ["clean", "torn"] as const) assert.deepEqual([...found[mode]].sort(), [4, 5, 6, 7]);
  });

  it("lets a crash come in the middle of a clear", async () => {
    const left = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const database = new SimDiskDatabase({ seed });
      const operations = Array.from({ length: 10 }, (_, i) => ({ key: Buffer.from([i]), value: key }));
      await database.write(operations, { isSynced: true });
      await database.clear(Buffer.from([0]), Buffer.from([10]));
      const after = database.reboot("torn", { seed });
      left.add((await after.iterate({ start: Buffer.from([0]), end: Buffer.from([10]) }).next(20)).length);
    }
    assert.deepEqual(
      [...left].sort((a, b) => a - b),
      [0, 1, 4, 7, 10],
    );
  });

  it("takes the time it is told, and gives the same course to the same seed", async () => {
    const course = async (seed: number): Promise<string> => {
      const events: string[] = [];
      const prng = createPrng(seed);
      const delay = async (operation: string): Promise<void> => {
        events.push(operation);
        for (let i = prng.below(20); i > 0; i--) await undefined;
      };
      const database = new SimDiskDatabase({ seed, delay });
      const work: Promise<unknown>[] = [];
      for (let i = 0; i < 30; i++) {
        work.push(write(database, i, i % 3 === 0).then(() => events.push(`wrote ${i}`)));
        work.push(valueIn(database).then((value) => events.push(`${i} saw ${value}`)));
        await undefined;
      }
      await Promise.all(work);
      return events.join();
    };
    assert.equal(await course(1), await course(1));
    assert.notEqual(await course(1), await course(2));
  });
});
