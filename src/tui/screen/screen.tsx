import { Box } from "ink";
import { formatAge } from "../format.ts";
import { type Layout, layoutOf, windowOf } from "../layout.ts";
import { latencyLines, memberChartLines, throughputLines } from "../panels/charts.ts";
import { compactLines } from "../panels/compact.ts";
import { detailLines } from "../panels/details.ts";
import { dialogLines } from "../panels/dialog.ts";
import { eventLines } from "../panels/events.ts";
import { footerLine } from "../panels/footer.ts";
import { headerLine } from "../panels/header.ts";
import { helpLines } from "../panels/help.ts";
import { memberTable } from "../panels/member-table.ts";
import { divide, rule, sideBySide, uprights } from "../panels/rule.ts";
import { alarmLines, dataLines, spaceLines } from "../panels/space.ts";
import { selectedMember } from "../screen-state.ts";
import type { ScreenView } from "../screen-store.ts";
import { plain, type Segment, type StyledLine } from "../styled-line.ts";
import { Lines } from "./line.tsx";

/** The whole screen for one view: as many lines as the terminal has rows. */
export function Screen({ view }: { readonly view: ScreenView }) {
  const { model, state, size, now, abilities } = view;
  const layout = layoutOf(size.columns, size.rows, model?.members.length ?? 0);
  const isOld = model?.failure !== undefined;
  const selectedId = selectedMember(state, model)?.id;
  if (layout.kind === "compact") {
    return <Lines lines={compactLines(model, selectedId, now, layout)} isOld={isOld} />;
  }
  return (
    <Box flexDirection="column" width={layout.columns} height={layout.rows} overflow="hidden">
      <Lines lines={[headerLine(model, now, layout.columns)]} isOld={false} />
      <Members view={view} layout={layout} isOld={isOld} />
      <Body view={view} layout={layout} isOld={isOld} />
      <Lines lines={[footerLine(message(view), abilities, layout.columns)]} isOld={false} />
    </Box>
  );
}

interface PartProps {
  readonly view: ScreenView;
  readonly layout: Layout;
  readonly isOld: boolean;
}

function Members({ view, layout, isOld }: PartProps) {
  const { model, state } = view;
  const members = model?.members ?? [];
  const selected = selectedMember(state, model);
  const { from, to } = windowOf(
    members.length,
    layout.memberRows,
    selected === undefined ? 0 : members.indexOf(selected),
  );
  const inside = layout.columns - 4;
  const { head, rows } = memberTable(members, selected?.id, inside);
  const hidden = members.length - (to - from);
  const title = hidden === 0 ? "Members" : `Members ${from + 1} to ${to} of ${members.length}`;
  const lines = members.length === 0 ? [plain("none known yet")] : rows.slice(from, to);
  return (
    <Lines
      isOld={isOld}
      lines={[
        topRule(layout.columns, title),
        ...sideBySide([{ width: layout.columns - 2, lines: [head, ...lines] }], layout.memberRows + 1),
      ]}
    />
  );
}

/** Below the members: charts, space and events, or what takes their place. */
function Body(props: PartProps) {
  const { view, layout, isOld } = props;
  const { model, state, now, abilities } = view;
  const member = selectedMember(state, model);
  const rows = layout.rows - layout.memberRows - 6;
  const inside = layout.columns - 4;
  if (state.view === "help") {
    return <Lines lines={onePanel(layout.columns, "Help", helpLines(abilities), rows)} isOld={false} />;
  }
  if (state.view === "details" && member !== undefined) {
    const details = detailLines(member, now.atMs, inside);
    return <Lines lines={onePanel(layout.columns, `Member ${member.name}`, details, rows)} isOld={isOld} />;
  }
  return <Overview {...props} />;
}

