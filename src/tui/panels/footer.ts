import type { ScreenAbilities } from "../screen-state.ts";
import { fitLine, type Segment, type StyledLine } from "../styled-line.ts";

/** The last line: what keys there are, or what has to be said. */
export function footerLine(
  message: Segment | undefined,
  { canMoveLeader, canDisturb }: ScreenAbilities,
  width: number,
): StyledLine {
  const keys = [
    ["↑↓", "select"],
    ["⏎", "details"],
    ...(canMoveLeader ? [["m", "move leader"]] : []),
    ...(canDisturb
      ? [
          ["x", "kill/start"],
          ["p", "pause"],
        ]
      : []),
    ["?", "help"],
    ["q", "quit"],
  ];
  const shown: StyledLine =
    message === undefined
      ? keys.flatMap(([key, text]) => [
          { text: `${key} `, tone: "accent" as const },
          { text: `${text}  `, tone: "dim" as const },
        ])
      : [message];
  return fitLine([{ text: " " }, ...shown], width);
}
