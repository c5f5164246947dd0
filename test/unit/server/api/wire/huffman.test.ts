import assert from "node:assert/strict";
import fc from "fast-check";
import { HpackError } from "../../../../../src/server/api/wire/hpack-error.ts";
import {
  huffmanDecode,
  huffmanDecodedLength,
  huffmanEncode,
} from "../../../../../src/server/api/wire/huffman.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const decode = (bytes: Buffer): string => huffmanDecode(bytes, 0, bytes.length);

/** `bits` as bytes, filled up with ones. */
function bytesOf(bits: string): Buffer {
  const whole = bits.padEnd(Math.ceil(bits.length / 8) * 8, "1");
  return Buffer.from((whole.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

const latin1 = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("latin1"));

describe("Huffman codes of HPACK", () => {
  const examples: [text: string, code: string][] = [
    ["www.example.com", "f1e3 c2e5 f23a 6ba0 ab90 f4ff"],
    ["no-cache", "a8eb 1064 9cbf"],
    ["custom-key", "25a8 49e9 5ba9 7d7f"],
    ["custom-value", "25a8 49e9 5bb8 e8b4 bf"],
    ["302", "6402"],
    ["private", "aec3 771a 4b"],
    ["Mon, 21 Oct 2013 20:13:21 GMT", "d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff"],
    ["https://www.example.com", "9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3"],
    ["", ""],
  ];
  for (const [text, code] of examples) {
    it(`are those of RFC 7541 appendix C for ${JSON.stringify(text)}`, () => {
      assert.equal(decode(hex(code)), text);
      assert.deepEqual(huffmanEncode(text), hex(code));
    });
  }

  it("are those of RFC 7541 appendix B for symbols of every kind", () => {
    const symbols: [symbol: number, code: number, bits: number][] = [
      [0, 0x1ff8, 13],
      [1, 0x7fffd8, 23],
      [10, 0x3ffffffc, 30],
      [22, 0x3ffffffe, 30],
      [48, 0x0, 5],
      [122, 0x7b, 7],
      [127, 0xffffffc, 28],
      [128, 0xfffe6, 20],
      [199, 0x1ffffec, 25],
      [201, 0x3ffffe3, 26],
      [203, 0x7ffffde, 27],
      [249, 0xffffffe, 28],
      [255, 0x3ffffee, 26],
    ];
    for (const [symbol, code, bits] of symbols) {
      const bytes = bytesOf(code.toString(2).padStart(bits, "0"));
      assert.equal(decode(bytes), String.fromCharCode(symbol));
      assert.deepEqual(huffmanEncode(String.fromCharCode(symbol)), bytes);
    }
  });

  it("come back as the bytes they were made of", () => {
    const whole = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
    for (const text of [whole, "e".repeat(5_000), whole.repeat(64)]) {
      const bytes = huffmanEncode(text);
      assert.equal(decode(bytes), text);
      assert.equal(huffmanDecodedLength(bytes, 0, bytes.length), text.length);
    }
    fc.assert(
      fc.property(latin1, fc.nat(5), (text, before) => {
        const code = huffmanEncode(text);
        const source = Buffer.concat([Buffer.alloc(before), code, Buffer.alloc(3)]);
        assert.equal(huffmanDecode(source, before, before + code.length), text);
        assert.equal(huffmanDecodedLength(source, before, before + code.length), text.length);
      }),
    );
  });

  it("may end with up to seven ones, and with nothing else", () => {
    assert.equal(decode(bytesOf("00000")), "0");
    for (let ones = 0; ones <= 7; ones++) {
      // Codes of five bits and of six, so that every length of padding comes up.
      const sixes = (16 - ones) % 5;
      const fives = Array.from({ length: 8 }, (_, count) => count).find(
        (count) => (count * 5 + sixes * 6 + ones) % 8 === 0,
      );
      assert.ok(fives !== undefined);
      const bits = "00000".repeat(fives) + "010100".repeat(sixes) + "1".repeat(ones);
      assert.equal(decode(bytesOf(bits)), "0".repeat(fives) + " ".repeat(sixes), `${ones} ones`);
    }
    for (const bits of ["11111111", `00000${"1".repeat(11)}`, "00000110", "00000000", "0000011111111110"]) {
      assert.throws(() => decode(bytesOf(bits)), HpackError, bits);
    }
  });

  it("hold no EOS", () => {
    const eos = "1".repeat(30);
    for (const bits of [eos, `00000${eos}`, `${eos}00000`, "1".repeat(32), "1".repeat(64)]) {
      assert.throws(() => decode(bytesOf(bits)), HpackError, bits);
    }
  });

  it("are decoded or refused, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (array) => {
        const bytes = Buffer.from(array);
        let text: string;
        try {
          text = decode(bytes);
        } catch (error) {
          assert.ok(error instanceof HpackError);
          assert.throws(() => huffmanDecodedLength(bytes, 0, bytes.length), HpackError);
          return;
        }
        // There is one code for a text.
        assert.deepEqual(huffmanEncode(text), bytes);
      }),
      { numRuns: 1_000 },
    );
  });
});
