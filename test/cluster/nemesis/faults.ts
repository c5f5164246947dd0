import { setTimeout as sleep } from "node:timers/promises";
import type { Prng } from "../../../src/lib/prng.ts";
import type { Cluster, Member } from "../harness/index.ts";
import { between, lossOf, minorityOf, shuffled, victimOf } from "./targets.ts";

export interface FaultContext {
  readonly cluster: Cluster;
  readonly prng: Prng;
  /** History up to here is in the log of the run: before it may be compacted. */
  readonly loggedRevision: () => number;
  /** Compacts by way of a member, as an operation of the history; false when it was refused. */
  readonly compact: (member: Member, revision: number) => Promise<boolean>;
  /** Tells why something was not done. */
  readonly note: (text: string) => void;
  /** True: end the fault early. */
  readonly isStopped: () => boolean;
}

export interface Fault {
  readonly name: string;
  readonly weight: number;
  /** "members": at most one of these at a time. "links": likewise. "alone": nothing else meanwhile. */
  readonly touches: "members" | "links" | "alone";
  /** Injects, holds and undoes it. False: there was nothing to do it to. */
  apply(context: FaultContext): Promise<boolean>;
}

/** Holds a fault, unless the run ends. */
async function hold({ isStopped }: FaultContext, holdMs: number): Promise<void> {
  const endMs = performance.now() + holdMs;
  while (!isStopped() && performance.now() < endMs) await sleep(Math.min(50, holdMs));
}

async function withoutMembers(
  context: FaultContext,
  victims: readonly Member[],
  downMs: number,
): Promise<boolean> {
  const up = victims.filter((member) => member.isUp);
  await Promise.all(up.map((member) => member.kill()));
  await hold(context, downMs);
  for (const member of up) member.spawn();
  return up.length > 0;
}

/** The links as they are drawn by `cut`, for a while. */
async function withLinks(context: FaultContext, holdMs: number, cut: () => void): Promise<boolean> {
  cut();
  await hold(context, holdMs);
  context.cluster.links.heal();
  return true;
}

