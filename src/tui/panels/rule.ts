import { fitLine, type StyledLine, textWidth } from "../styled-line.ts";

export interface RuleSpec {
  /** Columns of the whole rule. */
  readonly width: number;
  readonly ends: readonly [left: string, right: string];
  /** Columns where an upright comes from above, and where one goes down. */
  readonly above: readonly number[];
  readonly below: readonly number[];
  /** Titles with the column of the upright that each stands behind. */
  readonly titles: readonly { readonly at: number; readonly text: string }[];
}

/** A horizontal rule with titles in it and joints where uprights meet it. */
export function rule({ width, ends, above, below, titles }: RuleSpec): StyledLine {
  const line: { text: string; tone: "dim" | "title" }[] = [];
  let column = 0;
  const drawTo = (end: number): void => {
    let text = "";
    for (; column < end; column++) text += ruleCharacter(column, width, ends, above, below);
    if (text !== "") line.push({ text, tone: "dim" });
  };
  for (const { at, text } of titles) {
    drawTo(Math.min(at + 1, width - 1));
    const title = ` ${text} `;
    if (column + textWidth(title) >= width) break;
    line.push({ text: title, tone: "title" });
    column += textWidth(title);
  }
  drawTo(width);
  return fitLine(line, width);
}

function ruleCharacter(
  column: number,
  width: number,
  [left, right]: RuleSpec["ends"],
  above: readonly number[],
  below: readonly number[],
): string {
  if (column === 0) return left;
  if (column === width - 1) return right;
  if (above.includes(column)) return below.includes(column) ? "┼" : "┴";
  return below.includes(column) ? "┬" : "─";
}

/** Several panels side by side, each line between uprights, `rows` of them. */
export interface Panel {
  /** Columns between its uprights. */
  readonly width: number;
  readonly lines: readonly StyledLine[];
}

/** Columns of the uprights between panels of these widths. */
export function uprights(widths: readonly number[]): number[] {
  let column = 0;
  return widths.slice(0, -1).map((width) => {
    column += width + 1;
    return column;
  });
}

export function sideBySide(panels: readonly Panel[], rows: number): StyledLine[] {
  return Array.from({ length: rows }, (_, row) => [
    { text: "│", tone: "dim" as const },
    ...panels.flatMap(({ width, lines }) => [
      ...fitLine([{ text: " " }, ...(lines[row] ?? [])], width - 1),
      { text: " " },
      { text: "│", tone: "dim" as const },
    ]),
  ]);
}

/** Divides the columns inside a frame of `width` columns by shares; the last panel takes what is left. */
export function divide(width: number, shares: readonly number[]): number[] {
  const inside = width - 1 - shares.length;
  const widths = shares.slice(0, -1).map((share) => Math.floor(inside * share));
  return [...widths, inside - widths.reduce((sum, part) => sum + part, 0)];
}
