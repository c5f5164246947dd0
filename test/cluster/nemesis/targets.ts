import type { Prng } from "../../../src/lib/prng.ts";
import type { Cluster, LinkFault, Member } from "../harness/index.ts";

export function shuffled<T>(items: readonly T[], prng: Prng): T[] {
  const rest = [...items];
  const out: T[] = [];
  while (rest.length > 0) out.push(...rest.splice(prng.below(rest.length), 1));
  return out;
}

export function between(prng: Prng, low: number, high: number): number {
  return low + prng.below(high - low);
}

/** One way of losing what is on a link. */
export function lossOf(prng: Prng): LinkFault {
  const kinds = ["stall", "drop", "reset"] as const;
  return { kind: kinds[prng.below(kinds.length)]! };
}

/** The leader in three draws out of five, else anyone that is up; undefined when nobody is. */
export async function victimOf(cluster: Cluster, prng: Prng): Promise<Member | undefined> {
  const [wantsLeader, pick] = [prng.below(5) < 3, prng.below(1_000)];
  const leader = wantsLeader ? await cluster.leader() : undefined;
  const { upMembers } = cluster;
  return leader ?? upMembers[pick % Math.max(1, upMembers.length)];
}

/** A random minority, and the rest. */
export function minorityOf(cluster: Cluster, prng: Prng): { minority: string[]; majority: string[] } {
  const names = shuffled(cluster.names, prng);
  const largest = Math.floor((names.length - 1) / 2);
  const size = 1 + prng.below(Math.max(1, largest));
  return { minority: names.slice(0, size), majority: names.slice(size) };
}
