import type { ClusterModel, Series } from "../cluster-model.ts";
import { formatMs, formatRate, formatShortCount, sparkline } from "../format.ts";
import type { MemberModel } from "../member-model.ts";
import { type StyledLine, textWidth, toWidth } from "../styled-line.ts";

const valueWidth = 9;

/** Rates, the most telling first; without metrics only what the log itself tells. */
export function throughputLines(model: ClusterModel, width: number, rows: number): StyledLine[] {
  const { throughput, memory } = model;
  const order = ["put", "range", "txn", "log", "delete"];
  const hasMetrics =
    [...memory.values()].some(({ metrics }) => metrics !== undefined) ||
    throughput.some(({ name, history }) => name !== "log" && history.some((value) => value !== undefined));
  if (!hasMetrics) {
    const log = throughput.filter(({ name }) => name === "log");
    return [
      ...log.map((series) => seriesLine({ ...series, name: "log" }, width, rate)),
      [{ text: "no /metrics in reach: no more is known", tone: "dim" as const }],
    ].slice(0, rows);
  }
  return order
    .flatMap((name) => throughput.filter((series) => series.name === name))
    .slice(0, rows)
    .map((series) => seriesLine(series, width, rate));
}

export function latencyLines({ latency }: ClusterModel, width: number, rows: number): StyledLine[] {
  return latency.slice(0, rows).map((series) => seriesLine(series, width, formatMs));
}

function rate(perSecond: number): string {
  return `${formatRate(perSecond)}/s`;
}

function seriesLine(
  { name, current, history }: Series,
  width: number,
  format: (value: number) => string,
): StyledLine {
  const head = `${toWidth(name, 6)} ${toWidth(current === undefined ? "-" : format(current), valueWidth, "right")}  `;
  const room = Math.max(0, width - textWidth(head));
  return [{ text: head }, { text: sparkline(history, room), tone: "accent" }];
}

/** Lag and answers of each member over time. */
export function memberChartLines(members: readonly MemberModel[], width: number): StyledLine[] {
  const nameWidth = Math.min(16, Math.max(4, ...members.map(({ name }) => textWidth(name))));
  const half = Math.floor((width - nameWidth - 2) / 2);
  return members.map((member) => {
    const lag = `lag ${toWidth(member.lag === undefined ? "-" : formatShortCount(member.lag), 6, "right")}  `;
    const answer = `answer ${toWidth(member.answerMs === undefined ? "-" : formatMs(member.answerMs), 7, "right")}  `;
    return [
      { text: `${toWidth(member.name, nameWidth)}  ` },
      { text: lag },
      { text: sparkline(member.lagHistory, Math.max(0, half - textWidth(lag) - 2)), tone: "accent" },
      { text: "  " },
      { text: answer },
      { text: sparkline(member.answerHistory, Math.max(0, half - textWidth(answer))), tone: "accent" },
    ];
  });
}
