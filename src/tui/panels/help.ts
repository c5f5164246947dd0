import type { ScreenAbilities } from "../screen-state.ts";
import { plain, type StyledLine, toWidth } from "../styled-line.ts";

/** What the keys do and what the words mean. */
export function helpLines({ canMoveLeader, canDisturb }: ScreenAbilities): StyledLine[] {
  const keys: [string, string][] = [
    ["↑ ↓, k j", "select a member"],
    ["Enter", "details of the selected member, and back"],
    ...(canMoveLeader
      ? [["m", "make the selected member the leader; asks for its name first"] as [string, string]]
      : []),
    ...(canDisturb
      ? ([
          ["x", "kill the selected member as kill -9 does, or start it again"],
          ["p", "pause the selected member (SIGSTOP), or let it go on"],
        ] as [string, string][])
      : []),
    ["?", "this help, and back"],
    ["Ctrl-L", "draw the screen anew"],
    ["Ctrl-Z", "suspend"],
    ["q, Ctrl-C", "quit"],
  ];
  const words: [string, string][] = [
    ["LAG", "log entries a member has yet to apply, behind the furthest of all"],
    ["ANSWER", "how long the member took to tell its status"],
    ["FSYNC p99", "99 of 100 writes to its log took no longer, over the last ten samples; ! is high"],
    ["SLOW", "fsync from 100 ms, answers from 500 ms or lag, three samples in a row"],
    ["n/m voters", "voting members that answer and know a leader, of all"],
  ];
  const line = ([left, right]: [string, string]): StyledLine => [
    { text: toWidth(left, 12), tone: "accent" },
    { text: right },
  ];
  return [...keys.map(line), plain(""), ...words.map(line)];
}
