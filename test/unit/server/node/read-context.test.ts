import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeReadContext, readsOfRun } from "../../../../src/server/node/read-context.ts";

const runIds = fc.integer({ min: 0, max: 0xffff_ffff });
const contexts = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe("The context of a read", () => {
  it("comes back to the run that asked, as it was, and to no other", () => {
    fc.assert(
      fc.property(runIds, runIds, contexts, (run, other, context) => {
        const states = [{ index: 9, context: encodeReadContext(run, context) }];
        assert.deepEqual(readsOfRun(run, states), [{ index: 9, context }]);
        if (other !== run) assert.deepEqual(readsOfRun(other, states), []);
      }),
    );
  });

  it("is read wherever in a larger buffer it stands, as in a message from the leader", () => {
    const buffer = Buffer.concat([Buffer.alloc(3, 0xff), encodeReadContext(5, 6)]);
    assert.deepEqual(readsOfRun(5, [{ index: 1, context: buffer.subarray(3) }]), [{ index: 1, context: 6 }]);
  });
});
