import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodeError } from "../../../../src/lib/errors.ts";
import { readUint64, writeUint64 } from "../../../../src/server/storage/wal-layout.ts";

describe("A number of eight bytes", () => {
  it("comes back as it was, little-endian, for every number a double holds exactly", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(9), (value, at) => {
        const bytes = Buffer.alloc(20);
        writeUint64(bytes, at, value);
        assert.equal(readUint64(bytes, at), value);
        assert.equal(bytes.readBigUInt64LE(at), BigInt(value));
      }),
    );
  });

  it("is refused from 2^53 on", () => {
    const bytes = Buffer.alloc(8);
    for (const value of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      bytes.writeBigUInt64LE(value);
      assert.throws(() => readUint64(bytes, 0), DecodeError);
    }
  });
});
