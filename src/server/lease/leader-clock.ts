/**
 * The leader's way between its monotonic clock and the replicated lease clock: the lease clock goes on from the
 * value the log held when this member became leader. Time in which there is no leader is not counted.
 */
export interface LeaderClock {
  readonly promotedAtMs: number;
  readonly leaseTimeAtPromoteMs: number;
}

/** The lease clock at monotonic `nowMs`, with its fraction. */
export function toLeaseTimeMs(clock: LeaderClock, nowMs: number): number {
  return clock.leaseTimeAtPromoteMs + Math.max(0, nowMs - clock.promotedAtMs);
}

/** The monotonic time at which the lease clock shows `leaseTimeMs`. */
export function toMonotonicMs(clock: LeaderClock, leaseTimeMs: number): number {
  return clock.promotedAtMs + (leaseTimeMs - clock.leaseTimeAtPromoteMs);
}
