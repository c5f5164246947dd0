import type { ClusterEvent } from "../cluster-event.ts";
import { formatClock } from "../format.ts";
import { type StyledLine, textWidth, toned, toWidth } from "../styled-line.ts";

/** The latest first, one line each. */
export function eventLines(events: readonly ClusterEvent[], rows: number): StyledLine[] {
  const shown = events.slice(0, rows);
  const nameWidth = Math.min(16, Math.max(0, ...shown.map(({ member }) => textWidth(member ?? ""))));
  return shown.map(({ wallMs, member, text, tone }) => [
    { text: `${formatClock(wallMs)}  `, tone: "dim" },
    ...(nameWidth === 0 ? [] : [{ text: `${toWidth(member ?? "", nameWidth)}  ` }]),
    toned(text, tone),
  ]);
}

/** One event as plain text, for streams. */
export function eventText({ wallMs, member, text }: ClusterEvent): string {
  return `${formatClock(wallMs)} ${member === undefined ? "" : `${member} `}${text}`;
}
