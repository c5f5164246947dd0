import assert from "node:assert/strict";
import { plantedBugs } from "./planted.ts";
import { InvariantBroken } from "./tripwire.ts";
import { runWorld, type WorldRun } from "./world.ts";

const SEED = Number(process.env.METASTORE_SEED ?? 1);
const SEEDS = 6;
const SAFETY_MS = 8_000;
/** The canary must die within this many seeds. */
const CANARY_SEEDS_MAX = 20;

async function run(seed: number, rest: Partial<WorldRun> = {}) {
  return await runWorld({ seed, safetyMs: SAFETY_MS, ...rest }).catch((error: Error) => {
    error.message = `npm run sim -- --seed ${seed} --time ${SAFETY_MS / 1000}s: ${error.message}`;
    throw error;
  });
}

describe("A simulated cluster", function () {
  this.timeout(120_000);

  it(`keeps every promise through its misfortunes, and comes to rest (seeds ${SEED} to ${SEED + SEEDS - 1})`, async () => {
    let checked = 0;
    for (let seed = SEED; seed < SEED + SEEDS; seed++) {
      checked += (await run(seed)).counts.of("operations checked");
    }
    assert.ok(checked > 0, "clients did something");
  });

  for (const members of [1, 3, 5]) {
    it(`works with ${members} members`, async () => {
      const { counts } = await run(SEED, { members, safetyMs: 3_000 });
      assert.ok(counts.of("operations checked") > 0);
    });
  }

  for (const storage of ["rocksdb", "mixed"] as const) {
    it(`keeps every promise with members whose storage is ${storage}`, async () => {
      const { counts } = await run(SEED, { members: 3, safetyMs: 3_000, storage });
      assert.ok(counts.of("operations checked") > 0);
    });
  }

  it("takes the same course for the same seed, and another for another", async () => {
    const first = await run(SEED, { members: 3, safetyMs: 3_000 });
    const second = await run(SEED, { members: 3, safetyMs: 3_000 });
    const other = await run(SEED + 1, { members: 3, safetyMs: 3_000 });
    assert.equal(first.traceHash, second.traceHash);
    assert.deepEqual(first.counts.entries(), second.counts.entries());
    assert.notEqual(first.traceHash, other.traceHash);
  });

  for (const name of ["serve a read without ReadIndex", "acknowledge before quorum"]) {
    it(`turns red when the members ${name} (the canary)`, async () => {
      const bug = plantedBugs.find((planted) => planted.name === name);
      assert.ok(bug !== undefined);
      for (let seed = 1; seed <= CANARY_SEEDS_MAX; seed++) {
        try {
          await run(seed, { seams: bug.seams });
        } catch (error) {
          assert.ok(error instanceof InvariantBroken, String(error));
          return;
        }
      }
      assert.fail(`not found within ${CANARY_SEEDS_MAX} seeds`);
    });
  }
});
