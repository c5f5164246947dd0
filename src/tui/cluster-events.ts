import type { ClusterEvent } from "./cluster-event.ts";
import type { ClusterModel } from "./cluster-model.ts";
import { formatAge } from "./format.ts";
import type { MemberModel } from "./member-model.ts";

type EventText = Omit<ClusterEvent, "wallMs">;
/** What events are made from: a model without its own events. */
export type Comparable = Omit<ClusterModel, "events">;

/** What happened between two models; with the first one, what there is. */
export function eventsBetween(previous: Comparable | undefined, next: Comparable): ClusterEvent[] {
  const found = previous?.answeredAtMs === undefined ? firstSight(next) : changes(previous, next);
  return found.map((event) => ({ ...event, wallMs: next.wallMs }));
}

function firstSight(model: Comparable): EventText[] {
  if (model.answeredAtMs === undefined) return [];
  const leader = model.members.find((member) => member.id === model.leaderId);
  const { length } = model.members;
  const leads = leader === undefined ? "no leader" : `${leader.name} leads in term ${model.term}`;
  const seen: EventText = {
    member: undefined,
    text: `watching ${length} ${length === 1 ? "member" : "members"}; ${leads}`,
    tone: "dim",
  };
  return [seen, ...model.members.flatMap((member) => (isFine(member) ? [] : stateEvents(member)))];
}

function isFine({ state }: MemberModel): boolean {
  return state === "healthy" || state === "notStarted";
}

function changes(previous: Comparable, next: Comparable): EventText[] {
  const before = new Map(previous.members.map((member) => [member.id, member]));
  const after = new Set(next.members.map(({ id }) => id));
  const events: EventText[] = [];
  for (const member of next.members) {
    const known = before.get(member.id);
    if (known === undefined) {
      events.push({
        member: member.name,
        text: member.isLearner ? "was added as a learner" : "was added",
        tone: "accent",
      });
      if (!isFine(member)) events.push(...stateEvents(member));
    } else events.push(...memberChanges(known, member, next));
  }
  for (const { id, name } of previous.members) {
    if (!after.has(id)) events.push({ member: name, text: "was removed", tone: "warning" });
  }
  return [...events, ...leaderChanges(previous, next), ...alarmChanges(previous, next)];
}

function memberChanges(known: MemberModel, member: MemberModel, next: Comparable): EventText[] {
  const events: EventText[] = [];
  if (known.isLearner && !member.isLearner) {
    events.push({ member: member.name, text: "was promoted to voter", tone: "good" });
  }
  if (known.status?.version !== undefined && member.status !== undefined) {
    const { version } = member.status;
    if (version !== known.status.version) {
      events.push({ member: member.name, text: `now runs version ${version}`, tone: "accent" });
    }
  }
  if (known.state === member.state) return events;
  const lasted = formatAge(next.atMs - known.stateSinceMs);
  if (known.state === "unreachable") {
    events.push({ member: member.name, text: `is back after ${lasted}`, tone: "good" });
    if (!isFine(member)) events.push(...stateEvents(member));
  } else if (known.state === "notStarted") {
    events.push({ member: member.name, text: "has started", tone: "good" });
  } else if (member.state === "healthy") {
    events.push(...recoveryEvents(known, member, lasted));
  } else events.push(...stateEvents(member));
  return events;
}

function recoveryEvents({ state }: MemberModel, { name }: MemberModel, lasted: string): EventText[] {
  if (state === "slow") return [{ member: name, text: `is no longer slow, after ${lasted}`, tone: "good" }];
  if (state === "catchingUp") return [{ member: name, text: `has caught up, in ${lasted}`, tone: "good" }];
  // That there is a leader again, and that an alarm is over, is told once for the cluster.
  return [];
}

function stateEvents(member: MemberModel): EventText[] {
  const { name, state } = member;
  switch (state) {
    case "unreachable":
      return [{ member: name, text: `lost: ${member.failure ?? "no answer"}`, tone: "bad" }];
    case "slow":
      return [{ member: name, text: `is slow: ${slowReason(member)}`, tone: "warning" }];
    case "catchingUp":
      return [{ member: name, text: "catches up", tone: "accent" }];
    case "notStarted":
      return [{ member: name, text: "has not started yet", tone: "dim" }];
    default:
      return [];
  }
}

function slowReason({ fsyncP99Ms, answerMs, lag }: MemberModel): string {
  const parts: string[] = [];
  if (fsyncP99Ms !== undefined) parts.push(`fsync p99 ${Math.round(fsyncP99Ms)} ms`);
  if (answerMs !== undefined) parts.push(`answers in ${Math.round(answerMs)} ms`);
  if (lag !== undefined) parts.push(`${lag} entries behind`);
  return parts.join(", ");
}

function leaderChanges(previous: Comparable, next: Comparable): EventText[] {
  if (next.leaderId === previous.leaderId && next.term === previous.term) return [];
  const name = (id: string): string => {
    const member = [...next.members, ...previous.members].find((candidate) => candidate.id === id);
    return member?.name ?? id;
  };
  if (next.leaderId === undefined) {
    // An unreachable cluster may well have a leader: it is only not seen.
    if (previous.leaderId === undefined || next.health === "unreachable") return [];
    return [{ member: undefined, text: `no leader (it was ${name(previous.leaderId)})`, tone: "bad" }];
  }
  if (next.leaderId !== previous.leaderId) {
    const was =
      previous.lastLeaderId === undefined || previous.lastLeaderId === next.leaderId
        ? ""
        : ` (it was ${name(previous.lastLeaderId)})`;
    const text = `${previous.leaderId === undefined && was === "" ? "leads" : "became leader"}, term ${next.term}${was}`;
    return [{ member: name(next.leaderId), text, tone: "accent" }];
  }
  return [{ member: name(next.leaderId), text: `leads again, term ${next.term}`, tone: "accent" }];
}

function alarmChanges(previous: Comparable, next: Comparable): EventText[] {
  const raised = next.alarms.filter((alarm) => !previous.alarms.includes(alarm));
  // While nobody answers, nobody can say that an alarm is over.
  const cleared =
    next.health === "unreachable" ? [] : previous.alarms.filter((alarm) => !next.alarms.includes(alarm));
  return [
    ...raised.map((alarm): EventText => ({ member: undefined, text: `alarm raised: ${alarm}`, tone: "bad" })),
    ...cleared.map(
      (alarm): EventText => ({ member: undefined, text: `alarm cleared: ${alarm}`, tone: "good" }),
    ),
  ];
}
