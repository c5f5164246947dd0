import { eventsBetween } from "./cluster-events.ts";
import type { ClusterModel } from "./cluster-model.ts";
import { alarmsOf, healthOf, latencyOf, spaceOf, throughputOf, votersOf } from "./cluster-numbers.ts";
import type { ClusterSample, MemberSample } from "./cluster-sample.ts";
import { type MemberMemory, type Observed, observe, windowQuantileMs } from "./member-memory.ts";
import {
  alarmsIn,
  historySamples,
  isLagging,
  type MemberModel,
  type MemberState,
  roleOf,
  slowAnswerMs,
  slowFsyncMs,
  slowSamplesMin,
} from "./member-model.ts";

const eventsMax = 200;

/**
 * The model after one more sample. Pure: the same samples make the same model, and all time comes with them. What
 * nobody answered stays as it was, marked as old.
 */
export function advance(past: ClusterModel | undefined, sample: ClusterSample): ClusterModel {
  // Another cluster at the same addresses has nothing to do with the one before.
  const isOther =
    sample.clusterId !== undefined && past?.clusterId !== undefined && sample.clusterId !== past.clusterId;
  const previous = isOther ? undefined : past;
  const samples = sample.members.length > 0 ? sample.members : silenced(previous, sample.failure);
  const view = survey(samples, previous);
  const entriesPerSecond = entryRate(previous, sample.atMs, view.furthest);
  const memory = new Map<string, MemberMemory>();
  const members = samples.map((member) => {
    const known = previous?.memory.get(member.id);
    const observed = observe(known, member, sample.atMs);
    const context = { ...view, atMs: sample.atMs, entriesPerSecond: entriesPerSecond ?? 0 };
    const next = remember(known, observed, member, context);
    memory.set(member.id, next);
    return toModel(member, next, context);
  });
  members.sort((left, right) => compareNames(left.name, right.name) || compareNames(left.id, right.id));
  const answering = members.filter(({ isCurrent }) => isCurrent);
  const isAnswered = answering.length > 0;
  const alarms = isAnswered ? alarmsOf(members) : (previous?.alarms ?? []);
  const partial = {
    atMs: sample.atMs,
    wallMs: sample.wallMs,
    clusterId: sample.clusterId ?? previous?.clusterId,
    revision: Math.max(0, ...answering.map(({ status }) => status!.revision)) || (previous?.revision ?? 0),
    term: Math.max(0, ...answering.map(({ status }) => status!.term)) || (previous?.term ?? 0),
    leaderId: view.leaderId,
    lastLeaderId: view.leaderId ?? previous?.lastLeaderId,
    ...votersOf(members),
    health: healthOf(members, view.leaderId),
    members,
    throughput: throughputOf(previous, [...memory.values()], entriesPerSecond),
    latency: latencyOf(previous, members, [...memory.values()]),
    space: isAnswered ? spaceOf(members, memory) : (previous?.space ?? spaceOf(members, memory)),
    alarms,
    answeredAtMs: isAnswered ? sample.atMs : previous?.answeredAtMs,
    failure: isAnswered ? undefined : (sample.failure ?? members[0]?.failure ?? "no member answers"),
    memory,
  };
  const happened = eventsBetween(previous, partial).reverse();
  return { ...partial, events: [...happened, ...(previous?.events ?? [])].slice(0, eventsMax) };
}

/** Not even the list of members could be had: those known, none of which answered. */
function silenced(previous: ClusterModel | undefined, failure: string | undefined): MemberSample[] {
  return (previous?.members ?? []).map((member) => ({
    ...member,
    name: member.name === member.id ? "" : member.name,
    status: undefined,
    failure: failure ?? "no answer",
    answerMs: undefined,
    metrics: undefined,
  }));
}

interface Survey {
  readonly leaderTerm: number;
  readonly leaderId: string | undefined;
  /** The last entry that any member knows of. */
  readonly furthest: number;
}

interface Context extends Survey {
  readonly atMs: number;
  readonly entriesPerSecond: number;
}

function survey(samples: readonly MemberSample[], previous: ClusterModel | undefined): Survey {
  const statuses = samples.flatMap(({ status }) => (status === undefined ? [] : [status]));
  const leading = samples.flatMap(({ id, status }) => (status?.leaderId === id ? [status.term] : []));
  const informed = statuses.filter(({ leaderId }) => leaderId !== undefined);
  const newest = informed.sort((left, right) => right.term - left.term)[0];
  const silent = samples.filter(({ status }) => status === undefined);
  const known = silent.map(({ id }) => previous?.memory.get(id)?.status?.index ?? 0);
  return {
    leaderTerm: Math.max(0, ...leading),
    leaderId: newest?.leaderId,
    // A member that is gone may have been the furthest: what it said still tells how far the log goes.
    furthest: Math.max(0, ...statuses.map(({ index }) => index), ...(statuses.length > 0 ? known : [])),
  };
}

