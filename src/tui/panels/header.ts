import type { ClusterHealth, ClusterModel } from "../cluster-model.ts";
import { formatAge, formatClock, formatCount } from "../format.ts";
import { lineWidth, type Segment, type StyledLine, spread } from "../styled-line.ts";

const healths: Record<ClusterHealth, Segment> = {
  healthy: { text: "● HEALTHY", tone: "good" },
  degraded: { text: "◐ DEGRADED", tone: "warning" },
  noLeader: { text: "✖ NO LEADER", tone: "bad" },
  noQuorum: { text: "✖ NO QUORUM", tone: "bad" },
  unreachable: { text: "✖ UNREACHABLE", tone: "bad" },
};

export function healthWord(model: ClusterModel): Segment {
  return healths[model.health];
}

/** "3/3 voters, 1 learner" */
export function votersText({ voters, votersReady, learners }: ClusterModel): string {
  const learning = learners === 0 ? "" : `, ${learners} ${learners === 1 ? "learner" : "learners"}`;
  return `${votersReady}/${voters} voters${learning}`;
}

interface Part {
  readonly line: StyledLine;
  /** The greater, the sooner it gets the room there is. */
  readonly weight: number;
}

/** The first line: which cluster, how far it is, how it is, and what time it is. */
export function headerLine(
  model: ClusterModel | undefined,
  now: { readonly atMs: number; readonly wallMs: number },
  width: number,
): StyledLine {
  const clock: StyledLine = [{ text: ` ${formatClock(now.wallMs)} ` }];
  const title: Part = { line: [{ text: "metastore", tone: "title" }], weight: 0 };
  if (model === undefined)
    return spread([{ text: " " }, ...title.line, { text: "  connecting" }], clock, width);
  const parts: Part[] = [
    title,
    { line: [{ text: `cluster ${model.clusterId ?? "unknown"}` }], weight: 2 },
    { line: [{ text: `rev ${formatCount(model.revision)}` }], weight: 3 },
    { line: [{ text: `term ${model.term}` }], weight: 1 },
    { line: [healthWord(model)], weight: 5 },
    {
      line: [{ text: model.health === "unreachable" ? silence(model, now.atMs) : votersText(model) }],
      weight: 4,
    },
  ];
  // The weightiest first, as many as there is room for; shown in their own order.
  const shown = new Set<Part>();
  for (const part of [...parts].sort((left, right) => right.weight - left.weight)) {
    const more = parts.filter((other) => other === part || shown.has(other));
    if (shown.size === 0 || lineWidth(join(more)) + lineWidth(clock) <= width) shown.add(part);
  }
  return spread(join(parts.filter((part) => shown.has(part))), clock, width);
}

function silence({ answeredAtMs }: ClusterModel, atMs: number): string {
  return answeredAtMs === undefined ? "no answer yet" : `last answer ${formatAge(atMs - answeredAtMs)} ago`;
}

function join(parts: readonly Part[]): StyledLine {
  return parts.flatMap(({ line }, i) => [{ text: i === 0 ? " " : "  " }, ...line]);
}
