/** What the load generator calls the workloads, in the order they are run. */
export const workloadNames = ["put", "txn", "range", "range-serializable", "list", "lease", "watch"] as const;
export type WorkloadName = (typeof workloadNames)[number];

/** One point of the table: a workload by so many clients (watchers, for `watch`) at once. */
export interface Point {
  readonly workload: WorkloadName;
  readonly clients: number;
}

export const workloadTitles: Readonly<Record<WorkloadName, string>> = {
  put: "put",
  txn: "txn (compare, put)",
  range: "range of one key, linearizable",
  "range-serializable": "range of one key, serializable",
  list: "list of 1,000 keys",
  lease: "lease grant",
  watch: "watch fan-out, events to N watchers",
};

export interface PlanOptions {
  readonly only: readonly string[] | undefined;
  readonly clients: readonly number[] | undefined;
  readonly isQuick: boolean;
}

/** Throws on a name that is no workload. */
export function planOf(options: PlanOptions): Point[] {
  const unknown = options.only?.filter((name) => !workloadNames.some((known) => known === name)) ?? [];
  if (unknown.length > 0)
    throw new Error(`--only knows ${workloadNames.join(", ")}; not ${unknown.join(", ")}`);
  const clients = options.clients ?? (options.isQuick ? [1, 100] : [1, 10, 100, 1000]);
  const watchers = options.clients ?? (options.isQuick ? [100] : [100, 1000]);
  return workloadNames
    .filter((name) => options.only?.includes(name) ?? true)
    .flatMap((workload) =>
      (workload === "watch" ? watchers : clients).map((count) => ({ workload, clients: count })),
    );
}
