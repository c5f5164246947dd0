import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../../src/lib/prng.ts";
import { judge } from "../checks/verdict.ts";
import { Cluster } from "../harness/index.ts";
import { Prober } from "../workload/prober.ts";
import { Workload } from "../workload/workload.ts";
import {
  clusterOptions,
  type ScenarioOptions,
  type ScenarioResult,
  textsOf,
  withCluster,
  withWorkload,
} from "./scenario.ts";

export interface PausedLeaderOptions extends ScenarioOptions {
  readonly rounds: number;
}

const READS_WAITING = 16;
const READS_AFTER = 100;

/**
 * The leader sleeps while the others elect another and take writes. Reads wait in its sockets for the moment it wakes,
 * when it still believes to lead; none may answer what was true when it fell asleep.
 */
export async function pausedLeader(options: PausedLeaderOptions): Promise<ScenarioResult> {
  const prng = createPrng(options.seed);
  return withCluster(await Cluster.start(clusterOptions(options, 3)), (cluster) =>
    withWorkload(
      Workload.start(cluster, { clients: 4, seed: prng.below(2 ** 31), pauseMs: 20 }),
      async (workload) => {
        const { recorder } = workload;
        const prober = new Prober(cluster, recorder);
        const violations: string[] = [];
        let [answered, asked] = [0, 0];
        for (let round = 0; round < options.rounds; round++) {
          await sleep(300);
          const leader = await cluster.waitForLeader();
          const others = cluster.members.filter((member) => member !== leader);
          // So that there is a connection for the reads to wait on.
          await prober.put(leader);
          await prober.read(leader);
          leader.pause();
          try {
            const tookMs = await prober.firstAcknowledged({ members: () => others, limitMs: 15_000 });
            if (tookMs === undefined) throw new Error("the others took no write within 15 s");
            const writtenRevision = recorder.log.last;
            const check = (revision: number | undefined): void => {
              if (revision === undefined) return;
              answered += 1;
              if (revision >= writtenRevision) return;
              violations.push(
                `round ${round}: a read answered revision ${revision}, ${writtenRevision} was written`,
              );
            };
            const reads: Promise<void>[] = [];
            for (let i = 0; i < READS_WAITING; i++) reads.push(prober.read(leader, 8_000).then(check));
            await sleep(100 + prng.below(500));
            leader.resume();
            for (let i = 0; i < READS_AFTER; i++) {
              reads.push(prober.read(leader, 8_000).then(check));
              if (i % 10 === 9) await sleep(2);
            }
            asked += reads.length;
            await Promise.all(reads);
          } finally {
            if (leader.state === "paused") leader.resume();
          }
        }
        const healedMs = performance.now();
        await prober.close();
        const verdict = await judge(cluster, workload, { healedMs, quietFromMs: healedMs });
        violations.push(...textsOf(verdict, recorder));
        if (answered === 0) violations.push("vacuous: no read was answered by a leader that woke");
        return {
          violations,
          figures: {
            pauses: options.rounds,
            "reads of the woken": asked,
            "of which answered": answered,
            "operations checked": verdict.operationsChecked,
          },
        };
      },
    ),
  );
}
