import type { Cluster, ClusterKind, ClusterOptions } from "../harness/index.ts";

/** What every scenario is given. */
export interface ScenarioOptions {
  readonly kind: ClusterKind;
  /** For data and logs; made by the caller, who removes it. */
  readonly folder: string;
  readonly seed: number;
  readonly program?: string;
  readonly nodeFlags?: readonly string[];
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
  const { kind, folder, seed, program, nodeFlags } = options;
  return {
    ...{ kind, folder, seed, size },
    ...(program === undefined ? {} : { program }),
    ...(nodeFlags === undefined ? {} : { nodeFlags }),
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

/** The value below which `part` of the figures are. */
export function quantile(figures: readonly number[], part: number): number {
  const sorted = [...figures].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}
