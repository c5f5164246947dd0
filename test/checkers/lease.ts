import type { Violation } from "./violation.ts";

/** Everything that was asked of one lease, and when it was seen alive or gone. Times on one clock. */
export interface LeaseHistory {
  readonly lease: string;
  /** What the server granted. */
  readonly ttlSeconds: number;
  readonly grant: LeaseCall;
  readonly renewals: readonly (LeaseCall & { readonly outcome: "renewed" | "gone" | "unknown" })[];
  /** Also those of unknown outcome; not those that were surely refused. */
  readonly revokes: readonly LeaseCall[];
  readonly observations: readonly LeaseObservation[];
}

export interface LeaseCall {
  readonly callMs: number;
  /** Infinity: unknown. */
  readonly returnMs: number;
}

/**
 * The lease or a key attached to it, which nothing else deletes or overwrites. "gone": by `atMs` it was not there any
 * more. "alive": at some moment not before `atMs` it was still there, as a linearizable read saw it.
 */
export interface LeaseObservation {
  readonly kind: "gone" | "alive";
  readonly atMs: number;
}

export interface LeaseCheckOptions {
  /** How much faster or slower than the observer's the members' clocks may run: 0.05 for five per cent. */
  readonly driftMax: number;
  /** From here on there is a leader and nothing fails: what is over must go. Infinity: not looked at. */
  readonly quietFromMs: number;
  /** How long after its time a lease may still be there in quiet. */
  readonly boundMs: number;
}

/**
 * Never early: a lease stays for its whole TTL after each renewal that was answered. Not for ever: it is gone some
 * time after the last that can have come through; a new leader gives a renewed lease its whole TTL once more.
 */
export function checkLeases(leases: readonly LeaseHistory[], options: LeaseCheckOptions): Violation[] {
  return leases.flatMap((lease) => checkLease(lease, options));
}

function checkLease(history: LeaseHistory, options: LeaseCheckOptions): Violation[] {
  const violations: Violation[] = [];
  const { lease, grant, renewals, revokes, observations } = history;
  const ttlMs = history.ttlSeconds * 1000;
  const violate = (promise: string, detail: string): void => {
    violations.push({
      promise: `lease: ${promise}`,
      detail: `lease ${lease} of ${history.ttlSeconds} s: ${detail}`,
    });
  };
  const revokedFromMs = Math.min(...revokes.map((revoke) => revoke.callMs));
  const renewed = renewals.filter((renewal) => renewal.outcome === "renewed");

  const gone = [
    ...observations.filter((seen) => seen.kind === "gone").map((seen) => seen.atMs),
    ...renewals.filter((renewal) => renewal.outcome === "gone").map((renewal) => renewal.returnMs),
  ];
  const goneByMs = Math.min(...gone);
  if (goneByMs < revokedFromMs) {
    // The server counted from some moment after the call; its clock may have run fast.
    const starts = [grant, ...renewed].filter((call) => call.returnMs !== Number.POSITIVE_INFINITY);
    const safeUntilMs = Math.max(...starts.map((call) => call.callMs)) + ttlMs / (1 + options.driftMax);
    if (starts.length > 0 && goneByMs < safeUntilMs) {
      violate("never early", `gone by ${goneByMs} ms, promised until ${Math.floor(safeUntilMs)} ms`);
    }
  }
  for (const renewal of renewed) {
    if (renewal.callMs > goneByMs)
      violate("gone is gone", `renewed at ${renewal.callMs} ms, gone by ${goneByMs} ms`);
  }
  for (const seen of observations) {
    if (seen.kind !== "alive") continue;
    if (seen.atMs > goneByMs) violate("gone is gone", `alive at ${seen.atMs} ms, gone by ${goneByMs} ms`);
    const revoke = revokes.find((call) => call.returnMs < seen.atMs);
    if (revoke !== undefined)
      violate("revoked is gone", `alive at ${seen.atMs} ms, revoked by ${revoke.returnMs} ms`);
  }
  const lastMs = Math.max(grant.callMs, ...[grant, ...renewals].map((call) => lastMoment(call, options)));
  const overMs = Math.max(lastMs, options.quietFromMs) + ttlMs * (1 + options.driftMax) + options.boundMs;
  const late = observations.find((seen) => seen.kind === "alive" && seen.atMs > overMs);
  if (late !== undefined)
    violate("not for ever", `alive at ${late.atMs} ms, over since ${Math.ceil(overMs)} ms`);
  return violations;
}

/** When the call can have had its effect at the latest: one that nobody answered has it before things are quiet. */
function lastMoment(call: LeaseCall, options: LeaseCheckOptions): number {
  return call.returnMs === Number.POSITIVE_INFINITY
    ? Math.max(call.callMs, options.quietFromMs)
    : call.returnMs;
}
