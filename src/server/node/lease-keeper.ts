import type { LeaseGrantResponse, LeaseTimeToLiveResponse } from "../../codec/index.ts";
import type { Clock, Timer } from "../../lib/clock.ts";
import { createDeferred, type Deferred } from "../../lib/deferred.ts";
import { RequestError } from "../../lib/errors.ts";
import { limits } from "../../lib/limits.ts";
import type { Log } from "../../lib/log.ts";
import type { Lessor } from "../lease/index.ts";
import type { ServerNode } from "./types.ts";

const EXPIRY_SCAN_MS = 500;
const TICK_MS = 1_000;
const REVOKES_IN_FLIGHT_MAX = 16;
/** An id is 15 bits of the member's id and 48 bits of count (etcd, request ids). */
const ID_COUNT_MASK = (1n << 48n) - 1n;

/**
 * The leader's hand on the leases: it turns due deadlines into leaseRevoke commands, keeps the replicated lease
 * clock moving, and answers grants and renewals (lease/DESIGN.md). On other members it does nothing.
 */
export class LeaseKeeper {
  readonly #lessor: Lessor;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #propose: ServerNode["propose"];
  readonly #proposeAsLeader: ServerNode["propose"];
  readonly #confirmLeadership: () => Promise<void>;
  readonly #idPrefix: bigint;
  readonly #minTtlSeconds: number;
  readonly #timeoutMs: number;
  #timers: Timer[] = [];
  /** Of the last promotion. */
  #term = 0;
  #idCount: bigint;
  #revokesInFlight = 0;
  #dueWaiting: bigint[] = [];
  #isTicking = false;
  /** Renewals that need their lease to float first; one command takes all that gathered in a turn. */
  #floats: { readonly ids: Set<bigint>; readonly done: Deferred<void> } | undefined;
  /** Renewals that came too late and wait for the revoke. */
  readonly #expiring = new Map<bigint, Deferred<void>>();
  /** For metrics. */
  expiredTotal = 0;
  renewedTotal = 0;

  constructor(options: {
    readonly lessor: Lessor;
    readonly clock: Clock;
    readonly log: Log;
    readonly propose: ServerNode["propose"];
    /** As propose, but rejects with notLeader instead of sending the command to another member. */
    readonly proposeAsLeader: ServerNode["propose"];
    /** Resolves when a quorum has confirmed, after the call, that this member leads. */
    readonly confirmLeadership: () => Promise<void>;
    readonly memberId: bigint;
    readonly minTtlSeconds: number;
    /** How long a renewal of an expired lease waits for its revoke; also the pause before a failed revoke is retried. */
    readonly timeoutMs: number;
  }) {
    this.#lessor = options.lessor;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#propose = options.propose;
    this.#proposeAsLeader = options.proposeAsLeader;
    this.#confirmLeadership = options.confirmLeadership;
    this.#idPrefix = (options.memberId & 0x7fffn) << 48n;
    this.#idCount = (BigInt(Math.floor(options.clock.wallMs())) << 8n) & ID_COUNT_MASK;
    this.#minTtlSeconds = options.minTtlSeconds;
    this.#timeoutMs = options.timeoutMs;
  }

  /** This member leads and has applied the first entry of `term`, its own. */
  promote(term: number): void {
    if (this.#lessor.isPrimary && this.#term === term) return;
    this.#term = term;
    this.#lessor.promote(this.#clock.nowMs());
    this.stop();
    this.#timers = [
      this.#clock.every(EXPIRY_SCAN_MS, () => this.#revokeDue()),
      this.#clock.every(TICK_MS, () => this.#tick()),
    ];
  }

  demote(): void {
    this.stop();
    this.#dueWaiting = [];
    this.#lessor.demote();
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }

