import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { prefixEnd, RawClient } from "../../harness/index.ts";
import { converge } from "../checks/convergence.ts";
import { Cluster, type Member, until } from "../harness/index.ts";
import { clusterOptions, type ScenarioOptions, type ScenarioResult, withCluster } from "./scenario.ts";

export interface CatchUpOptions extends ScenarioOptions {
  /** Written while one member is down. */
  readonly entries: number;
  readonly writers?: number;
  readonly snapshotCount?: number;
  /** Which part of the throughput without the returning member the others must keep. */
  readonly keptMin?: number;
}

const BASELINE_MS = 5_000;
/** A member this many entries behind follows by the log. */
const FOLLOWS_LAG = 2_000;
const MEANWHILE_MS_MIN = 2_000;
const CATCH_UP_LIMIT_MS = 300_000;
const VALUE_PADDING = "x".repeat(64);

/** A member that missed more than the log keeps comes back by a snapshot, while the others go on serving. */
export async function catchUp(options: CatchUpOptions): Promise<ScenarioResult> {
  const { entries, writers = 64, snapshotCount, keptMin = 0.5 } = options;
  const more = snapshotCount === undefined ? {} : { snapshotCount };
  return withCluster(await Cluster.start(clusterOptions(options, 3, more)), async (cluster) => {
    const leader = await cluster.waitForLeader();
    const late = cluster.members.find((member) => member !== leader)!;
    await late.kill();
    const load = new Load(leader, writers);
    try {
      await until(
        `${entries} entries are written`,
        entries * 10 + 60_000,
        () => {
          load.throwIfBroken();
          return load.acknowledged >= entries ? true : undefined;
        },
        100,
      );
      const baseline = await load.rate(() => sleep(BASELINE_MS));
      options.say(`${load.acknowledged} entries written, ${baseline.toFixed(0)}/s without the late member`);
      const sentBefore = await snapshotsSent(cluster);
      const beganMs = performance.now();
      late.spawn();
      let caughtUpMs = Number.NaN;
      const during = await load.rate(async () => {
        caughtUpMs = await until(
          "the late member follows",
          CATCH_UP_LIMIT_MS,
          async () => {
            load.throwIfBroken();
            const [behind, ahead] = await Promise.all(
              [late, leader].map((member) => member.admin.status(2_000).catch(() => undefined)),
            );
            if (behind === undefined || ahead === undefined) return undefined;
            const lag = ahead.raftAppliedIndex - behind.raftAppliedIndex;
            return lag <= FOLLOWS_LAG ? performance.now() - beganMs : undefined;
          },
          100,
        );
        // A rate over less than that says nothing.
        await sleep(Math.max(0, MEANWHILE_MS_MIN - caughtUpMs));
      });
      const snapshots = (await snapshotsSent(cluster)) - sentBefore;
      await load.stop();
      const violations = await load.lost(cluster);
      const converged = await converge(cluster, 30_000).catch((error: Error) => {
        violations.push(error.message);
        return undefined;
      });
      const kept = during / baseline;
      if (kept < keptMin) {
        violations.push(
          `the others kept ${(100 * kept).toFixed(0)} % of their throughput, asked for ${100 * keptMin} %`,
        );
      }
      if (snapshots === 0) violations.push("by metrics and logs no snapshot was sent");
      return {
        violations,
        figures: {
          entries: load.acknowledged,
          "writes/s before": Math.round(baseline),
          "writes/s meanwhile": Math.round(during),
          "kept %": Math.round(100 * kept),
          "caught up after ms": Math.round(caughtUpMs),
          "snapshots sent": snapshots,
          "equal hashes after ms": Math.round(converged?.tookMs ?? Number.NaN),
        },
      };
    } finally {
      await load.stop();
    }
  });
}

/** Writers with a key each, one put in flight each; what was acknowledged is known by key. */
class Load {
  readonly #client: RawClient;
  readonly #acknowledged: number[];
  readonly #sent: number[];
  readonly #running: Promise<void>[];
  #isStopped = false;
  #failure: unknown;
  acknowledged = 0;

  constructor(member: Member, writers: number) {
    this.#client = new RawClient(member.endpoint);
    this.#acknowledged = Array.from({ length: writers }, () => 0);
    this.#sent = [...this.#acknowledged];
    this.#running = this.#sent.map((_, writer) => this.#write(writer));
  }

  throwIfBroken(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Writes acknowledged a second while `period` lasts. */
  async rate(period: () => Promise<void>): Promise<number> {
    const [before, beganMs] = [this.acknowledged, performance.now()];
    await period();
    return ((this.acknowledged - before) * 1_000) / (performance.now() - beganMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    this.#client.close();
  }

  /** Acknowledged writes that a member does not have. */
  async lost(cluster: Cluster): Promise<string[]> {
    const lost: string[] = [];
    for (const member of cluster.members) {
      const client = new RawClient(member.endpoint);
      try {
        const { kvs } = await client.range("load/", { rangeEnd: prefixEnd("load/"), timeoutMs: 20_000 });
        const values = new Map(kvs.map(({ key, value }) => [key, Number(value.split(":")[0])]));
        for (const [writer, serial] of this.#acknowledged.entries()) {
          const found = values.get(keyOf(writer)) ?? 0;
          if (found < serial || found > this.#sent[writer]!) {
            lost.push(`${member.name}: ${keyOf(writer)} is ${found}, acknowledged ${serial}`);
          }
        }
      } finally {
        client.close();
      }
    }
    return lost;
  }

  async #write(writer: number): Promise<void> {
    try {
      while (!this.#isStopped) {
        const serial = ++this.#sent[writer]!;
        await this.#client.put(keyOf(writer), `${serial}:${VALUE_PADDING}`);
        this.#acknowledged[writer] = serial;
        this.acknowledged += 1;
      }
    } catch (error) {
      // The leader stays up: no write may fail.
      this.#failure ??= error;
    }
  }
}

function keyOf(writer: number): string {
  return `load/${String(writer).padStart(4, "0")}`;
}

/** Snapshots sent so far: by the members' metrics (etcd shows the counter from the first on), or by what our log says. */
async function snapshotsSent(cluster: Cluster): Promise<number> {
  let [counted, logged] = [0, 0];
  for (const { folder, process } of cluster.upMembers) {
    const samples = /^\w*network_snapshot_send_success\w*(?:\{[^}]*\})? (\S+)$/gm;
    for (const match of (await process.metrics()).matchAll(samples)) counted += Number(match[1]);
    const log = readFileSync(join(folder, "server.log"), "utf8");
    logged += log.match(/"msg":"sent a snapshot to a peer"/g)?.length ?? 0;
  }
  return Math.max(counted, logged);
}
