import assert from "node:assert/strict";
import { runCoreWorld } from "./core-world.ts";

const isFull = process.env.METASTORE_FULL === "1";
const SEED = Number(process.env.METASTORE_SEED ?? 1);
const SEEDS = isFull ? 2_000 : 20;
const SAFETY_MS = isFull ? 30_000 : 10_000;

describe("Raft alone in a hostile world", function () {
  this.timeout(isFull ? 3_600_000 : 60_000);

  it(`breaks no invariant and comes to rest at peace (seeds ${SEED} to ${SEED + SEEDS - 1})`, async () => {
    let acknowledged = 0;
    for (let seed = SEED; seed < SEED + SEEDS; seed++) {
      const outcome = await runCoreWorld({ seed, safetyMs: SAFETY_MS }).catch((error: Error) => {
        error.message = `METASTORE_SEED=${seed}: ${error.message}`;
        throw error;
      });
      acknowledged += outcome.acknowledged;
    }
    assert.ok(acknowledged > 0, "proposals were committed");
  });

  it("takes the same course for the same seed", async () => {
    const first = await runCoreWorld({ seed: SEED, safetyMs: 5_000 });
    const second = await runCoreWorld({ seed: SEED, safetyMs: 5_000 });
    const other = await runCoreWorld({ seed: SEED + 1, safetyMs: 5_000 });
    assert.equal(first.traceHash, second.traceHash);
    assert.notEqual(first.traceHash, other.traceHash);
  });
});
