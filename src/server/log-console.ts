/**
 * One JSON line of the log as columns for people, separated by tabs: time, level, caller, message, the rest as JSON
 * (etcd --log-format=console). What is no JSON object passes unchanged.
 */
export function consoleLine(line: string): string {
  const parsed = parseObject(line);
  if (parsed === undefined) return line;
  const { level, ts, caller, msg, ...rest } = parsed;
  const columns = [ts, level, caller, msg].map((column) => String(column ?? ""));
  if (Object.keys(rest).length > 0) columns.push(JSON.stringify(rest));
  return `${columns.join("\t")}\n`;
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
