import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodeError } from "../../../../src/lib/errors.ts";
import {
  type ConfChange,
  confChangeType,
  decodeConfChange,
  encodeConfChange,
} from "../../../../src/server/raft/conf-change.ts";

describe("A membership change as bytes", () => {
  it("comes back as it was, whatever it holds and wherever in a buffer it lies", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(confChangeType)),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.uint8Array(),
        fc.nat(20),
        (type, nodeId, context, offset) => {
          const change: ConfChange = { type, nodeId, context };
          const encoded = encodeConfChange(change);
          const moved = new Uint8Array(offset + encoded.length);
          moved.set(encoded, offset);
          assert.deepEqual(decodeConfChange(moved.subarray(offset)), change);
        },
      ),
    );
  });

  it("has its type first, then the id with its highest byte first, then the context", () => {
    const encoded = encodeConfChange({
      type: confChangeType.addLearnerNode,
      nodeId: 0x0102_0304_0506_0708n,
      context: Buffer.from("url"),
    });
    assert.equal(
      Buffer.from(encoded).toString("hex"),
      `030102030405060708${Buffer.from("url").toString("hex")}`,
    );
  });

  it("refuses what is too short and types it does not know", () => {
    const whole = encodeConfChange({ type: confChangeType.addNode, nodeId: 1n, context: new Uint8Array(0) });
    for (let length = 0; length < whole.length; length++) {
      assert.throws(() => decodeConfChange(whole.subarray(0, length)), DecodeError);
    }
    for (let type = 4; type < 256; type++) {
      assert.throws(() => decodeConfChange(new Uint8Array([type, ...whole.subarray(1)])), DecodeError);
    }
  });
});
