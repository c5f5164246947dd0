/** A Markdown table that reads as well on a terminal; columns but the first are set to the right. */
export function markdownTable(head: readonly string[], lines: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, index) =>
    Math.max(...[head, ...lines].map((line) => line[index]?.length ?? 0)),
  );
  const set = (cell: string, index: number): string =>
    index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0);
  const draw = (line: readonly string[]): string => `| ${line.map(set).join(" | ")} |`;
  const rule = widths.map((width, index) => (index === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [draw(head), `| ${rule.join(" | ")} |`, ...lines.map(draw)];
}

export const figure = (value: number): string =>
  value >= 99.5 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(2);

export const milliseconds = (us: number): string => (us / 1_000).toFixed(us < 10_000 ? 2 : 0);
