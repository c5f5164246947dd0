import { strict as assert } from "node:assert";
import type { ByteString } from "../../../../src/lib/bytes.ts";
import { RequestError } from "../../../../src/lib/errors.ts";
import { limits } from "../../../../src/lib/limits.ts";
import { fixedPerTickMax, LEASE_TIME_UNKNOWN, Lessor } from "../../../../src/server/lease/index.ts";

function key(text: string): ByteString {
  return text as ByteString;
}

function throwsCode(fn: () => unknown, code: string): void {
  assert.throws(fn, (error) => error instanceof RequestError && error.code === code);
}

/** A leader at monotonic time 1000 with lease 1 of 10 s, fixed. */
function createLeader(): Lessor {
  const lessor = new Lessor();
  lessor.promote(1_000);
  lessor.grant(1n, 10, lessor.proposalLeaseTimeMs(1_000));
  return lessor;
}

/** The same with lease 1 floating. */
function createFloating(): Lessor {
  const lessor = createLeader();
  lessor.float([1n]);
  return lessor;
}

function restart(lessor: Lessor): Lessor {
  const { leaseTimeMs, leases } = lessor.openSnapshot();
  const next = new Lessor();
  next.restore({ leaseTimeMs, leases: [...leases] });
  return next;
}

describe("Lessor: replicated state", () => {
  it("refuses a TTL beyond the limit and an id that exists", () => {
    const lessor = new Lessor();
    throwsCode(() => lessor.grant(1n, limits.leaseTtlSecondsMax + 1, 0), "leaseTtlTooLarge");
    lessor.grant(1n, limits.leaseTtlSecondsMax, 0);
    throwsCode(() => lessor.grant(1n, 5, 0), "leaseExists");
    assert.equal(lessor.size, 1);
  });

  it("leaves the choice of an id and of the least TTL to the proposer", () => {
    const lessor = new Lessor();
    assert.throws(() => lessor.grant(0n, 5, 0), /chooses/);
    assert.throws(() => lessor.grant(1n, 0, 0), /raises/);
  });

  it("takes negative ids and ids of 64 bits", () => {
    const lessor = new Lessor();
    const ids = [-1n, -(2n ** 63n), 2n ** 63n - 1n];
    for (const id of ids) lessor.grant(id, 5, 0);
    lessor.attach(ids[1]!, key("a"));
    assert.deepEqual(lessor.leases(0), ids);
    assert.deepEqual(lessor.revoke(ids[1]!), ["a"]);
    assert.equal(lessor.has(ids[1]!), false);
    assert.equal(lessor.has(ids[2]!), true);
  });

  it("returns the attached keys of a revoked lease in byte order", () => {
    const lessor = new Lessor();
    lessor.grant(1n, 5, 0);
    for (const name of ["b", "\xff", "a", "c", "B"]) lessor.attach(1n, key(name));
    lessor.detach(1n, key("c"));
    lessor.detach(9n, key("c"));
    assert.deepEqual([...lessor.keysOf(1n)!], ["b", "\xff", "a", "B"]);
    assert.deepEqual(lessor.revoke(1n), ["B", "a", "b", "\xff"]);
    assert.equal(lessor.keysOf(1n), undefined);
    throwsCode(() => lessor.revoke(1n), "leaseNotFound");
    assert.throws(() => lessor.attach(1n, key("a")), /I6/);
  });

  it("never moves the lease clock back", () => {
    const lessor = new Lessor();
    lessor.tick({ leaseTimeMs: 5_000, fixed: [] });
    lessor.tick({ leaseTimeMs: 4_000, fixed: [{ id: 9n, deadlineMs: 1 }] });
    lessor.grant(1n, 1, 3_000);
    assert.equal(lessor.leaseTimeMs, 5_000);
    assert.deepEqual([...lessor.openSnapshot().leases], [{ id: 1n, ttlSeconds: 1, deadlineMs: 6_000 }]);
  });

  it("keeps its state through a snapshot", () => {
    const lessor = createFloating();
    lessor.grant(2n, 20, 0);
    const copy = restart(lessor);
    assert.equal(copy.leaseTimeMs, lessor.leaseTimeMs);
    assert.deepEqual([...copy.openSnapshot().leases], [...lessor.openSnapshot().leases]);
    assert.throws(() => lessor.restore({ leaseTimeMs: 0, leases: [] }), /leader/);
  });

  it("answers on a follower with what the log knows", () => {
    const follower = new Lessor();
    follower.grant(1n, 10, 0);
    follower.grant(2n, 5, 0);
    follower.tick({ leaseTimeMs: 4_500, fixed: [] });
    follower.float([2n]);
    assert.deepEqual(follower.timeToLive(1n, 0, false), { ttlSeconds: 5, grantedTtlSeconds: 10, keys: [] });
    assert.equal(follower.timeToLive(2n, 0, false)?.ttlSeconds, 5);
    assert.equal(follower.timeToLive(3n, 0, false), undefined);
    assert.deepEqual(follower.leases(0), [2n, 1n]);
    assert.equal(follower.nextWakeMs(), undefined);
    assert.equal(follower.isPrimary, false);
  });

  it("floats a lease that was granted on a member that does not know the lease time", () => {
    const follower = new Lessor();
    assert.equal(follower.proposalLeaseTimeMs(5_000), LEASE_TIME_UNKNOWN);
    follower.grant(1n, 10, LEASE_TIME_UNKNOWN);
    assert.deepEqual(
      [...follower.openSnapshot().leases],
      [{ id: 1n, ttlSeconds: 10, deadlineMs: undefined }],
    );
    follower.promote(60_000);
    assert.deepEqual(follower.dueForRevoke(69_999, 1), []);
    assert.deepEqual(follower.dueForRevoke(70_000, 1), [1n]);
  });

  it("refuses the leader's work on a member that does not lead", () => {
    const follower = new Lessor();
    follower.grant(1n, 10, 0);
    throwsCode(() => follower.renew(1n, 0), "notPrimaryLessor");
    throwsCode(() => follower.nextTick(0), "notPrimaryLessor");
    throwsCode(() => follower.dueForRevoke(0, 1), "notPrimaryLessor");
    follower.revokeFailed(1n);
    follower.tickFailed({ leaseTimeMs: 0, fixed: [{ id: 1n, deadlineMs: 0 }] });
    follower.demote();
  });
});

