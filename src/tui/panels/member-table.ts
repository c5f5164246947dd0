import { bar, formatAge, formatCount, formatMs, formatShortCount, formatSize } from "../format.ts";
import { highFsyncMs, type MemberModel } from "../member-model.ts";
import { fitLine, lineWidth, type Segment, type StyledLine, textWidth, toWidth } from "../styled-line.ts";
import { roleWord, stateWord } from "./member-words.ts";

type ColumnName =
  | "name"
  | "role"
  | "state"
  | "term"
  | "index"
  | "applied"
  | "lag"
  | "answer"
  | "size"
  | "sizes"
  | "fsync"
  | "version";

interface Column {
  readonly name: ColumnName;
  readonly head: string;
  readonly align: "left" | "right";
  readonly cell: (member: MemberModel) => Segment;
}

const nameWidthMax = 16;

const number = (text: string | undefined): Segment => ({ text: text ?? "-" });

const allColumns: readonly Column[] = [
  { name: "name", head: "NAME", align: "left", cell: ({ name }) => ({ text: toWidthMax(name) }) },
  { name: "role", head: "ROLE", align: "left", cell: roleWord },
  { name: "state", head: "STATE", align: "left", cell: stateWord },
  { name: "term", head: "TERM", align: "right", cell: ({ status }) => number(status && String(status.term)) },
  {
    name: "index",
    head: "RAFT INDEX",
    align: "right",
    cell: ({ status }) => number(status && formatCount(status.index)),
  },
  {
    name: "applied",
    head: "APPLIED",
    align: "right",
    cell: ({ status }) => number(status && formatCount(status.applied)),
  },
  {
    name: "lag",
    head: "LAG",
    align: "right",
    cell: ({ lag }) => number(lag === undefined ? undefined : formatShortCount(lag)),
  },
  {
    name: "answer",
    head: "ANSWER",
    align: "right",
    cell: ({ answerMs }) => number(answerMs === undefined ? undefined : formatMs(answerMs)),
  },
  {
    name: "sizes",
    head: "DB SIZE / IN USE",
    align: "right",
    cell: ({ status }) =>
      number(status && `${formatSize(status.dbSizeBytes)} / ${formatSize(status.inUseBytes)}`),
  },
  {
    name: "size",
    head: "DB SIZE",
    align: "right",
    cell: ({ status }) => number(status && formatSize(status.dbSizeBytes)),
  },
  { name: "fsync", head: "FSYNC p99", align: "right", cell: fsyncCell },
  { name: "version", head: "VERSION", align: "left", cell: ({ status }) => number(status?.version) },
];

/** What goes first when the terminal is too narrow for all; "sizes" gives way to "size". */
const dropOrder: readonly ColumnName[] = [
  "version",
  "applied",
  "sizes",
  "answer",
  "term",
  "index",
  "fsync",
  "size",
];
const gap = "  ";
const marker = "▸ ";

function toWidthMax(name: string): string {
  return textWidth(name) <= nameWidthMax ? name : toWidth(name, nameWidthMax);
}

/** Marked when it is high enough to be felt. */
function fsyncCell({ fsyncP99Ms }: MemberModel): Segment {
  if (fsyncP99Ms === undefined) return { text: "-" };
  if (fsyncP99Ms < highFsyncMs) return { text: formatMs(fsyncP99Ms) };
  return { text: `${formatMs(fsyncP99Ms)}!`, tone: "warning" };
}

/** The table's head and a row per member, as many columns as fit into `width`. */
export function memberTable(
  members: readonly MemberModel[],
  selectedId: string | undefined,
  width: number,
): { readonly head: StyledLine; readonly rows: readonly StyledLine[] } {
  const columns = chooseColumns(members, width - textWidth(marker));
  const head: Segment[] = [{ text: " ".repeat(textWidth(marker)) }];
  for (const { column, columnWidth } of columns) {
    head.push({
      text: (head.length === 1 ? "" : gap) + toWidth(column.head, columnWidth, column.align),
      tone: "dim",
    });
  }
  return {
    head: fitLine(head, width),
    rows: members.map((member) =>
      fitLine(memberRow(member, columns, member.id === selectedId, width), width),
    ),
  };
}

interface PlacedColumn {
  readonly column: Column;
  readonly columnWidth: number;
}

function chooseColumns(members: readonly MemberModel[], width: number): PlacedColumn[] {
  const place = (column: Column): PlacedColumn => ({
    column,
    columnWidth: Math.max(
      textWidth(column.head),
      ...members.map((member) => textWidth(column.cell(member).text)),
    ),
  });
  const all = allColumns.map(place);
  for (let drops = 0; ; drops++) {
    const dropped = new Set(dropOrder.slice(0, drops));
    if (!dropped.has("sizes")) dropped.add("size");
    const kept = all.filter(({ column }) => !dropped.has(column.name));
    const total = kept.reduce((sum, { columnWidth }) => sum + columnWidth + gap.length, -gap.length);
    if (total <= width || drops === dropOrder.length) return kept;
  }
}

function memberRow(
  member: MemberModel,
  columns: readonly PlacedColumn[],
  isSelected: boolean,
  width: number,
): StyledLine {
  const line: Segment[] = [{ text: isSelected ? marker : " ".repeat(textWidth(marker)), tone: "accent" }];
  for (const { column, columnWidth } of columns) {
    const cell = column.cell(member);
    // What a member said before it fell silent is there to be seen, but as what it is.
    const isOld = !member.isCurrent && column.name !== "name" && column.name !== "state";
    const tone = isOld ? "dim" : cell.tone;
    const text = (line.length === 1 ? "" : gap) + toWidth(cell.text, columnWidth, column.align);
    line.push(tone === undefined ? { text } : { text, tone });
    if (column.name === "lag" && member.progress !== undefined) {
      line.push({ text: gap }, progressSegment(member.progress, width - lineWidth(line) - gap.length));
      break;
    }
  }
  return line;
}

function progressSegment(progress: NonNullable<MemberModel["progress"]>, width: number): Segment {
  const share = `${Math.floor(progress.share * 100)} %`;
  const left = progress.leftMs === undefined ? "" : `  ${formatAge(progress.leftMs)} left`;
  const barWidth = Math.min(20, Math.max(0, width - share.length - left.length - 1));
  return { text: `${bar(progress.share, barWidth)} ${share}${left}`, tone: "accent" };
}
