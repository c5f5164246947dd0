import type { MemberModel, MemberRole } from "../member-model.ts";
import type { Segment } from "../styled-line.ts";

/** The sign is never alone: colour and sign say what the word says. */
const roles: Record<MemberRole, Segment> = {
  leader: { text: "● leader", tone: "accent" },
  follower: { text: "○ follower" },
  learner: { text: "◌ learner" },
  candidate: { text: "◇ candidate", tone: "warning" },
  unknown: { text: "✖ unknown", tone: "dim" },
};

export function roleWord({ role }: MemberModel): Segment {
  return roles[role];
}

export function stateWord(member: MemberModel): Segment {
  switch (member.state) {
    case "healthy":
      return { text: "healthy", tone: "good" };
    case "slow":
      return { text: "SLOW", tone: "warning" };
    case "catchingUp":
      return { text: "catching up", tone: "accent" };
    case "noLeader":
      return { text: "no leader", tone: "bad" };
    case "alarm":
      return { text: member.alarms[0] ?? "alarm", tone: "bad" };
    case "unreachable":
      return { text: "unreachable", tone: "bad" };
    case "notStarted":
      return { text: "not started", tone: "dim" };
  }
}
