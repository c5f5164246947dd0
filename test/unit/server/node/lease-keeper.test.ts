import assert from "node:assert/strict";
import { createDeferred } from "../../../../src/lib/deferred.ts";
import { RequestError } from "../../../../src/lib/errors.ts";
import { limits } from "../../../../src/lib/limits.ts";
import { silentLog } from "../../../../src/lib/log.ts";
import type { Lessor } from "../../../../src/server/lease/index.ts";
import { LeaseKeeper } from "../../../../src/server/node/lease-keeper.ts";
import type { Command } from "../../../../src/server/state/index.ts";
import { SimClock } from "../../../sim/clock.ts";
import { createState } from "../../../sim/member.ts";

function setUp() {
  const clock = new SimClock();
  const state = createState();
  const lessor: Lessor = state.lessor;
  const proposed: Command[] = [];
  const world = {
    refusal: undefined as Error | undefined,
    lost: undefined as Error | undefined,
    /** What proposals wait for. */
    underWay: undefined as Promise<never> | undefined,
  };
  const propose = (async (command: Command) => {
    proposed.push(command);
    await world.underWay;
    if (world.refusal !== undefined) throw world.refusal;
    lessor.observe(clock.nowMs());
    const answer = state.apply(command);
    if (command.kind === "leaseRevoke") keeper.applied(command.request.id);
    return answer;
  }) as never;
  const keeper: LeaseKeeper = new LeaseKeeper({
    lessor,
    clock,
    log: silentLog,
    propose,
    proposeAsLeader: propose,
    confirmLeadership: async () => {
      if (world.lost !== undefined) throw world.lost;
    },
    memberId: 0x1234n,
    minTtlSeconds: 2,
    timeoutMs: 7_000,
  });
  keeper.promote(1);
  const pass = async (durationMs: number): Promise<void> => {
    for (let passed = 0; passed < durationMs; passed += 100) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const settle = async <T>(promise: Promise<T>): Promise<T> => {
    let isSettled = false;
    promise.then(
      () => {
        isSettled = true;
      },
      () => {
        isSettled = true;
      },
    );
    while (!isSettled) {
      clock.runDeferred();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return promise;
  };
  const kinds = (kind: Command["kind"]): number => proposed.filter((command) => command.kind === kind).length;
  return { clock, lessor, keeper, proposed, world, pass, settle, kinds };
}

describe("LeaseKeeper", () => {
  it("chooses positive ids that differ, and raises a short TTL to the minimum", async () => {
    const { keeper } = setUp();
    const ids = new Set<bigint>();
    for (let i = 0; i < 600; i++) {
      const { id, ttl } = await keeper.grant(0n, -5);
      assert.ok(id > 0n && id < 2n ** 63n);
      assert.equal(ttl, 2);
      ids.add(id);
    }
    assert.equal(ids.size, 600);
  });

  it("keeps the id a client asks for, and refuses one in use and a TTL beyond leaseTtlSecondsMax", async () => {
    const { keeper } = setUp();
    assert.equal((await keeper.grant(-7n, 10)).id, -7n);
    await assert.rejects(keeper.grant(-7n, 10), /already exists/);
    await assert.rejects(keeper.grant(1n, limits.leaseTtlSecondsMax + 1), /too large lease TTL/);
  });

  it("revokes an expired lease through the log, once, and not early", async () => {
    const { keeper, lessor, pass, kinds } = setUp();
    await keeper.grant(1n, 5);
    await pass(4_900);
    assert.equal(lessor.has(1n), true);
    await pass(1_000);
    assert.equal(lessor.has(1n), false);
    assert.equal(kinds("leaseRevoke"), 1);
    assert.equal(keeper.expiredTotal, 1);
  });

  it("renews in memory after the first keep-alive, without the log", async () => {
    const { keeper, lessor, pass, settle, kinds } = setUp();
    await keeper.grant(1n, 6);
    for (let i = 0; i < 20; i++) {
      await pass(2_000);
      assert.equal(await settle(keeper.renew(1n)), 6);
    }
    assert.equal(lessor.has(1n), true);
    assert.equal(kinds("leaseFloat"), 1);
  });

  it("floats all leases that are renewed in one turn by one command", async () => {
    const { keeper, settle, kinds } = setUp();
    for (const id of [1n, 2n, 3n]) await keeper.grant(id, 60);
    const renewals = [1n, 2n, 3n].map((id) => keeper.renew(id));
    assert.deepEqual(await settle(Promise.all(renewals)), [60, 60, 60]);
    assert.equal(kinds("leaseFloat"), 1);
  });

  it("moves the lease clock once a second while a lease needs it, and not otherwise", async () => {
    const { keeper, pass, kinds } = setUp();
    await pass(5_000);
    assert.equal(kinds("leaseTick"), 0);
    await keeper.grant(1n, 100);
    await pass(5_000);
    assert.ok(kinds("leaseTick") >= 4 && kinds("leaseTick") <= 6);
  });

  it("answers 0 for an unknown lease, and for one that expires while it asks", async () => {
    const { keeper, clock, pass, settle } = setUp();
    assert.equal(await keeper.renew(99n), 0);
    await keeper.grant(1n, 2);
    await pass(1_900);
    clock.advance(150);
    const late = keeper.renew(1n);
    await pass(1_000);
    assert.equal(await settle(late), 0);
  });

  it("tries a failed revoke again, and gives up on a renewal that waits for it too long", async () => {
    const { keeper, lessor, world, pass } = setUp();
    await keeper.grant(1n, 2);
    world.refusal = new RequestError("timeout");
    await pass(2_600);
    const waiting = keeper.renew(1n);
    waiting.catch(() => {});
    await pass(7_200);
    await assert.rejects(waiting, /timed out/);
    assert.equal(lessor.has(1n), true);
    world.refusal = undefined;
    await pass(8_000);
    assert.equal(lessor.has(1n), false);
  });

  it("begins no more revokes when it leads no longer, not even those that waited for room", async () => {
    const { keeper, pass, world, kinds } = setUp();
    for (let id = 1n; id <= 40n; id++) await keeper.grant(id, 2);
    const deposed = createDeferred<never>();
    deposed.promise.catch(() => {});
    world.underWay = deposed.promise;
    await pass(3_000);
    const begun = kinds("leaseRevoke");
    assert.ok(begun > 0 && begun < 40, `${begun} revokes`);
    keeper.demote();
    deposed.reject(new RequestError("notLeader"));
    await pass(100);
    assert.equal(kinds("leaseRevoke"), begun);
  });

  it("floats a lease again when a tick that fixes it may still be applied", async () => {
    const { keeper, lessor, proposed, world, pass, settle, kinds } = setUp();
    await keeper.grant(1n, 10);
    await settle(keeper.renew(1n));
    assert.equal(kinds("leaseFloat"), 1);
    world.refusal = new RequestError("timeout");
    await pass(6_000);
    world.refusal = undefined;
    const tick = proposed.findLast((command) => command.kind === "leaseTick")!;
    const renewal = keeper.renew(1n);
    lessor.tick(tick);
    assert.equal(await settle(renewal), 10);
    assert.equal(kinds("leaseFloat"), 2);
    assert.equal([...lessor.openSnapshot().leases][0]!.deadlineMs, undefined);
  });

  it("counts no time and refuses renewals on a member that does not lead; what it grants floats", async () => {
    const { keeper, lessor, pass } = setUp();
    await keeper.grant(1n, 2);
    keeper.demote();
    await pass(10_000);
    assert.equal(lessor.has(1n), true);
    assert.equal((await keeper.grant(2n, 10)).id, 2n);
    const granted = [...lessor.openSnapshot().leases].find(({ id }) => id === 2n);
    assert.deepEqual(granted, { id: 2n, ttlSeconds: 10, deadlineMs: undefined });
    await assert.rejects(keeper.renew(1n), /not a primary lessor/);
  });

  it("answers a renewal only when a quorum confirms that it still leads", async () => {
    const { keeper, settle, world } = setUp();
    await keeper.grant(1n, 10);
    await settle(keeper.renew(1n));
    world.lost = new RequestError("leaderChanged");
    await assert.rejects(settle(keeper.renew(1n)), /leader changed/);
    await assert.rejects(settle(keeper.renew(7n)), /leader changed/);
    world.lost = undefined;
    assert.equal(await settle(keeper.renew(1n)), 10);
  });

  it("begins to count anew in a new term, and only then", async () => {
    const { keeper, clock, settle, lessor } = setUp();
    await keeper.grant(1n, 10);
    await settle(keeper.renew(1n));
    clock.advance(3_000);
    keeper.promote(1);
    assert.equal(lessor.timeToLive(1n, clock.nowMs(), false)?.ttlSeconds, 7);
    keeper.promote(2);
    assert.equal(lessor.timeToLive(1n, clock.nowMs(), false)?.ttlSeconds, 10);
  });

  it("revokes no more than leaseRevokesPerScanMax leases in a scan, and all in the end", async () => {
    const { keeper, lessor, pass } = setUp();
    const count = limits.leaseRevokesPerScanMax + 100;
    for (let i = 1; i <= count; i++) await keeper.grant(BigInt(i), 2);
    await pass(10_000);
    assert.equal(lessor.size, 0);
    assert.equal(keeper.expiredTotal, count);
  });

  it("tells the time to live and lists leases by what is left", async () => {
    const { keeper, pass } = setUp();
    await keeper.grant(1n, 100);
    await keeper.grant(2n, 10);
    await pass(3_000);
    assert.deepEqual(keeper.timeToLive(1n, true), {
      header: undefined,
      id: 1n,
      ttl: 97,
      grantedTtl: 100,
      keys: [],
    });
    assert.equal(keeper.timeToLive(3n, false).ttl, -1);
    assert.deepEqual(keeper.leases(), [2n, 1n]);
  });
});
