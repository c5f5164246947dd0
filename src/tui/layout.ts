/** Rows of each part of the screen; a part with no rows is not there. */
export interface Layout {
  readonly kind: "full" | "compact";
  readonly columns: number;
  readonly rows: number;
  readonly memberRows: number;
  readonly chartRows: number;
  readonly spaceRows: number;
  /** Rows of the charts per member, on tall screens. */
  readonly memberChartRows: number;
  readonly eventRows: number;
}

const fullColumnsMin = 80;
const fullRowsMin = 20;
const eventRowsMin = 2;
/** Header, rule and head of the table, the rules above charts, space and events and below them, the last line. */
const fixedRows = 8;

/** How a terminal of this size is divided; any size is good, 0 by 0 included. */
export function layoutOf(columns: number, rows: number, members: number): Layout {
  const size = { columns: Math.max(1, columns), rows: Math.max(1, rows) };
  if (columns < fullColumnsMin || rows < fullRowsMin) {
    return {
      kind: "compact",
      ...size,
      memberRows: members,
      chartRows: 0,
      spaceRows: 0,
      memberChartRows: 0,
      eventRows: 0,
    };
  }
  const chartRows = rows >= 34 ? 5 : rows >= 28 ? 4 : 3;
  const spaceRows = 3;
  const left = rows - fixedRows - chartRows - spaceRows;
  const memberRows = Math.max(1, Math.min(members, left - eventRowsMin));
  // Only where the events keep a good part of the screen.
  const spare = left - memberRows - 8;
  const memberChartRows = rows >= 34 && spare > members && members > 0 ? members : 0;
  const eventRows = left - memberRows - (memberChartRows === 0 ? 0 : memberChartRows + 1);
  return { kind: "full", ...size, memberRows, chartRows, spaceRows, memberChartRows, eventRows };
}

/** The part of a list that is shown so that `selected` is in it. */
export function windowOf(
  count: number,
  rows: number,
  selected: number,
): { readonly from: number; readonly to: number } {
  const from = Math.max(0, Math.min(count - rows, selected - Math.floor(rows / 2)));
  return { from, to: Math.min(count, from + rows) };
}
