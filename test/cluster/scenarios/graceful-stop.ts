import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../../src/lib/prng.ts";
import { judge } from "../checks/verdict.ts";
import { Cluster, until } from "../harness/index.ts";
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

export interface GracefulStopOptions extends ScenarioOptions {
  readonly rounds: number;
}

const NEW_LEADER_LIMIT_MS = 500;
const EXIT_LIMIT_MS = 1_500;

/** SIGTERM on the leader: it hands over before it goes. */
export async function gracefulStop(options: GracefulStopOptions): Promise<ScenarioResult> {
  const prng = createPrng(options.seed);
  return withCluster(await Cluster.start(clusterOptions(options, 3)), (cluster) =>
    withWorkload(
      Workload.start(cluster, { clients: 4, seed: prng.below(2 ** 31), pauseMs: 20 }),
      async (workload) => {
        const prober = new Prober(cluster, workload.recorder);
        const violations: string[] = [];
        const [electedMs, exitedMs, outagesMs]: number[][] = [[], [], []];
        for (let round = 0; round < options.rounds; round++) {
          await sleep(500);
          const leader = await cluster.waitForLeader();
          const beganMs = performance.now();
          const stopping = leader.stop();
          const elected = until("another leader", 15_000, () => cluster.leader(), 5).then(
            () => performance.now() - beganMs,
          );
          const probing = prober.firstAcknowledged({ members: () => cluster.upMembers, limitMs: 15_000 });
          const [{ exitCode, tookMs }, newLeaderMs, outageMs] = await Promise.all([
            stopping,
            elected,
            probing,
          ]);
          electedMs!.push(newLeaderMs);
          exitedMs!.push(tookMs);
          outagesMs!.push(outageMs ?? Number.POSITIVE_INFINITY);
          // etcd ends by the signal itself.
          if (cluster.kind === "metastore" && exitCode !== 0) violations.push(`exit code ${exitCode}`);
          leader.spawn();
          await leader.ready();
        }
        const healedMs = performance.now();
        await prober.close();
        const verdict = await judge(cluster, workload, { healedMs, quietFromMs: healedMs });
        violations.push(...textsOf(verdict, workload.recorder));
        const [elected, exited] = [quantile(electedMs!, 1), quantile(exitedMs!, 1)];
        if (elected > NEW_LEADER_LIMIT_MS)
          violations.push(`a new leader after ${elected.toFixed(0)} ms, limit ${NEW_LEADER_LIMIT_MS}`);
        if (exited > EXIT_LIMIT_MS)
          violations.push(`the process ended after ${exited.toFixed(0)} ms, limit ${EXIT_LIMIT_MS}`);
        return {
          violations,
          figures: {
            stops: options.rounds,
            "new leader p50 ms": Math.round(quantile(electedMs!, 0.5)),
            "new leader max ms": Math.round(elected),
            "exit max ms": Math.round(exited),
            "first write max ms": Math.round(quantile(outagesMs!, 1)),
            "operations checked": verdict.operationsChecked,
          },
        };
      },
    ),
  );
}
