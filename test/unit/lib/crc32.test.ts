import assert from "node:assert/strict";
import fc from "fast-check";
import { crc32 } from "../../../src/lib/crc32.ts";

/** Bit by bit, as the polynomial says. */
function slowCrc32(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe("CRC-32", () => {
  it("matches its check value, and is 0 for nothing", () => {
    assert.equal(crc32(Buffer.from("123456789")), 0xcbf4_3926);
    assert.equal(crc32(Buffer.alloc(0)), 0);
    assert.equal(crc32(Buffer.alloc(0), 7), 7);
  });

  it("equals the bit-by-bit definition, short and long, in one go, in pieces and over a part", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 800, size: "max" }), fc.nat(800), (bytes, at) => {
        const cut = Math.min(at, bytes.length);
        const expected = slowCrc32(bytes);
        assert.equal(crc32(bytes), expected);
        assert.equal(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), expected);
        assert.equal(crc32(bytes, 0, cut), slowCrc32(bytes.subarray(cut)));
        assert.equal(crc32(bytes, 0, 0, cut), slowCrc32(bytes.subarray(0, cut)));
        assert.equal(crc32(bytes, crc32(bytes, 0, 0, cut), cut), expected);
      }),
    );
  });
});
