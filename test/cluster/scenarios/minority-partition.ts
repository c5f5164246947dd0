import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../../src/lib/prng.ts";
import { judge } from "../checks/verdict.ts";
import { Cluster, type LinkFault } from "../harness/index.ts";
import { Prober } from "../workload/prober.ts";
import { Workload } from "../workload/workload.ts";
import {
  clusterOptions,
  quantile,
  type ScenarioOptions,
  type ScenarioResult,
  textsOf,
  withCluster,
  withWorkload,
} from "./scenario.ts";

export interface MinorityPartitionOptions extends ScenarioOptions {
  readonly rounds: number;
  readonly size: 3 | 5;
  readonly holdMs?: number;
}

const faults: readonly LinkFault[] = [{ kind: "stall" }, { kind: "drop" }, { kind: "reset" }];

/**
 * The leader is cut off with less than half of the members: nothing sent to them from then on is acknowledged or read,
 * the others go on, and in the end all have equal hashes.
 */
export async function minorityPartition(options: MinorityPartitionOptions): Promise<ScenarioResult> {
  const prng = createPrng(options.seed);
  const { holdMs = 4_000 } = options;
  return withCluster(await Cluster.start(clusterOptions(options, options.size)), (cluster) =>
    withWorkload(
      Workload.start(cluster, { clients: 6, seed: prng.below(2 ** 31), pauseMs: 20 }),
      async (workload) => {
        const { recorder } = workload;
        const prober = new Prober(cluster, recorder);
        const violations: string[] = [];
        const outagesMs: number[] = [];
        let asked = 0;
        let healedMs = 0;
        for (let round = 0; round < options.rounds; round++) {
          await sleep(500);
          const leader = await cluster.waitForLeader();
          const others = cluster.members.filter((member) => member !== leader);
          const minority = [leader, ...others.slice(0, (options.size - 3) / 2)];
          const majority = cluster.members.filter((member) => !minority.includes(member));
          const fault = faults[round % faults.length]!;
          cluster.links.split(
            minority.map(({ name }) => name),
            majority.map(({ name }) => name),
            fault,
          );
          const endMs = performance.now() + holdMs;
          // An answer counts while the links are cut; afterwards the members may well find each other and answer.
          let isCut = true;
          const check = (what: string) => (answer: unknown) => {
            if (isCut && answer !== undefined && answer !== false) {
              violations.push(`round ${round}: a minority (${fault.kind}) ${what} after it was cut off`);
            }
          };
          const majorityServes = prober
            .firstAcknowledged({ members: () => majority, limitMs: holdMs })
            .then((tookMs) => {
              if (tookMs !== undefined) outagesMs.push(tookMs);
              else violations.push(`round ${round}: the majority took no write within ${holdMs} ms`);
            });
          while (performance.now() < endMs) {
            for (const member of minority) {
              asked += 2;
              void prober.put(member).then(check("acknowledged a write"));
              void prober.read(member).then(check("served a linearizable read"));
            }
            await sleep(50);
          }
          await majorityServes;
          isCut = false;
          cluster.links.heal();
          healedMs = performance.now();
        }
        await prober.close();
        const verdict = await judge(cluster, workload, { healedMs, quietFromMs: healedMs });
        violations.push(...textsOf(verdict, recorder));
        return {
          violations,
          figures: {
            rounds: options.rounds,
            members: options.size,
            "calls to minorities": asked,
            "majority's first write p50 ms": Math.round(quantile(outagesMs, 0.5)),
            "majority's first write max ms": Math.round(quantile(outagesMs, 1)),
            "equal hashes after ms": Math.round(verdict.convergedMs),
            "operations checked": verdict.operationsChecked,
          },
        };
      },
    ),
  );
}
