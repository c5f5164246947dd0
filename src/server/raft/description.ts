import {
  type ConfChange,
  type ConfChangeV2,
  confChangeTransition,
  confChangeType,
  isV2,
} from "./conf-change.ts";
import { type ProgressView, progressState } from "./progress.ts";
import { isJoint, type TrackerConfig } from "./tracker.ts";
import { type ConfState, type MessageType, messageType, type Role, role } from "./types.ts";

/** Texts of the core's log lines and of the traces (datadriven-format sections 4 and 6). Ids are hexadecimal. */
const messageNames = new Map<MessageType, string>(
  Object.entries(messageType).map(([name, type]) => [type, `Msg${name[0]!.toUpperCase()}${name.slice(1)}`]),
);

export function hex(id: bigint): string {
  return id.toString(16);
}

export function describeMessageType(type: MessageType): string {
  return messageNames.get(type)!;
}

const roleNames: Readonly<Record<Role, string>> = {
  [role.follower]: "StateFollower",
  [role.preCandidate]: "StatePreCandidate",
  [role.candidate]: "StateCandidate",
  [role.leader]: "StateLeader",
};

export function describeRole(value: Role): string {
  return roleNames[value];
}

const progressStateNames = {
  [progressState.probe]: "StateProbe",
  [progressState.replicate]: "StateReplicate",
  [progressState.snapshot]: "StateSnapshot",
};

export function describeProgress(progress: ProgressView): string {
  let text = `${progressStateNames[progress.state]} match=${progress.match} next=${progress.next}`;
  if (progress.isLearner) text += " learner";
  if (progress.isPaused) text += " paused";
  if (progress.pendingSnapshot > 0) text += ` pendingSnap=${progress.pendingSnapshot}`;
  if (!progress.isRecentlyActive) text += " inactive";
  if (progress.inflightCount > 0)
    text += ` inflight=${progress.inflightCount}${progress.isInflightFull ? "[full]" : ""}`;
  return text;
}

function describeIds(ids: readonly bigint[]): string {
  return `(${ids.map(hex).join(" ")})`;
}

export function describeConfig(config: TrackerConfig): string {
  let text = `voters=${describeIds(config.incoming)}`;
  if (isJoint(config)) text += `&&${describeIds(config.outgoing)}`;
  if (config.learners.length > 0) text += ` learners=${describeIds(config.learners)}`;
  if (config.learnersNext.length > 0) text += ` learners_next=${describeIds(config.learnersNext)}`;
  return config.autoLeave ? `${text} autoleave` : text;
}

/** Ids in decimal, here as in the traces. */
export function describeConfState(state: ConfState): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = state;
  return `Voters:[${voters.join(" ")}] VotersOutgoing:[${votersOutgoing.join(" ")}] Learners:[${learners.join(" ")}] LearnersNext:[${learnersNext.join(" ")}] AutoLeave:${autoLeave}`;
}

const transitionNames = {
  [confChangeTransition.auto]: "ConfChangeTransitionAuto",
  [confChangeTransition.jointImplicit]: "ConfChangeTransitionJointImplicit",
  [confChangeTransition.jointExplicit]: "ConfChangeTransitionJointExplicit",
};

const changeNames = {
  [confChangeType.addNode]: "ConfChangeAddNode",
  [confChangeType.removeNode]: "ConfChangeRemoveNode",
  [confChangeType.updateNode]: "ConfChangeUpdateNode",
  [confChangeType.addLearnerNode]: "ConfChangeAddLearnerNode",
};

export function describeConfChange(change: ConfChange | ConfChangeV2): string {
  const single = ({ type, nodeId }: Pick<ConfChange, "type" | "nodeId">) =>
    `type:${changeNames[type]} node_id:${nodeId}`;
  const parts = isV2(change)
    ? [
        `transition:${transitionNames[change.transition]}`,
        ...change.changes.map((one) => `changes:{${single(one)}}`),
      ]
    : [single(change)];
  if (change.context.length > 0)
    parts.push(`context:${JSON.stringify(String.fromCharCode(...change.context))}`);
  return parts.join(" ");
}
