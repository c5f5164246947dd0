import assert from "node:assert/strict";
import fc from "fast-check";
import { crc32c } from "../../../src/lib/crc32c.ts";

/** Bit by bit, as the polynomial says. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe("CRC-32C", () => {
  it("matches the check values of RFC 3720, appendix B.4", () => {
    assert.equal(crc32c(Buffer.from("123456789")), 0xe306_9283);
    assert.equal(crc32c(Buffer.alloc(32)), 0x8a91_36aa);
    assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8_ab43);
    assert.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i))), 0x46dd_794e);
    assert.equal(crc32c(Buffer.alloc(0)), 0);
  });

  it("equals the bit-by-bit definition, in one go, in pieces and over a part", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, at) => {
        const cut = Math.min(at, bytes.length);
        const expected = slowCrc32c(bytes);
        assert.equal(crc32c(bytes), expected);
        assert.equal(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), expected);
        assert.equal(crc32c(bytes, 0, cut), slowCrc32c(bytes.subarray(cut)));
        assert.equal(crc32c(bytes, 0, 0, cut), slowCrc32c(bytes.subarray(0, cut)));
      }),
    );
  });
});