export const faults: readonly Fault[] = [
  {
    name: "kill -9, one member",
    weight: 8,
    touches: "members",
    async apply(context) {
      const { cluster, prng } = context;
      const [downMs, victim] = [between(prng, 100, 3_000), await victimOf(cluster, prng)];
      return victim !== undefined && withoutMembers(context, [victim], downMs);
    },
  },
  {
    name: "kill -9, a majority",
    weight: 2,
    touches: "members",
    apply(context) {
      const { cluster, prng } = context;
      const count = Math.floor(cluster.members.length / 2) + 1;
      const victims = shuffled(cluster.members, prng).slice(0, count);
      return withoutMembers(context, victims, between(prng, 100, 1_500));
    },
  },
  {
    name: "kill -9, all members",
    weight: 2,
    touches: "members",
    apply(context) {
      const { cluster, prng } = context;
      return withoutMembers(context, [...cluster.members], between(prng, 50, 1_000));
    },
  },
  {
    name: "SIGTERM and restart",
    weight: 3,
    touches: "members",
    async apply(context) {
      const { cluster, prng } = context;
      const [downMs, victim] = [between(prng, 50, 1_500), await victimOf(cluster, prng)];
      if (victim === undefined) return false;
      await victim.stop();
      await hold(context, downMs);
      victim.spawn();
      return true;
    },
  },
  {
    name: "SIGSTOP and SIGCONT",
    weight: 8,
    touches: "members",
    async apply(context) {
      const { cluster, prng } = context;
      const [pausedMs, victim] = [between(prng, 300, 5_000), await victimOf(cluster, prng)];
      if (victim === undefined) return false;
      victim.pause();
      await hold(context, pausedMs);
      victim.resume();
      return true;
    },
  },
  {
    name: "partition, minority from majority",
    weight: 6,
    touches: "links",
    apply(context) {
      const { cluster, prng } = context;
      const { minority, majority } = minorityOf(cluster, prng);
      const [fault, holdMs] = [lossOf(prng), between(prng, 500, 6_000)];
      return withLinks(context, holdMs, () => cluster.links.split(minority, majority, fault));
    },
  },
  {
    name: "partition, leader alone",
    weight: 6,
    touches: "links",
    async apply(context) {
      const { cluster, prng } = context;
      const [fault, holdMs, leader] = [lossOf(prng), between(prng, 500, 6_000), await cluster.leader()];
      if (leader === undefined) return false;
      return withLinks(context, holdMs, () => cluster.links.split([leader.name], cluster.names, fault));
    },
  },
  {
    name: "one-way cut",
    weight: 6,
    touches: "links",
    async apply(context) {
      const { cluster, prng } = context;
      const [fault, holdMs] = [lossOf(prng), between(prng, 500, 6_000)];
      const [shape, scope] = [prng.below(3), prng.below(2) === 0 ? "all" : "messages"] as const;
      const [one, other] = shuffled(cluster.names, prng);
      const victim = (await victimOf(cluster, prng))?.name ?? one;
      if (victim === undefined || one === undefined || other === undefined) return false;
      return withLinks(context, holdMs, () => {
        const { links, names } = cluster;
        if (shape === 0) links.set([victim], names, fault, scope);
        else if (shape === 1) links.set(names, [victim], fault, scope);
        else links.set([one], [other], fault, scope);
      });
    },
  },
  {
    name: "bridge: two halves that only one member sees both of",
    weight: 4,
    touches: "links",
    apply(context) {
      const { cluster, prng } = context;
      const [, ...rest] = shuffled(cluster.names, prng);
      const half = Math.ceil(rest.length / 2);
      const [fault, holdMs] = [lossOf(prng), between(prng, 500, 6_000)];
      return withLinks(context, holdMs, () =>
        cluster.links.split(rest.slice(0, half), rest.slice(half), fault),
      );
    },
  },
  {
    name: "swizzle: members cut off one by one, back in another order",
    weight: 3,
    touches: "links",
    async apply(context) {
      const { cluster, prng } = context;
      const fault = lossOf(prng);
      const [away, back] = [shuffled(cluster.names, prng), shuffled(cluster.names, prng)];
      for (const name of away) {
        cluster.links.split([name], cluster.names, fault);
        await hold(context, between(prng, 50, 800));
      }
      for (const name of back) {
        cluster.links.set([name], cluster.names, undefined);
        cluster.links.set(cluster.names, [name], undefined);
        await hold(context, between(prng, 50, 800));
      }
      cluster.links.heal();
      return true;
    },
  },
  {
    name: "slow links",
    weight: 5,
    touches: "links",
    async apply(context) {
      const { cluster, prng } = context;
      const slow = {
        kind: "slow",
        delayMs: between(prng, 5, 150),
        jitterMs: between(prng, 1, 150),
        bytesPerSecond: between(prng, 20_000, 1_000_000),
      } as const;
      const [isAll, holdMs] = [prng.below(2) === 0, between(prng, 1_000, 6_000)];
      const victim = (await victimOf(cluster, prng))?.name;
      const from = isAll || victim === undefined ? cluster.names : [victim];
      return withLinks(context, holdMs, () => cluster.links.split(from, cluster.names, slow));
    },
  },
  {
    name: "leader moved",
    weight: 4,
    touches: "members",
    async apply({ cluster, prng, note }) {
      const pick = prng.below(1_000);
      const leader = await cluster.leader();
      const others = cluster.upMembers.filter((member) => member !== leader && member.id !== undefined);
      const target = others[pick % Math.max(1, others.length)]?.id;
      if (leader === undefined || target === undefined) return false;
      return didHappen(leader.admin.moveLeader(target), note);
    },
  },
  {
    name: "compaction",
    weight: 5,
    touches: "members",
    async apply({ cluster, prng, loggedRevision, compact }) {
      const [keep, pick] = [prng.below(60), prng.below(1_000)];
      const revision = loggedRevision() - keep;
      const member = cluster.upMembers[pick % Math.max(1, cluster.upMembers.length)];
      if (member === undefined || revision < 2) return false;
      return compact(member, revision);
    },
  },
  {
    name: "defragment",
    weight: 1,
    touches: "members",
    async apply({ cluster, prng, note }) {
      const member = await victimOf(cluster, prng);
      if (member === undefined) return false;
      const options = { endpointIndex: 0, timeoutMs: 5_000 };
      return didHappen(member.admin.client.maintenance.defragment(options), note);
    },
  },
  {
    name: "member replaced: learner added, promoted, another removed",
    weight: 2,
    touches: "alone",
    apply(context) {
      return replaceMember(context);
    },
  },
];

async function replaceMember({ cluster, prng, note }: FaultContext): Promise<boolean> {
  const leaver = await victimOf(cluster, prng);
  let added: Member | undefined;
  try {
    added = await cluster.add(true, 15_000);
    await cluster.promote(added, 20_000);
    if (leaver !== undefined) await cluster.remove(leaver, 20_000);
    return true;
  } catch (error) {
    note(String(error));
    // A learner left behind would be one more member than the rest of the run counts on.
    if (added !== undefined && cluster.members.length > 1) await cluster.remove(added, 20_000);
    return false;
  }
}

/** Whether a request of an operator was granted. What it asks for may be refused under faults; then nothing happened. */
async function didHappen(request: Promise<unknown>, note: (text: string) => void): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    note(String(error));
    return false;
  }
}
