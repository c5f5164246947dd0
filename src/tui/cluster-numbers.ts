import type { ClusterHealth, ClusterModel, Series, SpaceModel } from "./cluster-model.ts";
import { type MemberMemory, type MemberRates, windowQuantileMs } from "./member-memory.ts";
import { alarmsIn, historySamples, type MemberModel } from "./member-model.ts";

export function votersOf(
  members: readonly MemberModel[],
): Pick<ClusterModel, "voters" | "votersReady" | "learners"> {
  const voters = members.filter(({ isLearner }) => !isLearner);
  const ready = voters.filter(({ isCurrent, state }) => isCurrent && state !== "noLeader");
  return { voters: voters.length, votersReady: ready.length, learners: members.length - voters.length };
}

export function healthOf(members: readonly MemberModel[], leaderId: string | undefined): ClusterHealth {
  if (!members.some(({ isCurrent }) => isCurrent)) return "unreachable";
  if (leaderId === undefined) return "noLeader";
  const { voters, votersReady } = votersOf(members);
  if (votersReady < Math.floor(voters / 2) + 1) return "noQuorum";
  return members.every(({ state }) => state === "healthy") ? "healthy" : "degraded";
}

export function alarmsOf(members: readonly MemberModel[]): string[] {
  const names = new Map(members.map(({ id, name }) => [id, name]));
  const alarms = members.flatMap(({ status, isCurrent }) =>
    status === undefined || !isCurrent
      ? []
      : alarmsIn(status).map(({ memberId, name }) =>
          memberId === undefined ? name : `${name} ${names.get(memberId) ?? memberId}`,
        ),
  );
  return [...new Set(alarms)].sort();
}

/** Every member applies every write, so the most that one of them saw counts; a read is served by one of them. */
export function throughputOf(
  previous: ClusterModel | undefined,
  memories: readonly MemberMemory[],
  entriesPerSecond: number | undefined,
): Series[] {
  const rates = (kind: keyof MemberRates) => memories.map((memory) => memory.rates[kind]);
  const currents: [string, number | undefined][] = [
    ["put", greatest(rates("puts"))],
    ["range", total(rates("ranges"))],
    ["txn", greatest(rates("txns"))],
    ["delete", greatest(rates("deletes"))],
    ["log", entriesPerSecond],
  ];
  return continueSeries(previous?.throughput, currents);
}

export function latencyOf(
  previous: ClusterModel | undefined,
  members: readonly MemberModel[],
  memories: readonly MemberMemory[],
): Series[] {
  return continueSeries(previous?.latency, [
    ["fsync", greatest(members.map(({ fsyncP99Ms }) => fsyncP99Ms))],
    ["peers", greatest(memories.map(({ peerRoundTrips }) => windowQuantileMs(peerRoundTrips, 0.99)))],
    ["answer", greatest(members.map(({ answerMs }) => answerMs))],
  ]);
}

function continueSeries(
  previous: readonly Series[] | undefined,
  currents: readonly (readonly [string, number | undefined])[],
): Series[] {
  return currents.map(([name, current]) => {
    const history = previous?.find((series) => series.name === name)?.history ?? [];
    return { name, current, history: [...history, current].slice(-historySamples) };
  });
}

/** The fullest member counts: its quota is reached first. */
export function spaceOf(
  members: readonly MemberModel[],
  memory: ReadonlyMap<string, MemberMemory>,
): SpaceModel {
  const statuses = members.flatMap(({ status }) => (status === undefined ? [] : [status]));
  const fullest = statuses.sort((left, right) => right.dbSizeBytes - left.dbSizeBytes)[0];
  const metrics = [...memory.values()].flatMap((member) =>
    member.metrics === undefined ? [] : [member.metrics],
  );
  const told = statuses.map(({ quotaBytes }) => quotaBytes).filter((quotaBytes) => quotaBytes > 0);
  return {
    dbSizeBytes: fullest?.dbSizeBytes ?? 0,
    inUseBytes: fullest?.inUseBytes ?? 0,
    quotaBytes:
      told.length > 0 ? Math.min(...told) : (greatest(metrics.map(({ quotaBytes }) => quotaBytes)) ?? 0),
    keys: greatest(metrics.map(({ keys }) => keys)),
    compactRevision: greatest(metrics.map(({ compactRevision }) => compactRevision)),
    watchers: total(metrics.map(({ watchers }) => watchers)),
    slowWatchers: total(metrics.map(({ slowWatchers }) => slowWatchers)),
  };
}

function greatest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function total(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0);
}
