import { formatAge, formatCount, formatMs, formatSize, sparkline } from "../format.ts";
import type { MemberModel } from "../member-model.ts";
import { type Segment, type StyledLine, textWidth, toWidth } from "../styled-line.ts";
import { roleWord, stateWord } from "./member-words.ts";

const labelWidth = 14;

/** All that is known of one member. */
export function detailLines(member: MemberModel, nowMs: number, width: number): StyledLine[] {
  const { status } = member;
  const field = (label: string, ...value: Segment[]): StyledLine => [
    { text: toWidth(label, labelWidth), tone: "dim" },
    ...value,
  ];
  const text = (value: string): Segment => ({ text: value });
  const lines: StyledLine[] = [
    field("name", text(member.name)),
    field("id", text(member.id)),
    field("role", roleWord(member)),
    field(
      "state",
      stateWord(member),
      text(` for ${formatAge(nowMs - member.stateSinceMs)}`),
      ...(member.failure === undefined ? [] : [text(`: ${member.failure}`)]),
    ),
    field("asked at", text(member.endpoint)),
    field("client URLs", text(member.clientUrls.join(", ") || "-")),
    field("peer URLs", text(member.peerUrls.join(", ") || "-")),
  ];
  if (status !== undefined) {
    lines.push(
      field("version", text(status.version)),
      field("term", text(`${status.term}, leader ${status.leaderId ?? "unknown"}`)),
      field("log", text(`index ${formatCount(status.index)}, applied ${formatCount(status.applied)}`)),
      field("revision", text(formatCount(status.revision))),
      field("database", text(`${formatSize(status.dbSizeBytes)}, in use ${formatSize(status.inUseBytes)}`)),
    );
  }
  lines.push(field("fsync p99", text(member.fsyncP99Ms === undefined ? "-" : formatMs(member.fsyncP99Ms))));
  const chart = (label: string, now: string, history: readonly (number | undefined)[]): StyledLine => {
    const head = `${toWidth(now, 9)} `;
    return field(label, text(head), {
      text: sparkline(history, Math.max(0, width - labelWidth - textWidth(head))),
      tone: "accent",
    });
  };
  lines.push(
    chart("lag", member.lag === undefined ? "-" : formatCount(member.lag), member.lagHistory),
    chart(
      "answers in",
      member.answerMs === undefined ? "-" : formatMs(member.answerMs),
      member.answerHistory,
    ),
  );
  for (const error of status?.errors ?? []) lines.push(field("says", { text: error, tone: "bad" }));
  return lines;
}
