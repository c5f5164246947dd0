import { assert } from "../../lib/assert.ts";
import type { ByteString } from "../../lib/bytes.ts";
import { compare } from "../../lib/bytes.ts";
import { RequestError } from "../../lib/errors.ts";
import { limits } from "../../lib/limits.ts";
import type { LeaseDirectory } from "../mvcc/index.ts";
import type { HeapNode } from "./expiry-heap.ts";
import { ExpiryHeap } from "./expiry-heap.ts";
import type { LeaderClock } from "./leader-clock.ts";
import { toLeaseTimeMs, toMonotonicMs } from "./leader-clock.ts";
import type { Lease, LeaseRecord, LeaseSnapshot } from "./lease-record.ts";
import { createLease, recordOf } from "./lease-record.ts";
import { LeaseView } from "./lease-view.ts";

/**
 * What a renewal came to.
 * - renewed: done in memory; answer `ttlSeconds`.
 * - needsFloat: propose leaseFloat for the id and call renew again once it is applied.
 * - expiring: the lease is over; answer TTL 0 when its revoke is applied.
 * - unknown: no such lease; answer TTL 0.
 */
export type RenewOutcome =
  | { readonly kind: "renewed"; readonly ttlSeconds: number }
  | { readonly kind: "needsFloat" }
  | { readonly kind: "expiring" }
  | { readonly kind: "unknown" };

/** The body of a leaseTick command (state/command.ts). */
export interface LeaseTick {
  readonly leaseTimeMs: number;
  readonly fixed: readonly { readonly id: bigint; readonly deadlineMs: number }[];
}

export interface TimeToLive {
  /** Whole seconds left, truncated toward zero; may be negative before the revoke is applied. */
  readonly ttlSeconds: number;
  readonly grantedTtlSeconds: number;
  /** In order of attachment; empty unless asked for. */
  readonly keys: ByteString[];
}

/** The lease time of a grant that was proposed by a member that does not lead. */
export const LEASE_TIME_UNKNOWN = -1;
const NO_KEYS: ReadonlySet<ByteString> = new Set();
/** The part of its TTL a floating lease stays without renewal before its deadline goes back to the log. */
const IDLE_SHARE_OF_TTL = 0.4;
/** Leases fixed by one tick: about 25 bytes each in the log. The rest follow with the next ticks. */
export const fixedPerTickMax = 5_000;

/**
 * The leases of this member. Applied commands change the replicated part (grant, tick, float, revoke, attach); the
 * leader adds deadlines in memory between promote and demote. Pure: time comes in as monotonic milliseconds.
 * DESIGN.md has the lease clock and the invariants I1..I6.
 */
export class Lessor implements LeaseDirectory {
  /** In the order of their serials. */
  readonly #leases = new Map<bigint, Lease>();
  #lastSerial = 0;
  /** Open snapshots. */
  readonly #views = new Set<LeaseView>();
  readonly #expiries = new ExpiryHeap<HeapNode>();
  readonly #idles = new ExpiryHeap<HeapNode>();
  #leaseTimeMs = 0;
  #fixedCount = 0;
  #leader: LeaderClock | undefined;
  #nowMs = 0;
  /** Leases granted, changed and revoked since takeChanges(); undefined while nobody asks. */
  #changed: Set<bigint> | undefined;

  get leaseTimeMs(): number {
    return this.#leaseTimeMs;
  }

  get size(): number {
    return this.#leases.size;
  }

  get isPrimary(): boolean {
    return this.#leader !== undefined;
  }

  // ---- Applied commands: the same on every member.

