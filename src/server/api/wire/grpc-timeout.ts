const format = /^(\d{1,8})([HMSmun])$/;
const msPerUnit: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};
/** Timers hold 31 bits: a longer timeout is none. */
const TIMEOUT_MS_MAX = 2_147_483_647;

/** Milliseconds of a `grpc-timeout`; undefined: as good as none. "malformed" for what is no timeout. */
export function timeoutMsOf(text: string): number | undefined | "malformed" {
  const match = format.exec(text);
  if (match === null) return "malformed";
  const ms = Number(match[1]) * (msPerUnit[match[2] as string] as number);
  return ms > TIMEOUT_MS_MAX ? undefined : ms;
}
