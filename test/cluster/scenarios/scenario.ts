import type { Storage } from "../../harness/storages.ts";
import type { Verdict } from "../checks/verdict.ts";
import type { Cluster, ClusterKind, ClusterOptions } from "../harness/index.ts";
import type { Recorder } from "../workload/recorder.ts";
import type { Workload } from "../workload/workload.ts";

/** What every scenario is given. */
export interface ScenarioOptions {
  readonly kind: ClusterKind;
  /** For data and logs; made by the caller, who removes it. */
  readonly folder: string;
  readonly seed: number;
  readonly program?: string;
  readonly nodeFlags?: readonly string[];
  readonly storage?: Storage;
  /** Progress, for people. */
  readonly say: (text: string) => void;
}

export interface ScenarioResult {
  /** What was found broken; empty: passed. */
  readonly violations: readonly string[];
  /** Figures for the report, in the order they are shown. */
  readonly figures: Readonly<Record<string, number | string>>;
}

export function clusterOptions(
  options: ScenarioOptions,
  size: number,
  more: Partial<ClusterOptions> = {},
): ClusterOptions {
  const { kind, folder, seed, program, nodeFlags, storage } = options;
  return {
    ...{ kind, folder, seed, size },
    ...(program === undefined ? {} : { program }),
    ...(nodeFlags === undefined ? {} : { nodeFlags }),
    ...(storage === undefined ? {} : { storage }),
    ...more,
  };
}

/** Runs with a cluster that is gone afterwards, whatever happens. */
export async function withCluster<T>(cluster: Cluster, run: (cluster: Cluster) => Promise<T>): Promise<T> {
  try {
    return await run(cluster);
  } finally {
    await cluster.close();
  }
}

/** Runs with clients that are gone afterwards, whatever happens. */
export async function withWorkload<T>(
  workload: Workload,
  run: (workload: Workload) => Promise<T>,
): Promise<T> {
  try {
    return await run(workload);
  } finally {
    await workload.abort();
  }
}

/** What was found broken, and errors that no client should see, as lines. */
export function textsOf(verdict: Verdict, recorder: Recorder): string[] {
  const texts = verdict.violations.map(({ promise, detail }) => `${promise}: ${detail}`);
  const errors = [...new Set(recorder.finalErrors)];
  return errors.length === 0 ? texts : [...texts, `errors that no retry helps against: ${errors.join("; ")}`];
}

/** The value below which `part` of the figures are. */
export function quantile(figures: readonly number[], part: number): number {
  const sorted = [...figures].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}
