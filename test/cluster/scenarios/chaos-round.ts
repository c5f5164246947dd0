import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../../src/lib/prng.ts";
import { judge, type Verdict } from "../checks/verdict.ts";
import { Cluster, until } from "../harness/index.ts";
import { Nemesis } from "../nemesis/nemesis.ts";
import type { OutcomeCounts } from "../workload/recorder.ts";
import { Workload } from "../workload/workload.ts";
import { clusterOptions, type ScenarioOptions, textsOf, withCluster, withWorkload } from "./scenario.ts";

export interface ChaosOptions extends ScenarioOptions {
  /** How long faults go on. */
  readonly seconds: number;
  readonly clients?: number;
  /** Absent: drawn, 3 or 5. */
  readonly size?: number;
  readonly only?: readonly string[];
  /** Acknowledged operations a second below which the round is worth nothing. */
  readonly acknowledgedPerSecondMin?: number;
  /** The planted fault that the checks must find. */
  readonly areReadsStale?: boolean;
}

export interface ChaosReport {
  readonly seed: number;
  readonly setting: string;
  readonly violations: readonly string[];
  readonly faults: ReadonlyMap<string, number>;
  readonly faultsRefused: number;
  readonly counts: ReadonlyMap<string, OutcomeCounts>;
  readonly errors: ReadonlyMap<string, number>;
  readonly acknowledged: number;
  readonly acknowledgedPerSecond: number;
  readonly verdict: Verdict;
  /** From the end of the faults to the first write acknowledged. */
  readonly firstWriteMs: number;
}

/** Most of what keeps a round from more is faults that leave no quorum. */
const ACKNOWLEDGED_PER_SECOND_MIN = 20;
const SETTLE_MS = 500;
/** Once nothing fails any more, a write must come through within this. */
const FIRST_WRITE_LIMIT_MS = 10_000;

/** One fresh cluster under mixed faults for a while, then judged. The seed draws the cluster, the clients and the faults. */
export async function chaosRound(options: ChaosOptions): Promise<ChaosReport> {
  const prng = createPrng(options.seed);
  const size = options.size ?? (prng.below(3) === 0 ? 5 : 3);
  const snapshotCount = [50, 500, 5_000, 100_000][prng.below(4)]!;
  const seeds = { workload: prng.below(2 ** 31), nemesis: prng.below(2 ** 31) };
  const clients = options.clients ?? 8 + prng.below(5);
  const setting = `${size} members, ${clients} clients, snapshots every ${snapshotCount}`;
  options.say(`seed ${options.seed}: ${setting}`);
  return withCluster(await Cluster.start(clusterOptions(options, size, { snapshotCount })), (cluster) =>
    withWorkload(
      Workload.start(cluster, {
        ...{ clients, seed: seeds.workload, leaseClients: 2, watchers: 4 },
        areReadsStale: options.areReadsStale ?? false,
      }),
      async (workload) => ({ ...(await underFaults(cluster, workload, seeds.nemesis, options)), setting }),
    ),
  );
}

async function underFaults(
  cluster: Cluster,
  workload: Workload,
  seed: number,
  options: ChaosOptions,
): Promise<Omit<ChaosReport, "setting">> {
  const { recorder } = workload;
  const began = performance.now();
  const nemesis = new Nemesis({
    ...{ cluster, seed },
    note: (text) => options.say(`  ${((performance.now() - began) / 1_000).toFixed(1)} s: ${text}`),
    loggedRevision: () => workload.loggedRevision,
    compact: (member, revision) => workload.compact(member, revision),
    ...(options.only === undefined ? {} : { only: options.only }),
  });
  await sleep(SETTLE_MS);
  await nemesis.run(options.seconds * 1_000);
  const healedMs = performance.now();
  await cluster.heal();
  const quietFromMs = performance.now();
  const violations: string[] = [];
  const firstWriteMs = await until("a write is acknowledged", FIRST_WRITE_LIMIT_MS, () => {
    const first = recorder.firstWriteAfter(healedMs);
    return first === undefined ? undefined : first - healedMs;
  }).catch((error: Error) => {
    violations.push(`liveness: ${error.message}`);
    return Number.NaN;
  });
  const { acknowledged } = recorder;
  const acknowledgedPerSecond = (acknowledged * 1_000) / (performance.now() - began);
  const minimum = options.acknowledgedPerSecondMin ?? ACKNOWLEDGED_PER_SECOND_MIN;
  if (acknowledgedPerSecond < minimum) {
    violations.push(`vacuous: ${acknowledgedPerSecond.toFixed(0)} acknowledged/s, asked for ${minimum}`);
  }
  const verdict = await judge(cluster, workload, { healedMs, quietFromMs });
  violations.push(...textsOf(verdict, recorder));
  if (violations.length > 0) writeHistory(options.folder, workload);
  return {
    ...{ seed: options.seed, violations, verdict, firstWriteMs, acknowledged, acknowledgedPerSecond },
    ...{ faults: nemesis.counts, faultsRefused: nemesis.refusedCount },
    ...{ counts: recorder.counts, errors: recorder.errors },
  };
}

/** Everything the checks looked at, for whoever looks into it. */
function writeHistory(folder: string, { recorder }: Workload): void {
  const { operations, serializableReads, watches, leases, log } = recorder;
  const text = JSON.stringify(
    { operations, serializableReads, watches, leases, log: log.revisions },
    (_, value: unknown) => (value === Number.POSITIVE_INFINITY ? "Infinity" : value),
    1,
  );
  writeFileSync(join(folder, "history.json"), text);
}