  /** On any member. Throws leaseTtlTooLarge, leaseExists, and what propose throws. */
  async grant(id: bigint, ttlSeconds: number): Promise<LeaseGrantResponse> {
    if (ttlSeconds > limits.leaseTtlSecondsMax) throw new RequestError("leaseTtlTooLarge");
    const leaseTimeMs = this.#lessor.proposalLeaseTimeMs(this.#clock.nowMs());
    return await this.#propose({
      kind: "leaseGrant",
      id: id === 0n ? this.#nextId() : id,
      ttl: Math.max(ttlSeconds, this.#minTtlSeconds),
      leaseTimeMs,
    });
  }

  /**
   * The TTL after renewal; 0 when the lease is gone. A lease that just expired is waited for. Either is answered
   * only when a quorum has confirmed meanwhile that this member leads: another leader would count otherwise. Throws
   * notPrimaryLessor, leaderChanged, timeout.
   */
  async renew(id: bigint): Promise<number> {
    for (;;) {
      const outcome = this.#lessor.renew(id, this.#clock.nowMs());
      switch (outcome.kind) {
        case "renewed":
          await this.#confirmLeadership();
          this.renewedTotal++;
          return outcome.ttlSeconds;
        case "unknown":
          await this.#confirmLeadership();
          if (!this.#lessor.has(id)) return 0;
          break;
        case "needsFloat":
          await this.#float(id);
          break;
        case "expiring":
          await this.#revoked(id);
          return 0;
      }
    }
  }

  timeToLive(id: bigint, withKeys: boolean): LeaseTimeToLiveResponse {
    const found = this.#lessor.timeToLive(id, this.#clock.nowMs(), withKeys);
    if (found === undefined) return { header: undefined, id, ttl: -1, grantedTtl: 0, keys: [] };
    return {
      header: undefined,
      id,
      ttl: found.ttlSeconds,
      grantedTtl: found.grantedTtlSeconds,
      keys: found.keys,
    };
  }

  leases(): bigint[] {
    return this.#lessor.leases(this.#clock.nowMs());
  }

  /** A leaseRevoke was applied. */
  applied(id: bigint): void {
    const waiting = this.#expiring.get(id);
    if (waiting === undefined) return;
    this.#expiring.delete(id);
    waiting.resolve();
  }

  /** Positive and never one that is in use. The count starts at the time, so a later run goes on above this one. */
  #nextId(): bigint {
    for (;;) {
      this.#idCount = (this.#idCount + 1n) & ID_COUNT_MASK;
      const id = this.#idPrefix | this.#idCount;
      if (id !== 0n && !this.#lessor.has(id)) return id;
    }
  }

  #float(id: bigint): Promise<void> {
    if (this.#floats === undefined) {
      const batch = { ids: new Set<bigint>(), done: createDeferred<void>() };
      this.#floats = batch;
      this.#clock.defer(() => {
        this.#floats = undefined;
        this.#proposeAsLeader({ kind: "leaseFloat", ids: [...batch.ids] }).then(
          () => batch.done.resolve(),
          (error: Error) => batch.done.reject(error),
        );
      });
    }
    this.#floats.ids.add(id);
    return this.#floats.done.promise;
  }

  #revoked(id: bigint): Promise<void> {
    let waiting = this.#expiring.get(id);
    if (waiting === undefined) {
      const created = createDeferred<void>();
      waiting = created;
      this.#expiring.set(id, created);
      this.#clock.after(this.#timeoutMs, () => {
        if (this.#expiring.get(id) !== created) return;
        this.#expiring.delete(id);
        created.reject(new RequestError("timeout"));
      });
    }
    return waiting.promise;
  }

  #revokeDue(): void {
    if (!this.#lessor.isPrimary) return;
    const room = limits.leaseRevokesPerScanMax - this.#dueWaiting.length;
    if (room > 0) this.#dueWaiting.push(...this.#lessor.dueForRevoke(this.#clock.nowMs(), room));
    this.#revokeNext();
  }

  #revokeNext(): void {
    while (this.#revokesInFlight < REVOKES_IN_FLIGHT_MAX && this.#dueWaiting.length > 0) {
      const id = this.#dueWaiting.shift()!;
      this.#revokesInFlight++;
      this.#proposeAsLeader({ kind: "leaseRevoke", request: { id } })
        .then(
          () => {
            this.expiredTotal++;
          },
          (error: Error) => this.#revokeFailed(id, error),
        )
        .finally(() => {
          this.#revokesInFlight--;
          this.#revokeNext();
        });
    }
  }

  #revokeFailed(id: bigint, error: Error): void {
    // Somebody else revoked it first: gone is gone.
    if (error instanceof RequestError && error.code === "leaseNotFound") return;
    this.#log.warn("revoking an expired lease failed, it will be tried again", {
      lease: id.toString(16),
      error: error.message,
    });
    this.#clock.after(this.#timeoutMs, () => this.#lessor.revokeFailed(id));
  }

  #tick(): void {
    if (!this.#lessor.isPrimary || this.#isTicking) return;
    const tick = this.#lessor.nextTick(this.#clock.nowMs());
    if (tick === undefined) return;
    this.#isTicking = true;
    this.#proposeAsLeader({ kind: "leaseTick", ...tick })
      .catch((error: Error) => {
        // Only a refusal says that the tick is not in the log; after a time-out it may still be applied.
        const isRefused =
          error instanceof RequestError && (error.code === "tooManyRequests" || error.code === "notLeader");
        if (isRefused) this.#lessor.tickFailed(tick);
        else this.#log.warn("lease clock tick failed", { error: error.message });
      })
      .finally(() => {
        this.#isTicking = false;
      });
  }
}
