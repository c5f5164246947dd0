import assert from "node:assert/strict";
import { Pending } from "../../../src/lib/pending.ts";

/** Listens, and gives what was heard. */
function heardOf<T>(pending: Pending<T>): unknown[] {
  const heard: unknown[] = [];
  pending.listen({ answer: (value) => heard.push(value), fail: (error) => heard.push(error) });
  return heard;
}

describe("Pending", () => {
  it("tells its listener within settle or abandon, or at once where that was before", () => {
    const error = new Error("no");
    for (const isEarly of [false, true]) {
      const [answered, failed] = [new Pending<number>(), new Pending<number>()];
      const end = (): void => {
        answered.settle(7);
        failed.abandon(error);
      };
      if (isEarly) end();
      const heard = [heardOf(answered), heardOf(failed)];
      if (!isEarly) {
        assert.deepEqual(heard, [[], []]);
        end();
      }
      assert.deepEqual(heard, [[7], [error]]);
    }
  });

  it("counts only its first end", () => {
    const pending = new Pending<number>();
    const heard = heardOf(pending);
    pending.settle(1);
    pending.settle(2);
    pending.abandon(new Error("late"));
    assert.deepEqual(heard, [1]);
  });

  it("has one listener", () => {
    const pending = new Pending<number>();
    heardOf(pending);
    assert.throws(() => heardOf(pending), { name: "AssertionError" });
  });

  it("gives what its conversion makes of the value, before and after that is there", () => {
    for (const isEarly of [false, true]) {
      const pending = new Pending<number>();
      if (isEarly) pending.settle(7);
      const heard = heardOf(pending.map((value) => `${value}`));
      pending.settle(7);
      assert.deepEqual(heard, ["7"]);
    }
  });

  it("fails with what its conversion throws, and does not convert an error", () => {
    const error = new Error("not to be converted");
    const refuse = (): never => {
      throw error;
    };
    const pending = new Pending<number>();
    const heard = heardOf(pending.map(refuse));
    pending.settle(7);
    assert.deepEqual(heard, [error]);
    const other = new Error("refused");
    const abandoned = new Pending<number>();
    const alsoHeard = heardOf(abandoned.map(refuse));
    abandoned.abandon(other);
    assert.deepEqual(alsoHeard, [other]);
  });

  it("can be awaited, and an error that nobody listens to disturbs nobody", async () => {
    const [answered, failed] = [new Pending<number>(), new Pending<number>()];
    setImmediate(() => answered.settle(7));
    assert.equal(await answered, 7);
    failed.abandon(new Error("no"));
    await new Promise((resolve) => setImmediate(resolve));
    await assert.rejects(failed.promise(), /no/);
  });
});
