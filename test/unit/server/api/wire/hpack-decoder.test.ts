import assert from "node:assert/strict";
import fc from "fast-check";
import { type HeaderList, HpackDecoder } from "../../../../../src/server/api/wire/hpack-decoder.ts";
import { HpackError } from "../../../../../src/server/api/wire/hpack-error.ts";
import { type Field, integer, type Manner, ReferenceEncoder, sizeOf, string } from "./reference-encoder.ts";

const options = { tableBytesMax: 4_096, listBytesMax: 65_536, fieldsMax: 200 };
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ""), "hex");
const createDecoder = (changed: Partial<typeof options> = {}) => new HpackDecoder({ ...options, ...changed });
const decode = (decoder: HpackDecoder, ...blocks: Buffer[]): HeaderList => {
  const block = Buffer.concat(blocks);
  return decoder.decode(block, 0, block.length);
};
const refuse = (decoder: HpackDecoder, ...blocks: Buffer[]): void =>
  assert.throws(() => decode(decoder, ...blocks), HpackError);

const text = fc.oneof(
  fc.constantFrom("", ":path", ":status", "200", "accept", "grpc-timeout", "x", "y"),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  fc.nat(400).map((length) => "z".repeat(length)),
);
const manner = fc.record<Manner>({
  kind: fc.constantFrom("indexed", "indexed", "withIndexing", "withoutIndexing", "neverIndexed"),
  isNameIndexed: fc.boolean(),
  isHuffman: fc.boolean(),
});
const block = fc.record({
  sizes: fc.array(fc.nat(600), { maxLength: 2 }),
  fields: fc.array(fc.tuple(fc.tuple(text, text), manner), { maxLength: 12 }),
});
const blocks = fc.array(block, { maxLength: 12 });

function encodeBlock(
  encoder: ReferenceEncoder,
  { sizes, fields }: typeof block extends fc.Arbitrary<infer T> ? T : never,
): Buffer {
  return Buffer.concat([
    ...sizes.map((bytesMax) => encoder.resize(bytesMax)),
    ...fields.map(([field, manner]) => encoder.encode(field, manner)),
  ]);
}

