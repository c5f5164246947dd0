import type { Measurement } from "./generator.ts";
import type { Point } from "./plan.ts";
import { ratioOf, spreadText } from "./ratio.ts";

/** What a ratio is to be at least or at most. */
export interface Aim {
  readonly perSecondMin?: number;
  readonly cpuMax?: number;
  readonly p50Max?: number;
  readonly p99Max?: number;
}

const figures = [
  ["perSecondMin", "≥", "throughput", (run: Measurement) => run.perSecond],
  ["cpuMax", "≤", "CPU", (run: Measurement) => run.cpuUs],
  ["p50Max", "≤", "p50", (run: Measurement) => run.p50Us],
  ["p99Max", "≤", "p99", (run: Measurement) => run.p99Us],
] as const;

/** Against etcd. */
export function etcdAimOf({ workload, clients, members }: Point): Aim | undefined {
  switch (workload) {
    case "put":
      if (clients >= 100) return { perSecondMin: 2, cpuMax: 0.45 };
      return members === 1 ? { perSecondMin: 1.2, cpuMax: 0.7, p50Max: 1 } : undefined;
    case "put-paced":
      return { p99Max: 1 };
    case "txn":
      return clients >= 100 ? { perSecondMin: 2, cpuMax: 0.45 } : undefined;
    case "range":
    case "range-serializable":
      return clients >= 100 ? { perSecondMin: 3, cpuMax: 0.25 } : undefined;
    case "list":
      return { perSecondMin: 2, cpuMax: 0.6 };
    case "lease":
    case "keep-alive":
      return clients >= 100 ? { perSecondMin: 2, cpuMax: 0.5 } : undefined;
    case "watch":
      return { perSecondMin: clients >= 1_000 ? 1.1 : 1.8, cpuMax: 0.6 };
  }
}

/** The engine on disk against the one in memory; at a pace that is given there is nothing to aim at. */
export function engineAimOf({ workload }: Point): Aim | undefined {
  return workload === "put-paced" ? undefined : { perSecondMin: 0.8 };
}
/** A large store against a small one: within a quarter. */
export const growthAim: Aim = { perSecondMin: 0.75 };
/** All of MetaStore against the transport of grpc-js alone. */
export const transportAim: Aim = { perSecondMin: 0.7 };

export function aimText(aim: Aim): string {
  return figures
    .filter(([key]) => aim[key] !== undefined)
    .map(([key, sign, name]) => `${name} ${sign} ${aim[key]}`)
    .join(", ");
}

/** "yes", or what is missed, by the medians; with the ratios of latencies, which have no column of their own. */
export function verdict(aim: Aim, runs: readonly Measurement[], baseRuns: readonly Measurement[]): string {
  const missed: string[] = [];
  const latencies: string[] = [];
  for (const [key, sign, name, pick] of figures) {
    const bound = aim[key];
    if (bound === undefined) continue;
    const ratio = ratioOf(runs, baseRuns, pick);
    const isReached = sign === "≥" ? ratio.median >= bound : ratio.median <= bound;
    if (!isReached) missed.push(name);
    if (key === "p50Max" || key === "p99Max") latencies.push(`; ${name} ${spreadText(ratio)}`);
  }
  return `${missed.length === 0 ? "yes" : `no: ${missed.join(", ")}`}${latencies.join("")}`;
}