describe("Lessor: expiry on the leader", () => {
  it("hands an expired lease out once, and again when its revoke failed", () => {
    const lessor = createLeader();
    assert.equal(lessor.nextWakeMs(), 11_000);
    assert.deepEqual(lessor.dueForRevoke(10_999, 10), []);
    assert.deepEqual(lessor.dueForRevoke(11_000, 10), [1n]);
    assert.deepEqual(lessor.dueForRevoke(12_000, 10), []);
    assert.equal(lessor.nextWakeMs(), undefined);
    lessor.revokeFailed(1n);
    lessor.revokeFailed(1n);
    lessor.revokeFailed(7n);
    assert.deepEqual(lessor.dueForRevoke(12_000, 10), [1n]);
    lessor.revoke(1n);
    lessor.revokeFailed(1n);
    assert.deepEqual(lessor.dueForRevoke(99_000, 10), []);
  });

  it("hands out no more than asked for, the oldest first", () => {
    const lessor = new Lessor();
    lessor.promote(0);
    for (let i = 1; i <= 5; i++) lessor.grant(BigInt(i), 6 - i, 0);
    assert.deepEqual(lessor.leases(0), [5n, 4n, 3n, 2n, 1n]);
    assert.deepEqual(lessor.dueForRevoke(10_000, 2), [5n, 4n]);
    assert.deepEqual(lessor.dueForRevoke(10_000, 9), [3n, 2n, 1n]);
  });

  it("counts a granted TTL from when the grant is applied", () => {
    const lessor = new Lessor();
    lessor.promote(1_000);
    const leaseTimeMs = lessor.proposalLeaseTimeMs(2_000);
    lessor.observe(2_700);
    lessor.observe(2_600);
    lessor.grant(1n, 10, leaseTimeMs);
    assert.equal(lessor.nextWakeMs(), 12_700);
    lessor.grant(2n, 3, lessor.proposalLeaseTimeMs(3_000));
    assert.equal(lessor.nextWakeMs(), 6_000);
  });

  it("shows the remaining seconds truncated toward zero, and below zero while the revoke is on its way", () => {
    const lessor = createLeader();
    lessor.attach(1n, key("b"));
    lessor.attach(1n, key("a"));
    assert.deepEqual(lessor.timeToLive(1n, 1_001, true), {
      ttlSeconds: 9,
      grantedTtlSeconds: 10,
      keys: ["b", "a"],
    });
    assert.equal(lessor.timeToLive(1n, 11_900, false)?.ttlSeconds, 0);
    assert.equal(lessor.timeToLive(1n, 13_500, false)?.ttlSeconds, -2);
  });

  it("keeps what a fixed lease has left, to the tick, over a change of leaders", () => {
    const lessor = createLeader();
    assert.deepEqual(lessor.nextTick(5_000), { leaseTimeMs: 4_000, fixed: [] });
    lessor.tick({ leaseTimeMs: 4_000, fixed: [] });
    const next = restart(lessor);
    next.promote(70_000);
    assert.equal(next.nextWakeMs(), 76_000);
    assert.equal(next.proposalLeaseTimeMs(70_500.7), 4_500);
  });

  it("gives a floating lease its whole TTL after a change of leaders", () => {
    const lessor = createFloating();
    const next = restart(lessor);
    next.promote(70_000);
    assert.equal(next.nextWakeMs(), 80_000);
    assert.deepEqual(next.renew(1n, 71_000), { kind: "renewed", ttlSeconds: 10 });
  });

  it("forgets deadlines, expiring and fixing leases when it is demoted", () => {
    const lessor = createLeader();
    assert.deepEqual(lessor.dueForRevoke(11_000, 1), [1n]);
    lessor.demote();
    assert.equal(lessor.nextWakeMs(), undefined);
    lessor.promote(20_000);
    assert.deepEqual(lessor.renew(1n, 20_000), { kind: "needsFloat" });
  });
});