describe("HpackDecoder", () => {
  const literals: [name: string, block: string, fields: string[]][] = [
    [
      "C.2.1",
      "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      ["custom-key", "custom-header"],
    ],
    ["C.2.2", "040c 2f73 616d 706c 652f 7061 7468", [":path", "/sample/path"]],
    ["C.2.3", "1008 7061 7373 776f 7264 0673 6563 7265 74", ["password", "secret"]],
    ["C.2.4", "82", [":method", "GET"]],
  ];
  for (const [name, bytes, fields] of literals) {
    it(`decodes the example of RFC 7541 ${name}`, () => {
      assert.deepEqual(decode(createDecoder(), hex(bytes)).fields, fields);
    });
  }

  const requests = [
    [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "www.example.com"],
    [
      ":method",
      "GET",
      ":scheme",
      "http",
      ":path",
      "/",
      ":authority",
      "www.example.com",
      "cache-control",
      "no-cache",
    ],
    [
      ...[":method", "GET", ":scheme", "https", ":path", "/index.html", ":authority", "www.example.com"],
      ...["custom-key", "custom-value"],
    ],
  ];
  const location = ["location", "https://www.example.com"];
  const responses = [
    [":status", "302", "cache-control", "private", "date", "Mon, 21 Oct 2013 20:13:21 GMT", ...location],
    [":status", "307", "cache-control", "private", "date", "Mon, 21 Oct 2013 20:13:21 GMT", ...location],
    [
      ...[":status", "200", "cache-control", "private", "date", "Mon, 21 Oct 2013 20:13:22 GMT", ...location],
      ...["content-encoding", "gzip"],
      ...["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
    ],
  ];
  const connections: [name: string, bytesMax: number, lists: string[][], blocks: string[]][] = [
    [
      "C.3",
      4_096,
      requests,
      [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
      ],
    ],
    [
      "C.4",
      4_096,
      requests,
      [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
      ],
    ],
    [
      "C.5",
      256,
      responses,
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32
         3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        "4803 3330 37c1 c0bf",
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970
         7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61
         6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
      ],
    ],
    [
      "C.6",
      256,
      responses,
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad
         1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
        "4883 640e ffc1 c0bf",
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2
         e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ],
    ],
  ];
  for (const [name, bytesMax, lists, blocks] of connections) {
    it(`decodes the three messages of RFC 7541 ${name}`, () => {
      const decoder = createDecoder();
      decode(decoder, integer(0x20, 5, bytesMax));
      for (const [i, bytes] of blocks.entries()) {
        const list = decode(decoder, hex(bytes));
        assert.deepEqual(list.fields, lists[i]);
        const textBytes = lists[i]!.reduce((sum, text) => sum + text.length, 0);
        assert.equal(list.sizeBytes, textBytes + 16 * lists[i]!.length);
        assert.equal(list.isTooLarge, false);
      }
      // C.5.3 and C.6.3 have evicted down to three entries.
      if (bytesMax === 256) refuse(decoder, hex("c1"));
    });
  }

  it("decodes what an encoder has written, in whatever manner, and keeps its table in step", () => {
    fc.assert(
      fc.property(blocks, (blocks) => {
        const encoder = new ReferenceEncoder();
        const decoder = createDecoder();
        for (const one of blocks) {
          const list = decode(decoder, encodeBlock(encoder, one));
          const fields = one.fields.map(([field]) => field);
          assert.deepEqual(list.fields, fields.flat());
          assert.equal(
            list.sizeBytes,
            fields.reduce((sum, field) => sum + sizeOf(field), 0),
          );
          assert.deepEqual(tableOf(decoder, encoder.table.length), encoder.table);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("keeps its table in step also through lists that are too large", () => {
    fc.assert(
      fc.property(blocks, (blocks) => {
        const encoder = new ReferenceEncoder();
        const decoder = createDecoder({ listBytesMax: 300, fieldsMax: 5 });
        for (const one of blocks) {
          const list = decode(decoder, encodeBlock(encoder, one));
          const fields = one.fields.map(([field]) => field);
          const sizeBytes = fields.reduce((sum, field) => sum + sizeOf(field), 0);
          assert.equal(list.sizeBytes, sizeBytes);
          assert.equal(list.isTooLarge, sizeBytes > 300 || fields.length > 5);
          assert.deepEqual(list.fields, list.isTooLarge ? [] : fields.flat());
        }
        // Read by a decoder of the same past that takes the lists of one field.
        const probe = encoder.table.filter((field) => sizeOf(field) <= 300);
        assert.deepEqual(
          tableOf(decoder, encoder.table.length).filter((field) => field.length > 0),
          probe,
        );
      }),
      { numRuns: 300 },
    );
  });

  it("refuses or decodes every beginning of a block", () => {
    fc.assert(
      fc.property(blocks, (blocks) => {
        const encoder = new ReferenceEncoder();
        const before: Buffer[] = [];
        for (const one of blocks.slice(0, 4)) {
          const bytes = encodeBlock(encoder, one);
          for (let end = 0; end < bytes.length; end += Math.ceil(bytes.length / 50)) {
            const decoder = createDecoder();
            for (const block of before) decode(decoder, block);
            decodeOrRefuse(decoder, bytes.subarray(0, end));
          }
          before.push(bytes);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("refuses or decodes whatever bytes it is given", () => {
    const byte = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0x00, 0x10, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0x82, 0xbe, 0xff),
    );
    fc.assert(
      fc.property(fc.array(fc.array(byte, { maxLength: 60 }), { maxLength: 5 }), (blocks) => {
        const decoder = createDecoder({ listBytesMax: 500 });
        for (const bytes of blocks) {
          if (!decodeOrRefuse(decoder, Buffer.from(bytes))) return;
        }
      }),
      { numRuns: 3_000 },
    );
  });

  it("reads nothing beyond the block", () => {
    const decoder = createDecoder();
    const bytes = Buffer.concat([hex("ffff"), hex("8286"), hex("84")]);
    assert.deepEqual(decoder.decode(bytes, 2, 4).fields, [":method", "GET", ":scheme", "http"]);
    const literal = Buffer.concat([hex("00"), string("name", false), string("value", false)]);
    for (let end = 1; end < literal.length; end++) {
      assert.throws(() => createDecoder().decode(literal, 0, end), HpackError);
    }
    assert.deepEqual(createDecoder().decode(literal, 0, literal.length).fields, ["name", "value"]);
  });

  describe("refuses", () => {
    const cases: [name: string, block: string][] = [
      ["the index 0", "80"],
      ["an index beyond the static table when the dynamic one is empty", "be"],
      ["an index far beyond the tables", "ff ff ff ff 07"],
      ["a literal whose name is beyond the tables", "7f 00 01 61"],
      ["a literal without indexing whose name is beyond the tables", "0f 30 01 61"],
      ["a string longer than the block", "00 05 61 61 61 61"],
      ["a string of 2 GiB", "00 7f 80 ff ff ff 07 61"],
      ["a block that ends before a value", "00 01 61"],
      ["a block that ends inside an integer", "ff 80"],
      ["an integer of six bytes more", "ff 80 80 80 80 80 00"],
      ["an integer above 2^31", "ff 80 ff ff ff 08"],
      ["an integer above 2^32", "ff 80 80 80 80 10"],
      ["a name with a Huffman code that is not one", "00 81 00 01 61"],
      ["a value with EOS", "00 01 61 84 ff ff ff ff"],
      ["a table size after a field", "82 20"],
      ["three table sizes", "20 20 20 82"],
      ["a table size above the offered one", "3f e2 1f"],
    ];
    for (const [name, bytes] of cases) it(name, () => refuse(createDecoder(), hex(bytes)));

    it("an index that was evicted", () => {
      const decoder = createDecoder();
      decode(decoder, hex("40 01 61 01 62"));
      assert.deepEqual(decode(decoder, hex("be")).fields, ["a", "b"]);
      refuse(decoder, hex("20 be"));
    });

    it("damage also in fields of a list that is too large", () => {
      for (const bytes of [
        "80",
        "be",
        "00 81 00 01 61",
        "00 05 61",
        "10 01 61 84 ff ff ff ff",
        "0f 30 01 61",
      ]) {
        const decoder = createDecoder({ fieldsMax: 1 });
        assert.equal(decode(decoder, hex("82 82")).isTooLarge, true);
        refuse(decoder, hex(`82 82 ${bytes}`));
      }
    });
  });

  describe("accepts", () => {
    it("integers with zeros at their end, up to five bytes", () => {
      assert.deepEqual(
        decode(createDecoder(), hex("00 01 61 7f 80 80 80 80 00"), Buffer.alloc(127, "v")).fields,
        ["a", "v".repeat(127)],
      );
    });

    it("the offered table size, and two sizes in one block", () => {
      assert.deepEqual(decode(createDecoder(), hex("20 3f e1 1f 82")).fields, [":method", "GET"]);
      const larger = createDecoder({ tableBytesMax: 8_192 });
      decode(larger, integer(0x20, 5, 8_192));
      refuse(larger, integer(0x20, 5, 8_193));
    });

    it("a literal with an empty name, for the caller to judge", () => {
      assert.deepEqual(decode(createDecoder(), hex("00 00 01 61")).fields, ["", "a"]);
      assert.deepEqual(decode(createDecoder(), hex("40 80 80")).fields, ["", ""]);
    });

    it("an entry larger than the table, which empties it", () => {
      const decoder = createDecoder();
      decode(decoder, hex("40 01 61 01 62"));
      const value = "v".repeat(4_096);
      assert.deepEqual(decode(decoder, hex("40 01 63"), string(value, false)).fields, ["c", value]);
      refuse(decoder, hex("be"));
    });

    it("a name from the entry that it evicts", () => {
      const decoder = createDecoder();
      const [name, value] = ["n".repeat(2_000), "v".repeat(2_000)];
      decode(decoder, hex("40"), string(name, false), string("", false));
      const list = decode(decoder, hex("7e"), string(value, true));
      assert.deepEqual(list.fields, [name, value]);
      assert.deepEqual(decode(decoder, hex("be")).fields, [name, value]);
      refuse(decoder, hex("bf"));
    });

    it("references into a table of the initial size until the peer announces another, whatever is offered", () => {
      for (const tableBytesMax of [0, 8_192]) {
        const decoder = createDecoder({ tableBytesMax });
        decode(decoder, hex("40"), string("a", false), string("v".repeat(4_000), false));
        assert.equal(decode(decoder, hex("be")).fields[1]?.length, 4_000);
        decode(decoder, hex("40"), string("b", false), string("v".repeat(100), false));
        refuse(decoder, hex("bf"));
      }
    });
  });

  describe("takes lists", () => {
    it("up to listBytesMax and fieldsMax, and says so beyond", () => {
      const field = Buffer.concat([hex("00"), string("n", false), string("v".repeat(67), false)]);
      const isTooLarge = (limits: Partial<typeof options>, count: number) => {
        const list = decode(createDecoder(limits), ...Array.from({ length: count }, () => field));
        assert.equal(list.sizeBytes, 100 * count);
        assert.equal(list.fields.length, list.isTooLarge ? 0 : 2 * count);
        return list.isTooLarge;
      };
      assert.deepEqual(
        [isTooLarge({ listBytesMax: 300 }, 3), isTooLarge({ listBytesMax: 300 }, 4)],
        [false, true],
      );
      assert.deepEqual(
        [isTooLarge({ listBytesMax: 299 }, 3), isTooLarge({ fieldsMax: 3 }, 3)],
        [true, false],
      );
      assert.deepEqual([isTooLarge({ fieldsMax: 3 }, 4), isTooLarge({ fieldsMax: 0 }, 0)], [true, false]);
    });

    it("of thousands of references to a large field as too large, and keeps nothing of them", () => {
      const decoder = createDecoder();
      const value = "v".repeat(4_000);
      decode(decoder, hex("40 01 61"), string(value, false));
      const references = Buffer.alloc(1_000_000, 0xbe);
      const heapBytes = process.memoryUsage().heapUsed;
      const list = decode(decoder, references);
      assert.ok(process.memoryUsage().heapUsed - heapBytes < 10_000_000);
      assert.equal(list.isTooLarge, true);
      assert.deepEqual(list.fields, []);
      assert.equal(list.sizeBytes, 4_033 * 1_000_000);
      assert.deepEqual(decode(decoder, hex("be")).fields, ["a", value]);
    });

    it("with literals that name a large field thousands of times as too large, and keeps the table in step", () => {
      const decoder = createDecoder();
      const name = "n".repeat(2_000);
      decode(decoder, hex("40"), string(name, false), hex("00"));
      const list = decode(decoder, Buffer.from("7e00".repeat(100_000), "hex"));
      assert.equal(list.isTooLarge, true);
      assert.equal(list.sizeBytes, 2_032 * 100_000);
      assert.deepEqual(decode(decoder, hex("bf")).fields, [name, ""]);
      refuse(decoder, hex("c0"));
    });
  });

  describe("gives the same list again", () => {
    const warm = (): HpackDecoder => {
      const decoder = createDecoder();
      decode(decoder, hex("40 01 61 01 62"));
      return decoder;
    };

    it("for the same bytes, with what its caller has hung on it", () => {
      const decoder = warm();
      const list = decode(decoder, hex("82 86 be"));
      list.parsed = "GET";
      const other = decode(decoder, hex("82 87 be"));
      assert.notEqual(other, list);
      assert.equal(other.parsed, undefined);
      for (let i = 0; i < 3; i++) {
        assert.equal(decode(decoder, hex("82 86 be")), list);
        assert.equal(decode(decoder, hex("82 87 be")), other);
      }
      assert.equal(list.parsed, "GET");
    });

    it("for literals that leave the table alone", () => {
      const decoder = warm();
      const block = hex("82 04 0c 2f73 616d 706c 652f 7061 7468");
      assert.equal(decode(decoder, block), decode(decoder, block));
    });

    it("also when it is too large", () => {
      const decoder = createDecoder({ fieldsMax: 1 });
      assert.equal(decode(decoder, hex("82 82")), decode(decoder, hex("82 82")));
    });

    it("but not after a field has entered the table", () => {
      const decoder = warm();
      const list = decode(decoder, hex("be"));
      decode(decoder, hex("40 01 63 01 64"));
      assert.deepEqual(decode(decoder, hex("be")).fields, ["c", "d"]);
      assert.deepEqual(list.fields, ["a", "b"]);
    });

    it("but not after the table's size has changed", () => {
      const decoder = warm();
      decode(decoder, hex("be"));
      decode(decoder, hex("20"));
      refuse(decoder, hex("be"));
    });

    it("but not after a field too large for the table has emptied it", () => {
      const decoder = warm();
      decode(decoder, hex("be"));
      decode(decoder, hex("40 01 63"), string("v".repeat(5_000), false));
      refuse(decoder, hex("be"));
    });

    it("but never for a block that changes the table, or has a field that no one is to keep", () => {
      const decoder = warm();
      for (const bytes of ["40 01 61 01 62", "20 82", "82 10 01 61 01 62"]) {
        assert.notEqual(decode(decoder, hex(bytes)), decode(decoder, hex(bytes)));
      }
    });
  });
});

/** The entries of the decoder's table, newest first; an empty one when it is too large for a list. */
function tableOf(decoder: HpackDecoder, count: number): Field[] {
  return Array.from(
    { length: count },
    (_, age) => decode(decoder, integer(0x80, 7, 62 + age)).fields as unknown as Field,
  );
}

function decodeOrRefuse(decoder: HpackDecoder, block: Buffer): boolean {
  try {
    const list = decode(decoder, block);
    assert.equal(list.fields.length % 2, 0);
    return true;
  } catch (error) {
    if (!(error instanceof HpackError)) throw error;
    return false;
  }
}
