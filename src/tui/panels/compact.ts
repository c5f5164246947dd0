import type { ClusterModel } from "../cluster-model.ts";
import { formatShortCount } from "../format.ts";
import { fitLine, type StyledLine, textWidth, toned, toWidth } from "../styled-line.ts";
import { eventText } from "./events.ts";
import { headerLine } from "./header.ts";
import { roleWord, stateWord } from "./member-words.ts";

/** For small terminals: one line about the cluster, one per member, the last event. */
export function compactLines(
  model: ClusterModel | undefined,
  selectedId: string | undefined,
  now: { readonly atMs: number; readonly wallMs: number },
  size: { readonly columns: number; readonly rows: number },
): StyledLine[] {
  const header = headerLine(model, now, size.columns);
  const members = model?.members ?? [];
  const nameWidth = Math.min(12, Math.max(0, ...members.map(({ name }) => textWidth(name))));
  const rows = members.map((member): StyledLine => {
    const role = roleWord(member);
    const state = stateWord(member);
    const lag = member.lag === undefined ? "" : `  lag ${formatShortCount(member.lag)}`;
    return [
      { text: member.id === selectedId ? "▸" : " ", tone: "accent" },
      { text: `${toWidth(member.name, nameWidth)} ` },
      toned(toWidth(role.text, 11), member.isCurrent ? role.tone : "dim"),
      toned(` ${state.text}`, state.tone),
      { text: lag },
    ];
  });
  const last = model?.events[0];
  const event: StyledLine[] = last === undefined ? [] : [[{ text: ` ${eventText(last)}`, tone: last.tone }]];
  const room = Math.max(0, size.rows - 1 - event.length);
  return [header, ...rows.slice(0, room), ...event]
    .slice(0, size.rows)
    .map((line) => fitLine(line, size.columns));
}
