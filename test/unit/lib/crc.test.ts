import assert from "node:assert/strict";
import fc from "fast-check";
import type { Crc } from "../../../src/lib/crc.ts";
import { crc32 } from "../../../src/lib/crc32.ts";
import { crc32c } from "../../../src/lib/crc32c.ts";

/** Bit by bit, as the polynomial says. */
function slowCrc(bytes: Uint8Array, polynomial: number): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  }
  return ~crc >>> 0;
}

const counting = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const checksums: [name: string, crc: Crc, polynomial: number, known: [Buffer, number][]][] = [
  ["CRC-32", crc32, 0xedb8_8320, [[Buffer.from("123456789"), 0xcbf4_3926]]],
  [
    "CRC-32C",
    crc32c,
    0x82f6_3b78,
    // RFC 3720, appendix B.4.
    [
      [Buffer.from("123456789"), 0xe306_9283],
      [Buffer.alloc(32), 0x8a91_36aa],
      [Buffer.alloc(32, 0xff), 0x62a8_ab43],
      [counting, 0x46dd_794e],
    ],
  ],
];

for (const [name, crc, polynomial, known] of checksums) {
  describe(name, () => {
    it("matches its check values, and changes nothing for no bytes", () => {
      for (const [bytes, expected] of known) assert.equal(crc(bytes), expected);
      assert.equal(crc(Buffer.alloc(0)), 0);
      assert.equal(crc(Buffer.alloc(0), 7), 7);
    });

    it("equals the bit-by-bit definition, short and long, in one go, in pieces and over a part", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 800, size: "max" }), fc.nat(800), (bytes, at) => {
          const cut = Math.min(at, bytes.length);
          const expected = slowCrc(bytes, polynomial);
          assert.equal(crc(bytes), expected);
          assert.equal(crc(bytes.subarray(cut), crc(bytes.subarray(0, cut))), expected);
          assert.equal(crc(bytes, 0, cut), slowCrc(bytes.subarray(cut), polynomial));
          assert.equal(crc(bytes, 0, 0, cut), slowCrc(bytes.subarray(0, cut), polynomial));
          assert.equal(crc(bytes, crc(bytes, 0, 0, cut), cut), expected);
        }),
      );
    });
  });
}
