import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodeError } from "../../../../src/lib/errors.ts";
import {
  asV2,
  type ConfChange,
  type ConfChangeV2,
  confChangeOf,
  confChangeTransition,
  confChangeType,
  decodeConfChange,
  decodeConfChangeV2,
  encodeConfChange,
  encodeConfChangeV2,
  entersJoint,
  leavesByItself,
  leavesJoint,
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

const changesV2 = fc
  .tuple(
    fc.constantFrom(...Object.values(confChangeTransition)),
    fc.array(
      fc.tuple(
        fc.constantFrom(...Object.values(confChangeType)),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      ),
      { maxLength: 5 },
    ),
    fc.uint8Array(),
  )
  .map(
    ([transition, changes, context]): ConfChangeV2 => ({
      transition,
      changes: changes.map(([type, nodeId]) => ({ type, nodeId })),
      context,
    }),
  );

describe("A joint membership change as bytes", () => {
  it("comes back as it was, whatever it holds and wherever in a buffer it lies", () => {
    fc.assert(
      fc.property(changesV2, fc.nat(20), (change, offset) => {
        const encoded = encodeConfChangeV2(change);
        const moved = new Uint8Array(offset + encoded.length);
        moved.set(encoded, offset);
        assert.deepEqual(decodeConfChangeV2(moved.subarray(offset)), change);
        assert.deepEqual(confChangeOf({ type: 2, data: encoded }), change);
      }),
    );
  });

  it("has no bytes at all when it only leaves the joint configuration", () => {
    const leave: ConfChangeV2 = { transition: 0, changes: [], context: new Uint8Array(0) };
    assert.equal(encodeConfChangeV2(leave).length, 0);
    assert.equal(leavesJoint(decodeConfChangeV2(new Uint8Array(0))), true);
    assert.equal(encodeConfChangeV2({ ...leave, transition: 1 }).length, 5);
  });

  it("refuses what is too short and values it does not know", () => {
    const changes = [{ type: confChangeType.removeNode, nodeId: 7n }];
    const whole = encodeConfChangeV2({ transition: 2, changes, context: new Uint8Array(0) });
    for (let length = 1; length < whole.length; length++) {
      assert.throws(() => decodeConfChangeV2(whole.subarray(0, length)), DecodeError);
    }
    assert.throws(() => decodeConfChangeV2(new Uint8Array([3, ...whole.subarray(1)])), DecodeError);
    assert.throws(() => decodeConfChangeV2(whole.map((byte, at) => (at === 5 ? 4 : byte))), DecodeError);
    assert.throws(() => decodeConfChangeV2(whole.map((byte, at) => (at === 1 ? 255 : byte))), DecodeError);
  });

  it("goes through a joint configuration for more than one change, or when it says so", () => {
    const one = { type: confChangeType.addNode, nodeId: 1n };
    const context = new Uint8Array(0);
    const of = (transition: ConfChangeV2["transition"], count: number): ConfChangeV2 => ({
      transition,
      changes: Array.from({ length: count }, () => one),
      context,
    });
    assert.deepEqual(
      [of(0, 0), of(0, 1), of(0, 2), of(1, 1), of(2, 0)].map((change) => [
        entersJoint(change),
        leavesJoint(change),
      ]),
      [
        [false, true],
        [false, false],
        [true, false],
        [true, false],
        [true, false],
      ],
    );
    assert.deepEqual([of(0, 2), of(1, 1), of(2, 1)].map(leavesByItself), [true, true, false]);
    assert.deepEqual(asV2({ ...one, context }), of(0, 1));
    assert.deepEqual(confChangeOf({ type: 1, data: encodeConfChange({ ...one, context }) }), {
      ...one,
      context,
    });
  });
});
