import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../../src/lib/prng.ts";
import { judge } from "../checks/verdict.ts";
import { Cluster } from "../harness/index.ts";
import { Workload } from "../workload/workload.ts";
import {
  clusterOptions,
  type ScenarioOptions,
  type ScenarioResult,
  textsOf,
  withCluster,
  withWorkload,
} from "./scenario.ts";

export interface GrowAndShrinkOptions extends ScenarioOptions {
  readonly clients?: number;
  /** How often from three to five and back. */
  readonly cycles?: number;
}

/** From one member to three, to five and back to three while clients write: no error but those a retry helps against. */
export async function growAndShrink(options: GrowAndShrinkOptions): Promise<ScenarioResult> {
  const prng = createPrng(options.seed);
  const { clients = 16, cycles = 1 } = options;
  return withCluster(await Cluster.start(clusterOptions(options, 1)), (cluster) =>
    withWorkload(
      Workload.start(cluster, { clients, seed: prng.below(2 ** 31), pauseMs: 20 }),
      async (workload) => {
        let changes = 0;
        const grow = async (size: number): Promise<void> => {
          while (cluster.members.length < size) {
            // The even ones begin as learners, the others as voters at once.
            const isLearner = cluster.members.length % 2 === 1;
            const member = await cluster.add(isLearner, 30_000);
            // A learner serves no reads: it is ready when it can be promoted.
            if (isLearner) await cluster.promote(member, 30_000);
            await member.ready();
            changes += isLearner ? 2 : 1;
            options.say(`${cluster.members.length} members`);
            await sleep(300);
          }
        };
        await grow(3);
        for (let cycle = 0; cycle < cycles; cycle++) {
          await grow(5);
          // A follower first, then the leader itself.
          const leader = await cluster.waitForLeader();
          await cluster.remove(cluster.members.find((member) => member !== leader)!, 30_000);
          await sleep(300);
          await cluster.remove(await cluster.waitForLeader(), 30_000);
          changes += 2;
          options.say(`${cluster.members.length} members`);
          await sleep(1_000);
        }
        const healedMs = performance.now();
        const verdict = await judge(cluster, workload, { healedMs, quietFromMs: healedMs });
        const { recorder } = workload;
        return {
          violations: textsOf(verdict, recorder),
          figures: {
            "membership changes": changes,
            clients,
            acknowledged: recorder.acknowledged,
            "retryable errors": [...recorder.errors.values()].reduce((sum, count) => sum + count, 0),
            "operations checked": verdict.operationsChecked,
          },
        };
      },
    ),
  );
}
