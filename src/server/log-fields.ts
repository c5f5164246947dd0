import type { LogFields } from "../lib/log.ts";

const secretName =
  /pass(?:word|wd|phrase)?$|secret|credential|authorization|cookie|private.?key|^token$|.token$/i;
/** --initial-cluster-token is a name, not a secret. */
const publicNames = new Set(["initial-cluster-token", "initialClusterToken"]);
const reservedNames = new Set(["level", "ts", "caller", "msg"]);
const depthMax = 5;
const redacted = "[redacted]";

/**
 * Fields as they may be logged: values of secret-sounding names are replaced at any depth, errors become their
 * message (with the stack as "stacktrace"), ids (bigint) hexadecimal as etcd prints them, bytes their number, and
 * names that the line itself uses get an underscore in front.
 */
export function loggable(fields: LogFields): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    result[reservedNames.has(name) ? `_${name}` : name] = isSecret(name) ? redacted : loggableValue(value, 0);
    if (value instanceof Error && value.stack !== undefined) result["stacktrace"] = stackOf(value);
  }
  return result;
}

function loggableValue(value: unknown, depth: number): unknown {
  if (typeof value === "bigint") return BigInt.asUintN(64, value).toString(16);
  if (typeof value === "function" || typeof value === "symbol") return String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return value.message;
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  // Also what ends a structure that contains itself.
  if (depth === depthMax) return "[nested]";
  if (Array.isArray(value)) return value.map((item) => loggableValue(item, depth + 1));
  if (value instanceof Map || value instanceof Set) return loggableValue([...value], depth);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      isSecret(name) ? redacted : loggableValue(inner, depth + 1),
    ]),
  );
}

function isSecret(name: string): boolean {
  return secretName.test(name) && !publicNames.has(name);
}

function stackOf(error: Error): string {
  const causes: string[] = [];
  let current: unknown = error;
  while (current instanceof Error && causes.length < depthMax) {
    causes.push(current.stack ?? current.message);
    current = current.cause;
  }
  return causes.join("\ncaused by: ");
}
