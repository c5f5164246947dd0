/**
 * Clients that mean harm against a real server: npm run test:hostile [-- --only <part of a name>]. Each case must end in
 * a clear error or a bounded queue, the server must serve others during and after it, and its resident memory must come
 * back to within a fifth of what it was.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { RawClient, ServerProcess } from "../harness/index.ts";
import { type HostileCase, hostileCases, pour } from "./hostile-cases.ts";

const { values: flags } = parseArgs({
  options: { only: { type: "string", default: "" }, server: { type: "string", default: "metastore" } },
});

/** Memory may stay this much above what it was, and may need this long to come down: a collector works when it will. */
const RESIDENT_RATIO_MAX = 1.2;
const RELEASE_LIMIT_MS = 60_000;
const SAMPLE_MS = 50;
/** Honest puts between two looks at the memory. */
const SETTLE_BATCHES = 20;
const SETTLE_BATCH_PUTS = 100;
const SETTLE_VALUE = "v".repeat(1_000);
/** An honest client's put must be answered within this, also while a case runs. */
const ANSWER_LIMIT_MS = 5_000;

const megabytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(0)} MB`;

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "metastore-hostile-"));
  const server = await ServerProcess.start({ kind: flags.server === "etcd" ? "etcd" : "metastore", folder });
  const cases = hostileCases.filter((entry) => entry.name.includes(flags.only));
  let failed = 0;
  try {
    // The load of the cases by an honest client first: what the server needs for that anyway is not their doing.
    for (let round = 0; round < 3; round++) await pour(server.endpoint, "warm/", 100_000);
    for (const entry of cases) if (!(await survives(server, entry))) failed += 1;
  } finally {
    await server.kill();
    if (failed === 0) rmSync(folder, { recursive: true, force: true });
    else console.log(`data and log are kept in ${folder}`);
  }
  console.log(`${cases.length - failed} passed, ${failed} failed, 0 skipped`);
  return failed === 0 ? 0 : 1;
}

async function survives(server: ServerProcess, entry: HostileCase): Promise<boolean> {
  const before = await settled(server, Number.POSITIVE_INFINITY);
  let peak = before;
  const sampler = setInterval(() => {
    peak = Math.max(peak, server.usage().residentBytes);
  }, SAMPLE_MS);
  const problems: string[] = [];
  let outcome = "";
  try {
    const taken = await entry.run(server.endpoint);
    outcome = taken.outcome;
    await answers(server, "while it lasts", problems);
    taken.release();
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
  }
  await answers(server, "after it", problems);
  clearInterval(sampler);
  const limit = before * RESIDENT_RATIO_MAX;
  const after = await settled(server, limit);
  if (after > limit) problems.push(`resident memory is ${megabytes(after)}, was ${megabytes(before)}`);
  const memory = `${megabytes(before)} before, ${megabytes(peak)} at peak, ${megabytes(after)} after`;
  console.log(`${problems.length === 0 ? "ok  " : "FAIL"} ${entry.name}: ${outcome}; ${memory}`);
  for (const problem of problems) console.log(`     ${problem}`);
  return problems.length === 0;
}

async function answers(server: ServerProcess, when: string, problems: string[]): Promise<void> {
  const client = new RawClient(server.endpoint);
  const begin = performance.now();
  try {
    await client.put("honest", "v");
    const tookMs = performance.now() - begin;
    if (tookMs > ANSWER_LIMIT_MS) problems.push(`an honest put took ${tookMs.toFixed(0)} ms ${when}`);
  } catch (error) {
    problems.push(`an honest put failed ${when}: ${error}`);
  } finally {
    client.close();
  }
}

/**
 * Resident memory once it is below `limit` or no longer falls. What is dead goes when the collector looks at the whole
 * heap, which it does when enough has grown old: honest puts, kept until they are compacted, see to that.
 */
async function settled(server: ServerProcess, limit: number): Promise<number> {
  const client = new RawClient(server.endpoint);
  try {
    const deadline = performance.now() + (limit === Number.POSITIVE_INFINITY ? 5_000 : RELEASE_LIMIT_MS);
    let lowest = Number.POSITIVE_INFINITY;
    while (performance.now() < deadline) {
      let revision = 0;
      for (let batch = 0; batch < SETTLE_BATCHES; batch++) {
        const puts = Array.from({ length: SETTLE_BATCH_PUTS }, () => client.put("settle", SETTLE_VALUE));
        revision = Math.max(...(await Promise.all(puts)));
      }
      await client.compact(revision);
      await sleep(100);
      lowest = Math.min(lowest, server.usage().residentBytes);
      if (lowest <= limit && limit !== Number.POSITIVE_INFINITY) break;
    }
    return lowest;
  } finally {
    client.close();
  }
}

process.exitCode = await main();
