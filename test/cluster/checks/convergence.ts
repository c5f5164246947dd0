import { setTimeout as sleep } from "node:timers/promises";
import type { EventSeen, RevisionEvents } from "../../checkers/index.ts";
import type { Cluster, Member } from "../harness/index.ts";
import { until } from "../harness/index.ts";
import { Recorder } from "../workload/recorder.ts";
import { WatchClient } from "../workload/watch-client.ts";

export interface Convergence {
  readonly tookMs: number;
  readonly revision: number;
  readonly compactRevision: number;
}

/** A hash over a million records takes seconds on a busy machine, and members answer one at a time. */
const HASH_TIMEOUT_MS = 10_000;

/** Waits until all members are at one revision with one hash. Throws after `limitMs`, saying where each is. */
export async function converge(cluster: Cluster, limitMs = 10_000): Promise<Convergence> {
  const beganMs = performance.now();
  let last = "no member answered";
  while (performance.now() - beganMs < limitMs) {
    const found = await Promise.all(cluster.members.map((member) => hashOf(member)));
    last = found.map((hash, i) => `${cluster.members[i]?.name} ${hash.text}`).join(", ");
    const [first] = found;
    if (first?.revision !== undefined && found.every((hash) => hash.text === first.text)) {
      const { revision, compactRevision } = first;
      return { tookMs: performance.now() - beganMs, revision, compactRevision: compactRevision ?? 0 };
    }
    await sleep(50);
  }
  throw new Error(`no equal hashes within ${limitMs} ms: ${last}`);
}

async function hashOf(
  member: Member,
): Promise<{ text: string; revision?: number; compactRevision?: number }> {
  try {
    const { header, hash, compactRevision, hashRevision } = await member.admin.client.maintenance.hashKv(0, {
      timeoutMs: HASH_TIMEOUT_MS,
    });
    // The header tells where the member was when it answered. etcd 3.4 says nothing else.
    const revision = hashRevision > 0 ? hashRevision : (header?.revision ?? 0);
    // etcd says -1 where nothing was ever compacted.
    const compacted = Math.max(0, compactRevision);
    return { text: `${revision}/${compacted}: ${hash >>> 0}`, revision, compactRevision: compacted };
  } catch (error) {
    return { text: `(${(error as Error).message})` };
  }
}

/** What one member tells as the history of (`after`, `last`], by a watch on it alone. */
export async function historyOf(
  cluster: Cluster,
  member: Member,
  after: number,
  last: number,
): Promise<RevisionEvents[]> {
  const recorder = new Recorder();
  const alone = Object.create(cluster, { upMembers: { get: () => [member] } }) as Cluster;
  const watch = new WatchClient({
    ...{ cluster: alone, recorder, seed: 1, key: "\0", rangeEnd: "\0", prevKv: false },
    startRevision: () => after + 1,
    onEvents: (events, atMs) => recorder.log.append(events, atMs),
  });
  if (last <= after) return [];
  const running = watch.run();
  try {
    await until(`${member.name} tells its history up to ${last}`, 10_000, () =>
      recorder.log.last >= last ? true : undefined,
    );
  } finally {
    watch.stop();
    await running;
  }
  return recorder.log.revisions;
}

/** Where a member's history is not the log; undefined when it is. */
export function differenceOf(
  log: readonly RevisionEvents[],
  told: readonly RevisionEvents[],
  after: number,
): string | undefined {
  const expected = log.filter(({ revision }) => revision > after);
  for (let i = 0; i < Math.max(expected.length, told.length); i++) {
    const [left, right] = [describe(expected[i]), describe(told[i])];
    if (left !== right) return `the log has ${left}, the member ${right}`;
  }
  return undefined;
}

function describe(logged: RevisionEvents | undefined): string {
  if (logged === undefined) return "nothing more";
  const event = ({ type, kv }: EventSeen): string =>
    `${type} ${kv.key}=${kv.value} version ${kv.version} of ${kv.createRevision} lease ${kv.lease}`;
  return `revision ${logged.revision}: ${logged.events.map(event).join(", ")}`;
}
