import type { ClusterEvent } from "../cluster-event.ts";
import { formatClock } from "../format.ts";
import { type StyledLine, textWidth, toned, toWidth } from "../styled-line.ts";

/** In place of a member's name, for what is not about one member. */
const cluster = "cluster";

/** The latest first, one line each. */
export function eventLines(events: readonly ClusterEvent[], rows: number): StyledLine[] {
  const shown = events.slice(0, rows);
  const nameWidth = Math.min(16, Math.max(0, ...shown.map(({ member }) => textWidth(member ?? cluster))));
  return shown.map(({ wallMs, member, text, tone }) => [
    { text: `${formatClock(wallMs)}  `, tone: "dim" },
    { text: `${toWidth(member ?? cluster, nameWidth)}  ` },
    toned(text, tone),
  ]);
}

/** One event as plain text, for streams. */
export function eventText({ wallMs, member, text }: ClusterEvent): string {
  return `${formatClock(wallMs)} ${member === undefined ? "" : `${member} `}${text}`;
}
