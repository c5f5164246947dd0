/**
 * The shortest TTL a lease may have, in seconds; a shorter one is raised to it by the proposer, silently. 1.5
 * election timeouts, so that a lease outlives a leader change (semantics-watch-lease B1). 2 s by default.
 */
export function minTtlSeconds(timing: {
  readonly electionTicks: number;
  readonly heartbeatIntervalMs: number;
}): number {
  const ticks = Math.floor((3 * timing.electionTicks) / 2);
  return Math.ceil((ticks * timing.heartbeatIntervalMs) / 1000);
}