function Overview({ view, layout, isOld }: PartProps) {
  const { model, state } = view;
  const { columns } = layout;
  const inside = columns - 4;
  const charts = divide(columns, [0.52, 0.48]);
  const spaces = divide(columns, [0.4, 0.33, 0.27]);
  const chartLines =
    model === undefined
      ? []
      : [
          { width: charts[0]!, lines: throughputLines(model, charts[0]! - 2, layout.chartRows) },
          { width: charts[1]!, lines: latencyLines(model, charts[1]! - 2, layout.chartRows) },
        ];
  const spacePanels =
    model === undefined
      ? []
      : [
          { width: spaces[0]!, lines: spaceLines(model, spaces[0]! - 2) },
          { width: spaces[1]!, lines: dataLines(model) },
          { width: spaces[2]!, lines: alarmLines(model, layout.spaceRows) },
        ];
  const chartUprights = uprights(charts);
  const spaceUprights = uprights(spaces);
  const memberCharts = model === undefined ? [] : memberChartLines(model.members, inside);
  const { dialog } = state;
  const events =
    dialog === undefined ? eventLines(model?.events ?? [], layout.eventRows) : dialogLines(dialog, model);
  const eventTitle = dialog === undefined ? "Events" : "Move leader";
  const hasMemberCharts = layout.memberChartRows > 0;
  return (
    <>
      <Lines
        isOld={isOld}
        lines={[
          rule({
            width: columns,
            ends: ["├", "┤"],
            above: [],
            below: chartUprights,
            titles: [
              { at: 0, text: "Throughput" },
              { at: chartUprights[0]!, text: "Latency p99, worst member" },
            ],
          }),
          ...sideBySide(blankIfNone(chartLines, charts), layout.chartRows),
          rule({
            width: columns,
            ends: ["├", "┤"],
            above: chartUprights,
            below: spaceUprights,
            titles: [
              { at: 0, text: "Space, fullest member" },
              { at: spaceUprights[0]!, text: "Data" },
              { at: spaceUprights[1]!, text: "Alarms" },
            ],
          }),
          ...sideBySide(blankIfNone(spacePanels, spaces), layout.spaceRows),
          ...(hasMemberCharts
            ? [
                middleRule(columns, "Lag and answers", spaceUprights),
                ...sideBySide([{ width: columns - 2, lines: memberCharts }], layout.memberChartRows),
              ]
            : []),
        ]}
      />
      <Lines
        isOld={false}
        lines={[
          middleRule(columns, eventTitle, hasMemberCharts ? [] : spaceUprights),
          ...sideBySide([{ width: columns - 2, lines: events }], layout.eventRows),
          bottomRule(columns),
        ]}
      />
    </>
  );
}

function blankIfNone<P>(panels: readonly P[], widths: readonly number[]) {
  return panels.length > 0 ? panels : widths.map((width) => ({ width, lines: [] }));
}

function onePanel(columns: number, title: string, lines: readonly StyledLine[], rows: number): StyledLine[] {
  return [
    middleRule(columns, title, []),
    ...sideBySide([{ width: columns - 2, lines }], rows),
    bottomRule(columns),
  ];
}

function topRule(width: number, title: string): StyledLine {
  return rule({ width, ends: ["┌", "┐"], above: [], below: [], titles: [{ at: 0, text: title }] });
}

function middleRule(width: number, title: string, above: readonly number[]): StyledLine {
  return rule({ width, ends: ["├", "┤"], above, below: [], titles: [{ at: 0, text: title }] });
}

function bottomRule(width: number): StyledLine {
  return rule({ width, ends: ["└", "┘"], above: [], below: [], titles: [] });
}

/** What the last line says in place of the keys: why nobody answers, or how what was asked for went. */
function message({ model, state, now, nextSampleAtMs }: ScreenView): Segment | undefined {
  if (model?.failure !== undefined) {
    const left = nextSampleAtMs === undefined ? 0 : nextSampleAtMs - now.atMs;
    const next = left < 500 ? "trying now" : `next try in ${formatAge(left)}`;
    return { text: `${model.failure}; ${next}; q quits`, tone: "bad" };
  }
  return state.notice === undefined ? undefined : { text: state.notice, tone: "accent" };
}
