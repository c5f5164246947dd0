import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { LeaseTick } from "../../../../src/server/lease/index.ts";
import { Lessor } from "../../../../src/server/lease/index.ts";

const runs = Number(process.env["LEASE_PROPERTY_RUNS"] ?? 1_000);

type Entry =
  | { readonly kind: "grant"; readonly id: bigint; readonly ttl: number; readonly leaseTimeMs: number }
  | { readonly kind: "tick"; readonly tick: LeaseTick }
  | { readonly kind: "float"; readonly ids: readonly bigint[] }
  | { readonly kind: "revoke"; readonly id: bigint };

/** An entry and when its leader proposed it. */
interface Logged {
  readonly entry: Entry;
  readonly proposedAtMs: number;
}

interface Guarantee {
  readonly ttlMs: number;
  /** The lease must not be handed out before this. */
  earliestMs: number;
  /** It must be handed out when this has passed. */
  latestMs: number;
}

/**
 * One leader at a time over a log that outlives it. What is applied is never lost; of the rest a crash keeps some.
 * Time goes on for all; the lease clock stands still while there is no leader.
 */
class World {
  nowMs = 10_000;
  lessor = new Lessor();
  readonly promises = new Map<bigint, Guarantee>();
  readonly #log: Logged[] = [];
  #applied = 0;
  /** When the lease time that is applied was stamped. */
  #stampedAtMs = 0;
  #waiting: { readonly id: bigint; readonly logIndex: number }[] = [];
  #handedOut = new Set<bigint>();
  #granting = new Set<bigint>();

  constructor() {
    this.#promote();
  }

  #promote(): void {
    this.lessor.promote(this.nowMs);
    this.#stampedAtMs = this.nowMs;
  }

  wait(durationMs: number): void {
    this.nowMs += durationMs;
  }

  propose(entry: Entry): void {
    this.#log.push({ entry, proposedAtMs: this.nowMs });
  }

  grant(id: bigint, ttl: number): void {
    if (this.#granting.has(id) || this.lessor.has(id)) return;
    this.#granting.add(id);
    this.propose({ kind: "grant", id, ttl, leaseTimeMs: this.lessor.proposalLeaseTimeMs(this.nowMs) });
  }

  keepAlive(id: bigint): void {
    const outcome = this.lessor.renew(id, this.nowMs);
    const promise = this.promises.get(id);
    if (outcome.kind === "unknown") {
      assert.equal(promise, undefined);
      return;
    }
    assert(promise !== undefined);
    if (outcome.kind === "expiring") {
      assert(this.nowMs >= promise.earliestMs, "a lease is over early");
      return;
    }
    promise.latestMs = this.nowMs + promise.ttlMs;
    if (outcome.kind === "renewed") promise.earliestMs = this.nowMs + promise.ttlMs;
    else {
      this.#waiting.push({ id, logIndex: this.#log.length });
      this.propose({ kind: "float", ids: [id] });
    }
  }

  tick(isRefused: boolean): void {
    const tick = this.lessor.nextTick(this.nowMs);
    if (tick === undefined) return;
    if (isRefused) this.lessor.tickFailed(tick);
    else this.propose({ kind: "tick", tick });
  }

  scan(max: number, fails: boolean): void {
    for (const id of this.lessor.dueForRevoke(this.nowMs, max)) {
      assert(!this.#handedOut.has(id), "handed out twice");
      assert(this.nowMs >= this.promises.get(id)!.earliestMs, "a lease is revoked early");
      if (fails) this.lessor.revokeFailed(id);
      else {
        this.#handedOut.add(id);
        this.propose({ kind: "revoke", id });
      }
    }
    if (fails || max < this.promises.size) return;
    for (const [id, { latestMs }] of this.promises) {
      assert(this.nowMs < latestMs || this.#handedOut.has(id), "a lease lives too long");
    }
  }

  apply(count: number): void {
    for (let i = 0; i < count && this.#applied < this.#log.length; i++) this.#applyOne();
  }

  #applyOne(): void {
    const index = this.#applied++;
    const { entry, proposedAtMs } = this.#log[index]!;
    this.lessor.observe(this.nowMs);
    switch (entry.kind) {
      case "grant": {
        this.lessor.grant(entry.id, entry.ttl, entry.leaseTimeMs);
        this.#granting.delete(entry.id);
        this.#stampedAtMs = Math.max(this.#stampedAtMs, proposedAtMs);
        const ttlMs = entry.ttl * 1000;
        this.promises.set(entry.id, {
          ttlMs,
          earliestMs: proposedAtMs + ttlMs,
          latestMs: this.nowMs + ttlMs,
        });
        break;
      }
      case "tick":
        this.lessor.tick(entry.tick);
        this.#stampedAtMs = Math.max(this.#stampedAtMs, proposedAtMs);
        break;
      case "float":
        this.lessor.float(entry.ids);
        break;
      case "revoke":
        if (this.lessor.has(entry.id)) this.lessor.revoke(entry.id);
        this.promises.delete(entry.id);
        this.#handedOut.delete(entry.id);
        break;
    }
    const woken = this.#waiting.filter(({ logIndex }) => logIndex === index);
    this.#waiting = this.#waiting.filter(({ logIndex }) => logIndex !== index);
    for (const { id } of woken) this.keepAlive(id);
  }

  /** The leader dies; `kept` of its entries that were not applied survive; the next one leads after a while. */
  crash(kept: number, electionMs: number): void {
    this.#log.length = Math.min(this.#log.length, this.#applied + kept);
    this.#waiting = [];
    this.lessor.demote();
    const snapshot = this.lessor.openSnapshot();
    const leases = [...snapshot.leases];
    this.lessor = new Lessor();
    this.lessor.restore({ leaseTimeMs: snapshot.leaseTimeMs, leases });
    this.apply(Infinity);
    this.nowMs += electionMs;
    this.#granting.clear();
    this.#handedOut.clear();
    const floating = new Set(
      [...this.lessor.openSnapshot().leases]
        .filter((lease) => lease.deadlineMs === undefined)
        .map(({ id }) => id),
    );
    for (const [id, promise] of this.promises) {
      if (floating.has(id)) promise.latestMs = this.nowMs + promise.ttlMs;
      else promise.latestMs += this.nowMs - this.#stampedAtMs;
    }
    this.#promote();
  }
}

const id = fc.integer({ min: -2, max: 2 }).map((n) => (n === 0 ? 2n ** 63n - 1n : BigInt(n)));
const step = fc.oneof(
  { weight: 6, arbitrary: fc.nat(1_500).map((ms) => (world: World) => world.wait(ms)) },
  {
    weight: 2,
    arbitrary: fc.tuple(id, fc.integer({ min: 1, max: 8 })).map(([id, ttl]) => (world: World) => {
      world.grant(id, ttl);
    }),
  },
  { weight: 5, arbitrary: id.map((id) => (world: World) => world.keepAlive(id)) },
  { weight: 4, arbitrary: fc.nat(9).map((n) => (world: World) => world.tick(n === 0)) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 4 }).map((n) => (world: World) => world.apply(n)) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constantFrom(1, 100), fc.nat(4)).map(([max, n]) => (world: World) => {
      world.scan(max, n === 0);
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(3), fc.nat(2_000)).map(([kept, electionMs]) => (world: World) => {
      world.crash(kept, electionMs);
    }),
  },
);

