import { checkLeases, checkStoreHistory, checkWatches, type Violation } from "../../checkers/index.ts";
import type { Cluster } from "../harness/index.ts";
import { until } from "../harness/index.ts";
import type { Workload } from "../workload/workload.ts";
import { converge, differenceOf, historyOf } from "./convergence.ts";

export interface Verdict {
  readonly violations: readonly Violation[];
  readonly operationsChecked: number;
  readonly watchEventsChecked: number;
  readonly leasesChecked: number;
  readonly revision: number;
  /** From the end of the faults until all members had equal hashes. */
  readonly convergedMs: number;
}

export interface VerdictOptions {
  /** When the last fault ended. */
  readonly healedMs: number;
  /** From when on all members were up and answered. */
  readonly quietFromMs: number;
  readonly convergeLimitMs?: number;
}

/** How long a lease that is over may stay in quiet: an election, and etcd's check twice a second. */
const LEASE_BOUND_MS = 4_000;
const LEASE_TTL_MS_MAX = 4_000;
/** Clocks of one computer do not drift from each other; milliseconds are rounded. */
const DRIFT_MAX = 0.001;

/** Ends a workload on a healed cluster and holds everything that its clients saw against everything that the members keep. */
export async function judge(cluster: Cluster, workload: Workload, options: VerdictOptions): Promise<Verdict> {
  const { recorder } = workload;
  const violations: Violation[] = [];
  const violate = (promise: string, detail: string): void => {
    violations.push({ promise, detail });
  };
  await workload.stopClients();
  const { convergeLimitMs = 10_000, healedMs, quietFromMs } = options;
  const limitMs = convergeLimitMs - (performance.now() - healedMs);
  await converge(cluster, limitMs).catch((error: Error) => violate("equal hashes", error.message));
  const convergedMs = performance.now() - healedMs;
  const leaseLimitMs = LEASE_TTL_MS_MAX * 2 + LEASE_BOUND_MS;
  await until("short leases take their keys along", leaseLimitMs, () =>
    workload.leaseKeysLeft === 0 ? true : undefined,
  ).catch((error: Error) => violate("lease: not for ever", error.message));
  const converged = await converge(cluster).catch((error: Error) => violate("equal hashes", error.message));
  const revision = converged?.revision ?? recorder.log.last;
  await workload.stopWatches(revision).catch((error: Error) => violate("watch: reliable", error.message));
  if (recorder.log.last > revision)
    violate("equal hashes", `a watch saw ${recorder.log.last}, members ${revision}`);

  if (converged !== undefined) {
    // History below is gone; what is left, every member must tell alike.
    const after = Math.max(1, converged.compactRevision);
    for (const member of cluster.members) {
      const told = await historyOf(cluster, member, after, revision).catch((error: Error) => error.message);
      const problem = typeof told === "string" ? told : differenceOf(recorder.log.revisions, told, after);
      if (problem !== undefined) violate("equal histories", `${member.name}: ${problem}`);
    }
  }

  const store = checkStoreHistory({
    operations: recorder.operations,
    serializable: recorder.serializableReads,
    watches: recorder.watches,
    log: recorder.log.revisions,
  });
  violations.push(...store.violations);
  // Not to know is no pass.
  if (store.kind === "unknown") violate("linearizability", "the search was given up");
  if (store.replay !== undefined) violations.push(...checkWatches(recorder.watches, store.replay));
  violations.push(
    ...checkLeases(recorder.leases, { driftMax: DRIFT_MAX, quietFromMs, boundMs: LEASE_BOUND_MS }),
  );
  return {
    violations,
    operationsChecked: store.operationsChecked + recorder.serializableReads.length,
    watchEventsChecked: workload.watchEventCount,
    leasesChecked: recorder.leases.length,
    revision,
    convergedMs,
  };
}
