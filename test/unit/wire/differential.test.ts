import assert from "node:assert/strict";
import type { TransportFactory } from "../../../src/server/api/index.ts";
import { compareTransports, planOf } from "../../wire/comparison.ts";
import { coverOf, type HonestDifference } from "../../wire/honest-differences.ts";
import { plants } from "../../wire/planted.ts";
import { transportNamed } from "../../wire/transports.ts";

const SEED = 1;
const grpcJs = transportNamed("grpc-js");

describe("The differential test of transports", () => {
  const compare = (underTest: TransportFactory, calls: number) =>
    compareTransports(grpcJs, underTest, { seed: SEED, calls, unequalKept: 1, unequalMax: 1 });

  it("finds no difference between a transport and itself", async function () {
    this.timeout(60_000);
    const report = await compare(grpcJs, 250);
    assert.deepEqual(report.unequal, [], `seed ${SEED}`);
    assert.equal(report.calls, 250);
    assert.ok(report.names.size > 30, "calls of many kinds");
  });

  for (const [name, plant] of Object.entries(plants)) {
    it(`finds ${name}`, async function () {
      this.timeout(60_000);
      const report = await compare(plant(grpcJs), 400);
      assert.ok(report.unequalCount > 0, `seed ${SEED}`);
    });
  }

  it("makes the same call of the same seed and number", () => {
    assert.deepEqual(planOf(7, 123), planOf(7, 123));
    assert.notDeepEqual(planOf(7, 123), planOf(8, 123));
  });

  it("lets a difference pass only by its field, its call and both its values", () => {
    const entry: HonestDifference = {
      reason: "a text",
      plan: /^te$/,
      field: "caller.grpcMessage",
      left: /^"a"$/,
      right: /^"b"$/,
    };
    const plan = { ...planOf(SEED, 0), name: "te" };
    const difference = { field: "caller.grpcMessage", left: '"a"', right: '"b"' };
    assert.equal(coverOf(plan, difference, [entry]), entry);
    assert.equal(coverOf({ ...plan, name: "method" }, difference, [entry]), undefined);
    assert.equal(coverOf(plan, { ...difference, field: "caller.status" }, [entry]), undefined);
    assert.equal(coverOf(plan, { ...difference, left: '"c"' }, [entry]), undefined);
    assert.equal(coverOf(plan, { ...difference, right: '"c"' }, [entry]), undefined);
  });
});