describe("Lessor: renewals", () => {
  it("needs the log for the first renewal of a lease and memory for the rest", () => {
    const lessor = createLeader();
    assert.deepEqual(lessor.renew(1n, 4_000), { kind: "needsFloat" });
    assert.equal(lessor.nextWakeMs(), 14_000, "it does not expire while the log is on its way");
    lessor.float([1n, 7n]);
    assert.deepEqual(lessor.renew(1n, 4_100), { kind: "renewed", ttlSeconds: 10 });
    assert.deepEqual(lessor.renew(1n, 5_000), { kind: "renewed", ttlSeconds: 10 });
    assert.equal(lessor.nextWakeMs(), 15_000);
    lessor.float([1n]);
    assert.equal(lessor.nextTick(5_000), undefined, "no fixed lease, no tick");
  });

  it("knows no lease that is revoked or was never granted", () => {
    const lessor = createFloating();
    lessor.revoke(1n);
    assert.deepEqual(lessor.renew(1n, 1_000), { kind: "unknown" });
    assert.deepEqual(lessor.renew(2n, 1_000), { kind: "unknown" });
  });

  it("does not renew a lease that is over, handed out or not", () => {
    const lessor = createFloating();
    assert.deepEqual(lessor.renew(1n, 11_000), { kind: "expiring" });
    assert.deepEqual(lessor.dueForRevoke(11_000, 1), [1n]);
    lessor.float([1n]);
    assert.deepEqual(lessor.renew(1n, 11_000), { kind: "expiring" });
    lessor.revokeFailed(1n);
    assert.deepEqual(lessor.renew(1n, 11_000), { kind: "expiring" });
  });

  it("does not fix a lease that was handed out for revoke", () => {
    const lessor = createLeader();
    assert.deepEqual(lessor.dueForRevoke(11_000, 1), [1n]);
    lessor.float([1n]);
    assert.equal(lessor.nextTick(30_000), undefined);
  });
});

