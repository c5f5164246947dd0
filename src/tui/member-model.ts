import type { MemberSample, MemberStatus } from "./cluster-sample.ts";

export type MemberRole = "leader" | "follower" | "learner" | "candidate" | "unknown";

export type MemberState =
  | "healthy"
  | "slow"
  | "catchingUp"
  | "noLeader"
  | "alarm"
  | "unreachable"
  | "notStarted";

/** A member as the screen shows it: what it said last, and what that means. */
export interface MemberModel {
  /** Hexadecimal. */
  readonly id: string;
  /** Its name, or its id while it has none. */
  readonly name: string;
  readonly isLearner: boolean;
  readonly endpoint: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly role: MemberRole;
  readonly state: MemberState;
  /** Monotonic milliseconds when the state began. */
  readonly stateSinceMs: number;
  /** What it said last; undefined when it has never answered. */
  readonly status: MemberStatus | undefined;
  /** Whether `status` is from the last sample. */
  readonly isCurrent: boolean;
  readonly failure: string | undefined;
  /** Names of the alarms it raised, such as NOSPACE. */
  readonly alarms: readonly string[];
  /** Log entries it has yet to apply, behind the furthest member of all; undefined unless it answered. */
  readonly lag: number | undefined;
  readonly answerMs: number | undefined;
  readonly fsyncP99Ms: number | undefined;
  /** Set while it catches up: the share of the log it has applied, and how long the rest will take if known. */
  readonly progress: { readonly share: number; readonly leftMs: number | undefined } | undefined;
  readonly lagHistory: readonly (number | undefined)[];
  readonly answerHistory: readonly (number | undefined)[];
}

/** How far back the small charts can go. */
export const historySamples = 180;

/** A disk this slow holds the cluster up; etcd's advice is a p99 below 10 ms. */
export const slowFsyncMs = 100;
/** Worth a mark beside the number. */
export const highFsyncMs = 25;
/** A member that takes this long for its status is busy with something. */
export const slowAnswerMs = 500;
const lagEntriesMin = 1_000;
/** How many samples in a row must say so before a member is called slow, and before it no longer is. */
export const slowSamplesMin = 3;

/**
 * Whether a member is behind by more than the moments between the answers of the members explain: while much is
 * written, whoever answers last has seen more.
 */
export function isLagging(lag: number, entriesPerSecond: number): boolean {
  return lag > Math.max(lagEntriesMin, 2 * entriesPerSecond);
}

export interface RoleContext {
  /** The highest term in which a member says that it leads. */
  readonly leaderTerm: number;
}

/** A leader of an older term has not heard of the newer one yet: it leads nobody. */
export function roleOf(sample: MemberSample, { leaderTerm }: RoleContext): MemberRole {
  const { status } = sample;
  if (status === undefined) return sample.isLearner ? "learner" : "unknown";
  if (status.isLearner || sample.isLearner) return "learner";
  if (status.leaderId === undefined) return "candidate";
  if (status.leaderId !== sample.id) return "follower";
  return status.term >= leaderTerm ? "leader" : "follower";
}

const alarmPattern = /\balarm:\s*([A-Z]+)/;
const alarmMemberPattern = /\bmemberID:\s*(\d+)/;

/** The alarms in the words of a status: pairs of the member's id in hexadecimal and the alarm's name. */
export function alarmsIn(status: MemberStatus): { readonly memberId: string | undefined; name: string }[] {
  return status.errors.flatMap((error) => {
    const name = alarmPattern.exec(error)?.[1];
    if (name === undefined) return [];
    const id = alarmMemberPattern.exec(error)?.[1];
    return [{ memberId: id === undefined ? undefined : BigInt(id).toString(16), name }];
  });
}
