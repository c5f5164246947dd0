import { type Aim, aimText, verdict } from "./aims.ts";
import type { Contender } from "./contender.ts";
import type { Result } from "./contest.ts";
import type { Measurement } from "./generator.ts";
import type { Inside } from "./inside.ts";
import { type Point, titleOf } from "./plan.ts";
import { medianOf, ratioOf, type Spread, sideOf, spreadText } from "./ratio.ts";
import { figure, markdownTable, milliseconds } from "./table.ts";

/** One contender beside another. */
export interface Pairing {
  readonly subject: Contender;
  readonly base: Contender | undefined;
  /** What the ratios are to be; of two revisions nothing, but which is faster is told. */
  readonly aimOf: ((point: Point) => Aim | undefined) | "which is faster";
}

const NONE = "-";

/** The table of a pairing under a heading of its own. */
export function pairingLines(pairing: Pairing, results: readonly Result[]): string[] {
  const { subject, base } = pairing;
  const columns = [...columnsOf(pairing)];
  return [
    `### ${base === undefined ? subject.title : `${subject.title} against ${base.title}`}`,
    "",
    ...markdownTable(
      columns.map(([head]) => head),
      results.map((result) => columns.map(([, cell]) => cell(result))),
    ),
    "",
  ];
}

type Column = readonly [head: string, cell: (result: Result) => string];

function* columnsOf({ subject, base, aimOf }: Pairing): Generator<Column> {
  const runsOf = (result: Result, contender = subject): readonly Measurement[] =>
    result.runs.get(contender) ?? [];
  yield ["workload", ({ point }) => titleOf(point)];
  yield ["clients", ({ point }) => point.clients.toLocaleString("en-US")];
  for (const contender of base === undefined ? [subject] : [subject, base]) {
    const middle = (result: Result, pick: (run: Measurement) => number): number =>
      medianOf(runsOf(result, contender).map(pick));
    yield [`${contender.title} /s`, (result) => figure(middle(result, (run) => run.perSecond))];
    yield ["p50 ms", (result) => milliseconds(middle(result, (run) => run.p50Us))];
    yield ["p99 ms", (result) => milliseconds(middle(result, (run) => run.p99Us))];
    yield ["CPU µs", (result) => figure(middle(result, (run) => run.cpuUs))];
  }
  if (base !== undefined) {
    const ratio = (result: Result, pick: (run: Measurement) => number): Spread =>
      ratioOf(runsOf(result), runsOf(result, base), pick);
    const perSecond = (run: Measurement): number => run.perSecond;
    const cpuUs = (run: Measurement): number => run.cpuUs;
    yield ["× /s", (result) => spreadText(ratio(result, perSecond))];
    yield ["× CPU", (result) => spreadText(ratio(result, cpuUs))];
    if (aimOf === "which is faster") {
      yield ["throughput", (result) => throughputWords[sideOf(ratio(result, perSecond))]];
      yield ["CPU", (result) => cpuWords[sideOf(ratio(result, cpuUs))]];
    } else {
      const aimCell = (result: Result, text: (aim: Aim) => string): string => {
        const aim = aimOf(result.point);
        return aim === undefined ? NONE : text(aim);
      };
      yield ["aim (×)", (result) => aimCell(result, aimText)];
      yield [
        "reached",
        (result) => aimCell(result, (aim) => verdict(aim, runsOf(result), runsOf(result, base))),
      ];
    }
  }
  const seen = (
    result: Result,
    pick: (inside: Inside) => number,
    sum: (values: readonly number[]) => number,
  ): string => {
    const values = runsOf(result).flatMap(({ inside }) => (inside === undefined ? [] : [pick(inside)]));
    return values.length === 0 ? NONE : sum(values).toFixed(1);
  };
  const most = (values: readonly number[]): number => Math.max(...values);
  yield ["loop late p99.9 ms", (result) => seen(result, (inside) => inside.lagP999Ms, medianOf)];
  yield ["at most", (result) => seen(result, (inside) => inside.lagMaxMs, most)];
  yield ["GC % of the time", (result) => garbageShare(runsOf(result))];
  yield ["longest ms", (result) => seen(result, (inside) => inside.gcMaxMs, most)];
  yield [
    "entries a sync",
    (result) => {
      const entries = result.entriesPerSync.get(subject);
      return entries === undefined ? NONE : figure(entries);
    },
  ];
  yield ["generator CPU µs", (result) => figure(medianOf(runsOf(result).map((run) => run.generatorCpuUs)))];
}

const throughputWords = { above: "faster", below: "slower", same: "same within spread" } as const;
const cpuWords = { above: "dearer", below: "cheaper", same: "same within spread" } as const;

function garbageShare(runs: readonly Measurement[]): string {
  const shares = runs.flatMap(({ inside, seconds }) =>
    inside === undefined ? [] : [inside.gcMs / (10 * seconds)],
  );
  return shares.length === 0 ? NONE : medianOf(shares).toFixed(1);
}