describe("Lessor over a log with crashes", () => {
  it("never ends a lease before its time, hands it out once and not too late", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
        const world = new World();
        for (const one of steps) one(world);
        world.apply(Infinity);
        world.scan(100, false);
        world.wait(100_000);
        world.scan(100, false);
        world.apply(Infinity);
        assert.equal(world.promises.size, 0);
        assert.equal(world.lessor.size, 0);
      }),
      { numRuns: runs },
    );
  });

  it("keeps the remaining TTL to one tick for each change of leaders", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 30 }),
        fc.nat(2_000),
        fc.array(fc.integer({ min: 50, max: 5_000 }), { maxLength: 5 }),
        (ttl, pauseMs, reigns) => {
          let lessor = new Lessor();
          let nowMs = 0;
          let ledMs = 0;
          let expectedMs = ttl * 1000;
          const reign = (durationMs: number): boolean => {
            lessor.promote(nowMs);
            for (let i = 0; i < durationMs; i += 50, nowMs += 50, ledMs += 50) {
              if (ledMs === 0) lessor.grant(1n, ttl, lessor.proposalLeaseTimeMs(nowMs));
              if (lessor.dueForRevoke(nowMs, 1).length > 0) return true;
              if (i % 1_000 !== 0) continue;
              const tick = lessor.nextTick(nowMs);
              if (tick !== undefined) lessor.tick(tick);
            }
            return false;
          };
          let isOver = false;
          for (const durationMs of reigns) {
            if (isOver) break;
            isOver = reign(durationMs);
            const { leaseTimeMs, leases } = lessor.openSnapshot();
            const kept = [...leases];
            lessor = new Lessor();
            lessor.restore({ leaseTimeMs, leases: kept });
            nowMs += pauseMs;
            if (!isOver) expectedMs += 1_000;
          }
          if (!isOver) isOver = reign(1_000_000);
          assert(isOver);
          assert(ledMs >= ttl * 1000, `over after ${ledMs} ms`);
          assert(ledMs <= expectedMs, `over after ${ledMs} ms, expected at most ${expectedMs}`);
        },
      ),
      { numRuns: runs },
    );
  });
});