function entryRate(previous: ClusterModel | undefined, atMs: number, furthest: number): number | undefined {
  if (previous === undefined || furthest === 0) return undefined;
  const before = Math.max(0, ...[...previous.memory.values()].map(({ status }) => status?.index ?? 0));
  const seconds = (atMs - previous.atMs) / 1_000;
  return before === 0 || seconds <= 0 ? undefined : Math.max(0, furthest - before) / seconds;
}

function remember(
  known: MemberMemory | undefined,
  observed: Observed,
  sample: MemberSample,
  context: Context,
): MemberMemory {
  const { status } = sample;
  const lag = status === undefined ? undefined : Math.max(0, context.furthest - status.applied);
  const isBehind = lag !== undefined && isLagging(lag, context.entriesPerSecond);
  const wasAway = known === undefined || known.state === "unreachable" || known.state === "notStarted";
  const isReturning = isBehind && (wasAway || known.isReturning || sample.isLearner);
  const slow = slowness(known, observed, sample, isBehind && !isReturning);
  const base = { status: status ?? known?.status, ...slow, isReturning, lag };
  const state = stateOf(sample, { ...base, isBehind });
  return {
    ...observed,
    ...base,
    state,
    ...(known?.state === state
      ? { stateSinceMs: known.stateSinceMs, stateStartLag: known.stateStartLag }
      : { stateSinceMs: context.atMs, stateStartLag: lag ?? 0 }),
    lagHistory: [...(known?.lagHistory ?? []), lag].slice(-historySamples),
    answerHistory: [...(known?.answerHistory ?? []), sample.answerMs].slice(-historySamples),
  };
}

/** A member is called slow, and no longer called so, when several samples in a row agree. */
function slowness(
  known: MemberMemory | undefined,
  observed: Observed,
  { answerMs, status }: MemberSample,
  isBehind: boolean,
): Pick<MemberMemory, "slowRun" | "isSlow"> {
  if (status === undefined) return { slowRun: 0, isSlow: false };
  const fsyncMs = windowQuantileMs(observed.fsyncs, 0.99) ?? 0;
  const isSlowNow = isBehind || fsyncMs >= slowFsyncMs || (answerMs ?? 0) >= slowAnswerMs;
  const run = known?.slowRun ?? 0;
  const slowRun = isSlowNow ? Math.max(1, run + 1) : Math.min(-1, run - 1);
  const wasSlow = known?.isSlow ?? false;
  return { slowRun, isSlow: slowRun >= slowSamplesMin || (wasSlow && slowRun > -slowSamplesMin) };
}

function stateOf(
  sample: MemberSample,
  seen: Pick<MemberMemory, "isSlow" | "isReturning"> & { readonly isBehind: boolean },
): MemberState {
  const { status } = sample;
  if (status === undefined)
    return sample.clientUrls.length === 0 && sample.name === "" ? "notStarted" : "unreachable";
  if (status.leaderId === undefined) return "noLeader";
  if (alarmsIn(status).some(({ memberId }) => memberId === undefined || memberId === sample.id))
    return "alarm";
  if (seen.isReturning && seen.isBehind) return "catchingUp";
  return seen.isSlow ? "slow" : "healthy";
}

function toModel(sample: MemberSample, memory: MemberMemory, context: Context): MemberModel {
  const { state } = memory;
  return {
    id: sample.id,
    name: sample.name || sample.id,
    isLearner: sample.isLearner,
    endpoint: sample.endpoint,
    peerUrls: sample.peerUrls,
    clientUrls: sample.clientUrls,
    role: roleOf(sample, context),
    state,
    stateSinceMs: memory.stateSinceMs,
    status: memory.status,
    isCurrent: sample.status !== undefined,
    failure: sample.failure,
    alarms: sample.status === undefined ? [] : alarmsIn(sample.status).map(({ name }) => name),
    lag: memory.lag,
    answerMs: sample.answerMs,
    fsyncP99Ms: windowQuantileMs(memory.fsyncs, 0.99),
    progress: state === "catchingUp" ? progressOf(memory, context) : undefined,
    lagHistory: memory.lagHistory,
    answerHistory: memory.answerHistory,
  };
}

/** How long the rest takes at the speed of the whole catching up so far. */
function progressOf(memory: MemberMemory, { furthest, atMs }: Context): MemberModel["progress"] {
  const lag = memory.lag ?? 0;
  const done = memory.stateStartLag - lag;
  const elapsedMs = atMs - memory.stateSinceMs;
  return {
    share: furthest === 0 ? 0 : 1 - lag / furthest,
    leftMs: done <= 0 || elapsedMs <= 0 ? undefined : (lag / done) * elapsedMs,
  };
}

function compareNames(left: string, right: string): number {
  return left.localeCompare(right, "en", { numeric: true });
}