describe("Lessor: fixing idle leases", () => {
  it("fixes a floating lease after 40 % of its TTL without renewal", () => {
    const lessor = createFloating();
    assert.equal(lessor.nextTick(4_999), undefined);
    const tick = lessor.nextTick(5_000);
    assert.deepEqual(tick, { leaseTimeMs: 4_000, fixed: [{ id: 1n, deadlineMs: 10_000 }] });
    assert.equal(lessor.nextTick(5_100), undefined, "listed once");
    lessor.tick(tick!);
    assert.deepEqual([...lessor.openSnapshot().leases], [{ id: 1n, ttlSeconds: 10, deadlineMs: 10_000 }]);
    assert.deepEqual(lessor.nextTick(6_000), { leaseTimeMs: 5_000, fixed: [] });
  });

  it("leaves a lease floating that is renewed often", () => {
    const lessor = createFloating();
    for (let nowMs = 1_000; nowMs < 60_000; nowMs += 3_333) {
      assert.equal(lessor.renew(1n, nowMs).kind, "renewed");
      assert.equal(lessor.nextTick(nowMs), undefined);
    }
  });

  it("sends a renewal through the log while a tick that fixes the lease is on its way", () => {
    const lessor = createFloating();
    const tick = lessor.nextTick(5_000)!;
    assert.deepEqual(lessor.renew(1n, 5_100), { kind: "needsFloat" });
    assert.equal(lessor.nextTick(9_500), undefined, "no second tick may fix it meanwhile");
    lessor.tick(tick);
    lessor.float([1n]);
    assert.deepEqual(lessor.renew(1n, 9_600), { kind: "renewed", ttlSeconds: 10 });
    const next = restart(lessor);
    next.promote(0);
    assert.equal(next.nextWakeMs(), 10_000);
  });

  it("does not take an older float for the answer to a tick proposed after it", () => {
    const lessor = createFloating();
    const tick = lessor.nextTick(5_000)!;
    lessor.float([1n]);
    assert.deepEqual(lessor.renew(1n, 5_200), { kind: "needsFloat" });
    lessor.tick(tick);
    assert.deepEqual(lessor.renew(1n, 5_300), { kind: "needsFloat" });
  });

  it("lists a lease again when its tick certainly failed", () => {
    const lessor = createFloating();
    const tick = lessor.nextTick(5_000)!;
    lessor.tickFailed(tick);
    assert.deepEqual(lessor.renew(1n, 5_100), { kind: "renewed", ttlSeconds: 10 });
    assert.equal(lessor.nextTick(5_200), undefined);
    assert.equal(lessor.nextTick(9_100)?.fixed.length, 1);
    lessor.revoke(1n);
    lessor.tickFailed(tick);
  });

  it("passes over a lease that a tick fixed while it was waiting to be looked at", () => {
    const lessor = createFloating();
    lessor.tick({ leaseTimeMs: 100, fixed: [{ id: 1n, deadlineMs: 9_000 }] });
    assert.deepEqual(lessor.nextTick(9_000), { leaseTimeMs: 8_000, fixed: [] });
  });

  it("spreads many idle leases over several ticks", () => {
    const lessor = new Lessor();
    const ids = Array.from({ length: fixedPerTickMax + 1 }, (_, i) => BigInt(i + 1));
    for (const id of ids) lessor.grant(id, 10, 0);
    lessor.float(ids);
    lessor.promote(0);
    assert.equal(lessor.nextTick(4_000)?.fixed.length, fixedPerTickMax);
    assert.equal(lessor.nextTick(5_000)?.fixed.length, 1);
  });

  it("gives a lease that is over a deadline that is over", () => {
    const lessor = createFloating();
    assert.deepEqual(lessor.nextTick(30_000), {
      leaseTimeMs: 29_000,
      fixed: [{ id: 1n, deadlineMs: 29_000 }],
    });
  });
});

describe("Lessor: many leases", () => {
  it("grants, renews and expires 100,000 leases quickly", () => {
    const lessor = new Lessor();
    lessor.promote(0);
    const count = 100_000;
    const startMs = performance.now();
    for (let i = 1; i <= count; i++) lessor.grant(BigInt(i), 60 + (i % 97), 0);
    lessor.float(Array.from({ length: count }, (_, i) => BigInt(i + 1)));
    for (let i = 1; i <= count; i++) lessor.renew(BigInt(i), 1_000);
    let expired = 0;
    for (let due = lessor.dueForRevoke(1e9, 500); due.length > 0; due = lessor.dueForRevoke(1e9, 500)) {
      for (const id of due) lessor.revoke(id);
      expired += due.length;
    }
    assert.equal(expired, count);
    assert(performance.now() - startMs < 5_000);
  });
});
