/** Columns wide enough for their cells, two spaces apart, no borders; the last column is not padded. */
export function formatTable(
  headers: readonly string[],
  rows: readonly (readonly string[])[],
  widthMax?: number,
): string {
  const widths = headers.map((header, column) =>
    Math.max(width(header), ...rows.map((row) => width(row[column] ?? ""))),
  );
  const lines = [headers, ...rows].map((row) => {
    const line = headers
      .map((_, column) => {
        const cell = row[column] ?? "";
        return column === headers.length - 1 ? cell : cell + " ".repeat(widths[column]! - width(cell));
      })
      .join("  ")
      .trimEnd();
    return widthMax === undefined ? line : truncate(line, widthMax);
  });
  return `${lines.join("\n")}\n`;
}

/** Characters, counting a surrogate pair as one. */
function width(text: string): number {
  return [...text].length;
}

function truncate(text: string, widthMax: number): string {
  const characters = [...text];
  return characters.length <= widthMax ? text : `${characters.slice(0, widthMax - 1).join("")}…`;
}

const sizeUnits = ["B", "kB", "MB", "GB", "TB"];

/** "20 kB": decimal units with two significant digits below ten. */
export function formatSize(sizeBytes: number): string {
  let size = sizeBytes;
  let unit = 0;
  while (size >= 1_000 && unit < sizeUnits.length - 1) {
    size /= 1_000;
    unit += 1;
  }
  const digits = unit > 0 && size < 10 ? 1 : 0;
  return `${size.toFixed(digits)} ${sizeUnits[unit]}`;
}
