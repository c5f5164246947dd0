import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chaosRound } from "./scenarios/chaos-round.ts";
import { scenarios } from "./scenarios/index.ts";
import type { ScenarioOptions } from "./scenarios/scenario.ts";

const seed = Number(process.env["CLUSTER_SEED"] ?? Date.now() % 1_000_000);
/** Another bin/run.js, or another etcd. */
const program = process.env["CLUSTER_PROGRAM"];
/** CLUSTER_SERVER=etcd proves the harness on etcd. */
const kind = process.env["CLUSTER_SERVER"] === "etcd" ? "etcd" : "metastore";

describe(`a cluster of real processes (${kind}, CLUSTER_SEED=${seed})`, () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "metastore-cluster-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const options = (): ScenarioOptions => ({
    ...{ kind, folder, seed, say: () => {} },
    ...(program === undefined ? {} : { program }),
  });

  for (const { name, promise, minutes, run } of scenarios) {
    it(`${promise} (${name})`, async function () {
      this.timeout(minutes[1] * 60_000);
      const { violations } = await run(options(), true);
      assert.deepEqual(violations, []);
    });
  }

  it("keeps every promise under mixed faults for ten seconds", async function () {
    this.timeout(90_000);
    const { violations } = await chaosRound({ ...options(), seconds: 10, size: 3, clients: 8 });
    assert.deepEqual(violations, []);
  });

  it("is found out when its linearizable reads are not", async function () {
    this.timeout(90_000);
    const planted = { seconds: 10, size: 3, clients: 8, areReadsStale: true, only: ["partition", "slow"] };
    const { violations } = await chaosRound({ ...options(), ...planted });
    assert.ok(violations.some((text) => text.startsWith("real time")));
  });
});
