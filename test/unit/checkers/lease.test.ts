import assert from "node:assert/strict";
import fc from "fast-check";
import { checkLeases, type LeaseHistory } from "../../checkers/lease.ts";

const options = { driftMax: 0, quietFromMs: Number.POSITIVE_INFINITY, boundMs: 2_000 };
const never = Number.POSITIVE_INFINITY;
const lease = (changed: Partial<LeaseHistory>): LeaseHistory => ({
  lease: "1",
  ttlSeconds: 10,
  grant: { callMs: 0, returnMs: 5 },
  renewals: [],
  revokes: [],
  observations: [],
  ...changed,
});
const renewed = (callMs: number, returnMs: number) => ({ callMs, returnMs, outcome: "renewed" as const });
const gone = (atMs: number) => ({ kind: "gone" as const, atMs });
const alive = (atMs: number) => ({ kind: "alive" as const, atMs });
const promises = (history: LeaseHistory, changed: Partial<typeof options> = {}): string[] =>
  checkLeases([history], { ...options, ...changed }).map(({ promise }) => promise.replace("lease: ", ""));

describe("The check of leases", () => {
  it("accepts a lease that lives its time and ends", () => {
    const observations = [alive(9_000), gone(10_500)];
    assert.deepEqual(promises(lease({ observations }), { quietFromMs: 0 }), []);
  });

  it("finds a lease that went before its time", () => {
    assert.deepEqual(promises(lease({ observations: [gone(9_000)] })), ["never early"]);
  });

  it("counts from the last renewal that was answered", () => {
    const renewals = [renewed(8_000, 8_010)];
    assert.deepEqual(promises(lease({ renewals, observations: [gone(17_000)] })), ["never early"]);
    assert.deepEqual(promises(lease({ renewals, observations: [gone(18_000)] })), []);
  });

  it("promises nothing for a renewal that nobody answered", () => {
    const renewals = [{ callMs: 8_000, returnMs: never, outcome: "unknown" as const }];
    assert.deepEqual(promises(lease({ renewals, observations: [gone(10_001)] })), []);
  });

  it("takes a renewal that found no lease for its end", () => {
    const renewals = [{ callMs: 4_000, returnMs: 4_001, outcome: "gone" as const }];
    assert.deepEqual(promises(lease({ renewals })), ["never early"]);
  });

  it("allows for clocks that run fast, as far as they may", () => {
    const history = lease({ observations: [gone(9_700)] });
    assert.deepEqual(promises(history, { driftMax: 0.05 }), []);
    assert.deepEqual(promises(history, { driftMax: 0.01 }), ["never early"]);
  });

  it("lets a lease go when it was revoked, answered or not", () => {
    const observations = [gone(3_000)];
    assert.deepEqual(promises(lease({ revokes: [{ callMs: 2_000, returnMs: 2_001 }], observations })), []);
    assert.deepEqual(promises(lease({ revokes: [{ callMs: 2_000, returnMs: never }], observations })), []);
    assert.deepEqual(promises(lease({ revokes: [{ callMs: 3_500, returnMs: 3_501 }], observations })), [
      "never early",
    ]);
  });

  it("finds a lease that outlives its revoke", () => {
    const revokes = [{ callMs: 2_000, returnMs: 2_001 }];
    assert.deepEqual(promises(lease({ revokes, observations: [alive(2_500)] })), ["revoked is gone"]);
  });

  it("finds a lease that comes back", () => {
    assert.deepEqual(promises(lease({ observations: [gone(11_000), alive(12_000)] })), ["gone is gone"]);
    const renewals = [renewed(12_000, 12_001)];
    assert.deepEqual(promises(lease({ observations: [gone(11_000)], renewals })), [
      "never early",
      "gone is gone",
    ]);
  });

  it("finds a lease that does not end, once things are quiet", () => {
    const observations = [alive(20_000)];
    assert.deepEqual(promises(lease({ observations })), []);
    assert.deepEqual(promises(lease({ observations }), { quietFromMs: 1_000 }), ["not for ever"]);
    assert.deepEqual(promises(lease({ observations }), { quietFromMs: 9_000 }), []);
  });

  it("accepts every lease that ends between its time and the bound, and no other", () => {
    const times = fc.record({
      renewAt: fc.array(fc.integer({ min: 1, max: 9_000 }), { maxLength: 5 }),
      endAfter: fc.integer({ min: -9_000, max: 5_000 }),
    });
    fc.assert(
      fc.property(times, ({ renewAt, endAfter }) => {
        const renewals = renewAt.map((atMs) => renewed(atMs, atMs));
        const endMs = Math.max(0, ...renewAt) + 10_000 + endAfter;
        const history = lease({
          grant: { callMs: 0, returnMs: 0 },
          renewals,
          observations: [alive(endMs - 1), gone(endMs)],
        });
        const expected = endAfter < 0 ? ["never early"] : endAfter > 2_001 ? ["not for ever"] : [];
        const found = promises(history, { quietFromMs: 0 });
        assert.deepEqual(
          found.filter((promise) => promise !== "gone is gone"),
          expected,
        );
      }),
    );
  });
});
