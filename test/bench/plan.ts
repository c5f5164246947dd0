/** What is measured, in the order it is run. */
export const workloadNames = [
  "put",
  "put-paced",
  "txn",
  "range",
  "range-serializable",
  "list",
  "lease",
  "keep-alive",
  "watch",
] as const;
export type WorkloadName = (typeof workloadNames)[number];

/** One point of the table: a workload by so many clients (watchers, for `watch`) at once. */
export interface Point {
  readonly workload: WorkloadName;
  readonly clients: number;
  readonly members: number;
}

const titles: Readonly<Record<WorkloadName, string>> = {
  put: "put",
  "put-paced": "put, at half of the other's top rate",
  txn: "txn (compare, put, get)",
  range: "get, linearizable",
  "range-serializable": "get, serializable",
  list: "list of 1,000 keys",
  lease: "lease grant",
  "keep-alive": "lease keep-alive",
  watch: "watch fan-out, events",
};

export function titleOf({ workload, members }: Point): string {
  return members === 1 ? titles[workload] : `${titles[workload]}, ${members} members`;
}

export interface PlanOptions {
  readonly only: readonly string[] | undefined;
  readonly clients: readonly number[] | undefined;
  readonly members: number | undefined;
  readonly isQuick: boolean;
}

/** How many clients (watchers) each workload is driven by when nobody says. */
const clientCounts: Readonly<Record<WorkloadName, readonly number[]>> = {
  put: [1, 10, 100, 1_000],
  "put-paced": [1_000],
  txn: [100, 1_000],
  range: [100, 1_000],
  "range-serializable": [100, 1_000],
  list: [100],
  lease: [100, 1_000],
  "keep-alive": [100, 1_000],
  watch: [100, 1_000, 10_000],
};
const quickCounts: Partial<typeof clientCounts> = { put: [1, 100] };
const CLUSTER_MEMBERS = 3;
const clusterCounts = [100, 1_000];

/** Throws on a name that is no workload. Without `members` one member, and puts on three as well. */
export function planOf({ only, clients, members, isQuick }: PlanOptions): Point[] {
  const unknown = only?.filter((name) => !workloadNames.some((known) => known === name)) ?? [];
  if (unknown.length > 0) {
    throw new Error(`--only knows ${workloadNames.join(", ")}, store and growth; not ${unknown.join(", ")}`);
  }
  const countsOf = (workload: WorkloadName): readonly number[] =>
    clients ?? (isQuick ? (quickCounts[workload] ?? [100]) : clientCounts[workload]);
  const chosen = workloadNames.filter((name) => only?.includes(name) ?? true);
  const points = chosen.flatMap((workload) =>
    countsOf(workload).map((count) => ({ workload, clients: count, members: members ?? 1 })),
  );
  if (members !== undefined || isQuick || !chosen.includes("put")) return points;
  const cluster = (clients ?? clusterCounts).map((count) => ({
    ...{ workload: "put" as const, clients: count },
    members: CLUSTER_MEMBERS,
  }));
  return [...points, ...cluster];
}

/** Points of one workload on as many members belong together. */
export function groupsOf(points: readonly Point[]): Point[][] {
  const groups = new Map<string, Point[]>();
  for (const point of points) {
    const key = `${point.workload} ${point.members}`;
    groups.set(key, [...(groups.get(key) ?? []), point]);
  }
  return [...groups.values()];
}