  /**
   * Applies leaseGrant: the deadline is `ttlSeconds` after the lease time it was proposed at, or floats when the
   * proposer did not know the time (LEASE_TIME_UNKNOWN). `id` is chosen and the TTL raised to the minimum by the
   * proposer. Throws leaseExists, leaseTtlTooLarge.
   */
  grant(id: bigint, ttlSeconds: number, leaseTimeMs: number): void {
    assert(id !== 0n, "the proposer chooses a lease id");
    assert(ttlSeconds > 0, "the proposer raises the TTL to the minimum");
    this.#advance(leaseTimeMs);
    if (ttlSeconds > limits.leaseTtlSecondsMax) throw new RequestError("leaseTtlTooLarge");
    if (this.#leases.has(id)) throw new RequestError("leaseExists");
    const isFloating = leaseTimeMs === LEASE_TIME_UNKNOWN;
    const deadlineMs = isFloating ? undefined : this.#leaseTimeMs + ttlSeconds * 1000;
    const lease = createLease({ id, ttlSeconds, deadlineMs }, ++this.#lastSerial);
    this.#leases.set(id, lease);
    this.#changed?.add(id);
    if (!isFloating) this.#fixedCount++;
    if (this.#leader === undefined) return;
    // The client counts from the answer, which is later than the proposal.
    const startMs = Math.max(this.#nowMs, toMonotonicMs(this.#leader, this.#leaseTimeMs));
    this.#extend(lease, startMs);
  }

  /** Applies leaseTick. Leases that are gone are passed over: their revoke was ahead in the log. */
  tick(tick: LeaseTick): void {
    this.#advance(tick.leaseTimeMs);
    for (const { id, deadlineMs } of tick.fixed) {
      const lease = this.#leases.get(id);
      if (lease === undefined) continue;
      this.#keep(lease);
      if (lease.deadlineMs === undefined) this.#fixedCount++;
      lease.deadlineMs = deadlineMs;
      lease.isFixing = false;
      this.#changed?.add(id);
    }
  }

  /** Applies leaseFloat. Renewals that waited for it call renew again. */
  float(ids: readonly bigint[]): void {
    for (const id of ids) {
      const lease = this.#leases.get(id);
      if (lease === undefined || lease.deadlineMs === undefined) continue;
      this.#keep(lease);
      lease.deadlineMs = undefined;
      this.#changed?.add(id);
      this.#fixedCount--;
      if (this.#leader !== undefined && !lease.isExpiring) this.#watchIdle(lease);
    }
  }

  /**
   * Applies leaseRevoke: the lease is gone; returns the keys attached to it, ascending, for the caller to delete.
   * Throws leaseNotFound.
   */
  revoke(id: bigint): ByteString[] {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw new RequestError("leaseNotFound");
    this.#keep(lease);
    this.#leases.delete(id);
    this.#changed?.add(id);
    this.#expiries.remove(lease.expiry);
    this.#idles.remove(lease.idle);
    if (lease.deadlineMs !== undefined) this.#fixedCount--;
    return [...(lease.keys ?? NO_KEYS)].sort(compare);
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  /** `id` must exist; the store has checked it in the same command. */
  attach(id: bigint, key: ByteString): void {
    const lease = this.#leases.get(id);
    assert(lease !== undefined, "I6: a key is attached to a lease that exists");
    lease.keys ??= new Set();
    lease.keys.add(key);
  }

  /** Nothing happens for a lease that is gone: its revoke deletes the keys after it. */
  detach(id: bigint, key: ByteString): void {
    this.#leases.get(id)?.keys?.delete(key);
  }

  /** The keys attached to `id` in order of attachment; undefined when there is no such lease. */
  keysOf(id: bigint): ReadonlySet<ByteString> | undefined {
    const lease = this.#leases.get(id);
    return lease === undefined ? undefined : (lease.keys ?? NO_KEYS);
  }

  /** The leases as they are now, whatever is applied while they are read. To be closed. */
  openSnapshot(): LeaseView {
    const moment = { leaseTimeMs: this.#leaseTimeMs, lastSerial: this.#lastSerial };
    const view = new LeaseView(this.#leases, moment, (closed) => this.#views.delete(closed));
    this.#views.add(view);
    return view;
  }

  #keep(lease: Lease): void {
    for (const view of this.#views) view.keep(lease);
  }

  /** Replaces everything; the caller attaches the keys afterwards. Not while this member leads. */
  restore(snapshot: LeaseSnapshot): void {
    assert(this.#leader === undefined, "a leader does not load snapshots");
    for (const view of this.#views) view.replaced();
    this.#leases.clear();
    this.#fixedCount = 0;
    this.#leaseTimeMs = snapshot.leaseTimeMs;
    for (const record of snapshot.leases) {
      this.#leases.set(record.id, createLease(record, ++this.#lastSerial));
      this.#changed?.add(record.id);
      if (record.deadlineMs !== undefined) this.#fixedCount++;
    }
  }

  /**
   * What takeChanges() is to tell from now on. For who keeps the leases elsewhere and writes down what changes; a
   * restore counts as a grant of all that it brings.
   */
  trackChanges(): void {
    this.#changed ??= new Set();
  }

  /** The leases that have changed since the last call, as they are now; `record` undefined: revoked. */
  takeChanges(): { readonly id: bigint; readonly record: LeaseRecord | undefined }[] {
    const changed = [...(this.#changed ?? [])];
    this.#changed?.clear();
    return changed.map((id) => {
      const lease = this.#leases.get(id);
      return { id, record: lease && recordOf(lease) };
    });
  }

  // ---- The leader's part: deadlines in memory.

  /**
   * This member leads and has applied everything of earlier terms. Each lease gets what the log left it: the rest of
   * its TTL when fixed, the whole TTL when floating.
   */
  promote(nowMs: number): void {
    this.demote();
    this.#nowMs = nowMs;
    this.#leader = { promotedAtMs: nowMs, leaseTimeAtPromoteMs: this.#leaseTimeMs };
    for (const lease of this.#leases.values()) {
      lease.renewedAtMs = nowMs;
      if (lease.deadlineMs === undefined) this.#extend(lease, nowMs);
      else this.#expiries.set(lease.expiry, toMonotonicMs(this.#leader, lease.deadlineMs));
    }
  }

  /** This member leads no more: nothing expires here, and whatever was handed out is forgotten. */
  demote(): void {
    if (this.#leader === undefined) return;
    this.#leader = undefined;
    this.#expiries.clear();
    this.#idles.clear();
    for (const lease of this.#leases.values()) {
      lease.isFixing = false;
      lease.isExpiring = false;
    }
  }

  /** The leader's monotonic time, told before it applies commands: a grant counts from it. */
  observe(nowMs: number): void {
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
  }

  /** What to stamp on a leaseGrant proposed at `nowMs`; LEASE_TIME_UNKNOWN where this member does not lead. */
  proposalLeaseTimeMs(nowMs: number): number {
    // Down: a lease must not look older than it is.
    return this.#leader === undefined ? LEASE_TIME_UNKNOWN : Math.floor(toLeaseTimeMs(this.#leader, nowMs));
  }

  /** Renews `id` (LeaseKeepAlive). Leader only: throws notPrimaryLessor. */
  renew(id: bigint, nowMs: number): RenewOutcome {
    this.#primary();
    this.observe(nowMs);
    const lease = this.#leases.get(id);
    if (lease === undefined) return { kind: "unknown" };
    if (lease.isExpiring || lease.expiry.dueMs <= this.#nowMs) return { kind: "expiring" };
    // Also when the log has to float it first: the lease must not expire while its renewal is on the way.
    this.#extend(lease, this.#nowMs);
    if (lease.deadlineMs !== undefined || lease.isFixing) return { kind: "needsFloat" };
    return { kind: "renewed", ttlSeconds: lease.ttlSeconds };
  }

  /**
   * The leaseTick to propose at `nowMs`, about once a second; undefined when no lease needs one. Marks the leases it
   * fixes: give the result to tickFailed when it certainly did not get into the log. Leader only.
   */
  nextTick(nowMs: number): LeaseTick | undefined {
    const leader = this.#primary();
    this.observe(nowMs);
    const fixed: { id: bigint; deadlineMs: number }[] = [];
    while (fixed.length < fixedPerTickMax) {
      const node = this.#idles.popDue(nowMs);
      if (node === undefined) break;
      const lease = this.#leases.get(node.id)!;
      if (lease.deadlineMs !== undefined) continue;
      const idleAtMs = this.#idleAtMs(lease);
      if (idleAtMs > nowMs) {
        this.#idles.set(node, idleAtMs);
        continue;
      }
      lease.isFixing = true;
      const expiryMs = Math.max(nowMs, lease.expiry.dueMs);
      fixed.push({ id: lease.id, deadlineMs: Math.ceil(toLeaseTimeMs(leader, expiryMs)) });
    }
    if (this.#fixedCount === 0 && fixed.length === 0) return undefined;
    return { leaseTimeMs: Math.floor(toLeaseTimeMs(leader, nowMs)), fixed };
  }

  /**
   * The tick certainly is not in the log (refused before raft took it). Not for a time-out: such a tick may still be
   * applied, and until then its leases renew through the log.
   */
  tickFailed(tick: LeaseTick): void {
    if (this.#leader === undefined) return;
    for (const { id } of tick.fixed) {
      const lease = this.#leases.get(id);
      if (lease === undefined) continue;
      lease.isFixing = false;
      if (lease.deadlineMs === undefined && !lease.isExpiring) this.#watchIdle(lease);
    }
  }

  /** Expired leases to revoke through the log, the oldest first; each once, until revokeFailed. Leader only. */
  dueForRevoke(nowMs: number, max: number): bigint[] {
    this.#primary();
    this.observe(nowMs);
    const due: bigint[] = [];
    while (due.length < max) {
      const node = this.#expiries.popDue(nowMs);
      if (node === undefined) break;
      const lease = this.#leases.get(node.id)!;
      lease.isExpiring = true;
      this.#idles.remove(lease.idle);
      due.push(lease.id);
    }
    return due;
  }

  /** The revoke of an expired lease did not work out: the next dueForRevoke hands it out again. */
  revokeFailed(id: bigint): void {
    const lease = this.#leases.get(id);
    if (lease === undefined || this.#leader === undefined || !lease.isExpiring) return;
    lease.isExpiring = false;
    this.#expiries.set(lease.expiry, lease.expiry.dueMs);
  }

  /** When the next lease expires, in monotonic milliseconds; undefined when none will. */
  nextWakeMs(): number | undefined {
    return this.#expiries.peek()?.dueMs;
  }

  /** Undefined when there is no such lease. On a member that does not lead: what the log knows. */
  timeToLive(id: bigint, nowMs: number, withKeys: boolean): TimeToLive | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined) return undefined;
    return {
      ttlSeconds: Math.trunc(this.#remainingMs(lease, nowMs) / 1000) + 0,
      grantedTtlSeconds: lease.ttlSeconds,
      keys: withKeys ? [...(lease.keys ?? NO_KEYS)] : [],
    };
  }

  /** All ids by remaining time, the shortest first. */
  leases(nowMs: number): bigint[] {
    return [...this.#leases.values()]
      .map((lease) => ({ id: lease.id, remainingMs: this.#remainingMs(lease, nowMs) }))
      .sort((left, right) => left.remainingMs - right.remainingMs)
      .map((lease) => lease.id);
  }

  #primary(): LeaderClock {
    if (this.#leader === undefined) throw new RequestError("notPrimaryLessor");
    return this.#leader;
  }

  #advance(leaseTimeMs: number): void {
    if (leaseTimeMs > this.#leaseTimeMs) this.#leaseTimeMs = leaseTimeMs;
  }

  /** The whole TTL from `startMs` on. */
  #extend(lease: Lease, startMs: number): void {
    lease.renewedAtMs = startMs;
    this.#expiries.set(lease.expiry, startMs + lease.ttlSeconds * 1000);
    if (lease.deadlineMs === undefined && !lease.isFixing) this.#watchIdle(lease);
  }

  /** The node stays where it is when it is waiting already: nextTick looks again when it comes up. */
  #watchIdle(lease: Lease): void {
    if (lease.idle.heapIndex < 0) this.#idles.set(lease.idle, this.#idleAtMs(lease));
  }

  #idleAtMs(lease: Lease): number {
    return lease.renewedAtMs + lease.ttlSeconds * 1000 * IDLE_SHARE_OF_TTL;
  }

  #remainingMs(lease: Lease, nowMs: number): number {
    if (this.#leader !== undefined) return lease.expiry.dueMs - nowMs;
    if (lease.deadlineMs === undefined) return lease.ttlSeconds * 1000;
    return lease.deadlineMs - this.#leaseTimeMs;
  }
}
