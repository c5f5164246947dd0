import type { ClusterModel } from "./cluster-model.ts";
import { formatMs, formatSize } from "./format.ts";
import { quantileOf } from "./histogram.ts";
import type { MemberModel } from "./member-model.ts";

export const statusColumns = [
  "NAME",
  "ID",
  "ENDPOINT",
  "ROLE",
  "HEALTH",
  "TERM",
  "INDEX",
  "APPLIED",
  "LAG",
  "DB SIZE",
  "IN USE",
  "FSYNC P99",
  "VERSION",
] as const;

/** Whether it answers, knows a leader and complains of nothing. A member that is slow or behind still serves. */
export function isHealthy(member: MemberModel): boolean {
  return healthOf(member) === "ok";
}

/** "ok", or what is wrong in a word. */
function healthOf({ status, isCurrent, state, alarms }: MemberModel): string {
  if (state === "notStarted") return "not started";
  if (status === undefined || !isCurrent) return "unreachable";
  if (status.leaderId === undefined) return "no leader";
  if (alarms.length > 0) return alarms.join(",");
  return status.errors.length > 0 ? status.errors.join(",") : "ok";
}

/** Over all that its process has written: one sample has no window. */
function fsyncP99Ms({ id }: MemberModel, model: ClusterModel): number | undefined {
  const histogram = model.memory.get(id)?.metrics?.fsync;
  const seconds = histogram === undefined ? undefined : quantileOf(histogram, 0.99);
  return seconds === undefined ? undefined : seconds * 1_000;
}

/** The cluster as one JSON document. */
export function statusRecord(model: ClusterModel): Record<string, unknown> {
  return {
    ...(model.clusterId === undefined ? {} : { clusterId: model.clusterId }),
    health: model.health,
    leader: model.leaderId ?? null,
    term: model.term,
    revision: model.revision,
    voters: model.voters,
    votersReady: model.votersReady,
    learners: model.learners,
    alarms: model.alarms,
    ...(model.failure === undefined ? {} : { error: model.failure }),
    members: model.members.map((member) => memberRecord(member, model)),
  };
}

function memberRecord(member: MemberModel, model: ClusterModel): Record<string, unknown> {
  const { status, isCurrent, failure } = member;
  const fsyncMs = fsyncP99Ms(member, model);
  return {
    name: member.name === member.id ? "" : member.name,
    id: member.id,
    endpoint: member.endpoint,
    role: roleText(member),
    healthy: isHealthy(member),
    health: healthOf(member),
    ...(failure === undefined ? {} : { error: failure }),
    ...(status === undefined || !isCurrent
      ? {}
      : {
          leader: status.leaderId ?? "0",
          term: status.term,
          index: status.index,
          applied: status.applied,
          lag: member.lag,
          dbSizeBytes: status.dbSizeBytes,
          dbSizeInUseBytes: status.inUseBytes,
          quotaBytes: status.quotaBytes,
          ...(fsyncMs === undefined ? {} : { fsyncP99Ms: Math.round(fsyncMs * 1_000) / 1_000 }),
          version: status.version,
        }),
  };
}

/** One row of the table; its cells are those of statusColumns. */
export function statusRow(member: MemberModel, model: ClusterModel): string[] {
  const { status, isCurrent } = member;
  const who = [
    member.name === member.id ? "-" : member.name,
    member.id,
    member.endpoint,
    roleText(member),
    healthOf(member),
  ];
  if (status === undefined || !isCurrent) {
    return [...who, ...Array.from({ length: statusColumns.length - who.length }, () => "-")];
  }
  const fsyncMs = fsyncP99Ms(member, model);
  return [
    ...who,
    String(status.term),
    String(status.index),
    String(status.applied),
    String(member.lag ?? "-"),
    formatSize(status.dbSizeBytes),
    formatSize(status.inUseBytes),
    fsyncMs === undefined ? "-" : formatMs(fsyncMs),
    status.version,
  ];
}

function roleText({ role }: MemberModel): string {
  return role === "unknown" ? "-" : role;
}
