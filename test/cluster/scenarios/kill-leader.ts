import { setTimeout as sleep } from "node:timers/promises";
import { createPrng } from "../../../src/lib/prng.ts";
import { judge } from "../checks/verdict.ts";
import { Cluster } from "../harness/index.ts";
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

export interface KillLeaderOptions extends ScenarioOptions {
  readonly kills: number;
  readonly clients?: number;
}

/**
 * The leader is killed again and again under load: writes go on within two election time-outs, and none is lost. The
 * members reach each other without a proxy, so that a dead process refuses connections as it does in life.
 */
export async function killLeader(options: KillLeaderOptions): Promise<ScenarioResult> {
  const prng = createPrng(options.seed);
  return withCluster(await Cluster.start(clusterOptions(options, 3, { isProxied: false })), (cluster) =>
    withWorkload(
      Workload.start(cluster, { clients: options.clients ?? 8, seed: prng.below(2 ** 31), pauseMs: 20 }),
      async (workload) => {
        const { recorder } = workload;
        const prober = new Prober(cluster, recorder);
        const outagesMs: number[] = [];
        const violations: string[] = [];
        for (let kill = 1; kill <= options.kills; kill++) {
          await sleep(300 + prng.below(400));
          const leader = await cluster.waitForLeader();
          const dying = leader.kill();
          const tookMs = await prober.firstAcknowledged({
            members: () => cluster.upMembers,
            limitMs: 15_000,
          });
          await dying;
          if (tookMs === undefined) violations.push(`kill ${kill}: no write was acknowledged within 15 s`);
          else outagesMs.push(tookMs);
          leader.spawn();
          await leader.ready();
          if (kill % 10 === 0) options.say(`${kill} kills, the last outage ${tookMs?.toFixed(0)} ms`);
        }
        const healedMs = performance.now();
        await prober.close();
        const verdict = await judge(cluster, workload, { healedMs, quietFromMs: healedMs });
        violations.push(...textsOf(verdict, recorder));
        const limitMs = 2 * cluster.electionTimeoutMs;
        const p99 = quantile(outagesMs, 0.99);
        if (p99 > limitMs) {
          violations.push(`first write after a kill: p99 ${p99.toFixed(0)} ms, limit ${limitMs} ms`);
        }
        return {
          violations,
          figures: {
            kills: options.kills,
            "first write p50 ms": Math.round(quantile(outagesMs, 0.5)),
            "first write p99 ms": Math.round(p99),
            "first write max ms": Math.round(quantile(outagesMs, 1)),
            "limit ms": limitMs,
            acknowledged: recorder.acknowledged,
            "operations checked": verdict.operationsChecked,
          },
        };
      },
    ),
  );
}
