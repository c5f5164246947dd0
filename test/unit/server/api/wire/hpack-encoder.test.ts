import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http2";
import fc from "fast-check";
import { AssertionError } from "../../../../../src/lib/assert.ts";
import { HpackDecoder } from "../../../../../src/server/api/wire/hpack-decoder.ts";
import { ResponseHeaderEncoder } from "../../../../../src/server/api/wire/hpack-encoder.ts";
import { connectNodeClient } from "./raw-server.ts";

const grpcHeaders = [":status", "200", "content-type", "application/grpc"];
const okTrailers = ["grpc-status", "0", "grpc-message", ""];
const contentTypeLiteral = `5f10${Buffer.from("application/grpc").toString("hex")}`;

/** What a method writes, which stays within `boundBytes`. */
function blockOf(write: (target: Buffer, offset: number) => number, boundBytes: number): Buffer {
  const target = Buffer.alloc(3 + boundBytes, 0xee);
  const end = write(target, 3);
  assert.equal(target.toString("hex", 0, 3), "eeeeee");
  assert.ok(end <= target.length);
  assert.equal(target.toString("hex", end), "ee".repeat(target.length - end));
  return target.subarray(3, end);
}

const headersOf = (encoder: ResponseHeaderEncoder): Buffer =>
  blockOf((target, offset) => encoder.writeGrpcHeaders(target, offset), ResponseHeaderEncoder.fixedBytesMax);
const trailersOf = (encoder: ResponseHeaderEncoder): Buffer =>
  blockOf((target, offset) => encoder.writeOkTrailers(target, offset), ResponseHeaderEncoder.fixedBytesMax);
const fieldsOf = (encoder: ResponseHeaderEncoder, fields: readonly string[]): Buffer =>
  blockOf(
    (target, offset) => encoder.writeFields(target, offset, fields),
    ResponseHeaderEncoder.boundOf(fields),
  );
const hex = (block: Buffer): string => block.toString("hex");

const createDecoder = (tableBytesMax = 4_096): HpackDecoder =>
  new HpackDecoder({ tableBytesMax, listBytesMax: 1_000_000, fieldsMax: 1_000 });
const decoded = (decoder: HpackDecoder, block: Buffer): readonly string[] =>
  decoder.decode(block, 0, block.length).fields;

const warm = (): ResponseHeaderEncoder => {
  const encoder = new ResponseHeaderEncoder();
  headersOf(encoder);
  trailersOf(encoder);
  return encoder;
};

describe("ResponseHeaderEncoder", () => {
  it("says what every call repeats once, and then in a byte for each field", () => {
    const encoder = new ResponseHeaderEncoder();
    const decoder = createDecoder();
    assert.deepEqual(decoded(decoder, headersOf(encoder)), grpcHeaders);
    assert.deepEqual(decoded(decoder, trailersOf(encoder)), okTrailers);
    for (let i = 0; i < 3; i++) {
      const [headers, trailers] = [headersOf(encoder), trailersOf(encoder)];
      assert.deepEqual([hex(headers), hex(trailers)], ["88c0", "bfbe"]);
      assert.deepEqual(decoded(decoder, headers), grpcHeaders);
      assert.deepEqual(decoded(decoder, trailers), okTrailers);
    }
  });

  it("does so when trailers come first too", () => {
    const encoder = new ResponseHeaderEncoder();
    const decoder = createDecoder();
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(decoded(decoder, trailersOf(encoder)), okTrailers);
      assert.equal(i === 1, hex(trailersOf(encoder)) === "c0bf");
      assert.deepEqual(decoded(decoder, headersOf(encoder)), grpcHeaders);
    }
    assert.deepEqual([hex(trailersOf(encoder)), hex(headersOf(encoder))], ["c0bf", "88be"]);
  });

  it("writes any other list as literals that enter no table", () => {
    const encoder = new ResponseHeaderEncoder();
    assert.equal(hex(fieldsOf(encoder, [":status", "404"])), "8d");
    assert.equal(hex(fieldsOf(encoder, [":status", "415"])), "0803343135");
    assert.equal(hex(fieldsOf(encoder, ["content-type", "a"])), "0f100161");
    assert.equal(hex(fieldsOf(encoder, ["grpc-status", "5"])), "000b677270632d7374617475730135");
    assert.equal(hex(fieldsOf(encoder, [])), "");
    assert.equal(hex(headersOf(encoder)), `88${contentTypeLiteral}`);
  });

  const name = fc.oneof(
    fc.constantFrom(":status", "content-type", "www-authenticate", "grpc-message", "x"),
    fc.nat(200).map((length) => "n".repeat(length)),
  );
  const value = fc.oneof(
    fc.constantFrom("", "200", "206", "500", "501", "application/grpc"),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
    fc.nat(20_000).map((length) => "v".repeat(length)),
  );
  const fields = fc
    .array(fc.tuple(name, value), { maxLength: 8 })
    .map((fields): readonly string[] => fields.flat());
  const step = fc.oneof(
    fc.constantFrom("headers" as const, "trailers" as const),
    fields,
    fc.oneof(fc.nat(5_000), fc.constantFrom(0, 147, 148, 149, 4_096)),
  );

  it("is understood after any blocks and sizes of the peer's table", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const encoder = new ResponseHeaderEncoder();
        const decoder = createDecoder();
        for (const step of steps) {
          if (typeof step === "number") encoder.setTableBytesMax(step);
          else if (step === "headers") assert.deepEqual(decoded(decoder, headersOf(encoder)), grpcHeaders);
          else if (step === "trailers") assert.deepEqual(decoded(decoder, trailersOf(encoder)), okTrailers);
          else assert.deepEqual(decoded(decoder, fieldsOf(encoder, step)), step);
        }
      }),
      { numRuns: 300 },
    );
  });

  describe("when the peer's table changes", () => {
    it("says nothing of a larger one", () => {
      for (const bytes of [4_096, 65_536, 2 ** 32 - 1]) {
        const encoder = warm();
        encoder.setTableBytesMax(bytes);
        assert.deepEqual([hex(headersOf(encoder)), hex(trailersOf(encoder))], ["88c0", "bfbe"]);
      }
    });

    it("acknowledges a smaller one at the start of the next block, once, and goes on", () => {
      for (const [bytes, update] of [
        [4_095, "3fe01f"],
        [148, "3f75"],
      ] as const) {
        const encoder = warm();
        encoder.setTableBytesMax(bytes);
        assert.deepEqual([hex(headersOf(encoder)), hex(trailersOf(encoder))], [`${update}88c0`, "bfbe"]);
        assert.equal(hex(headersOf(encoder)), "88c0");
      }
    });

    it("acknowledges the smallest one of several, and stays with it", () => {
      const encoder = warm();
      for (const bytes of [1_000, 200, 4_096]) encoder.setTableBytesMax(bytes);
      assert.equal(hex(trailersOf(encoder)), "3fa901bfbe");
      encoder.setTableBytesMax(4_096);
      assert.equal(hex(trailersOf(encoder)), "bfbe");
    });

    it("gives up the table for good when it cannot hold all three fields, even for a moment", () => {
      for (const sizes of [[147], [0], [100, 4_096], [1_000, 0, 200]]) {
        const encoder = warm();
        const decoder = createDecoder(4_096);
        for (const bytes of sizes) encoder.setTableBytesMax(bytes);
        const first = headersOf(encoder);
        assert.equal(first[0], 0x20);
        assert.deepEqual(decoded(decoder, first), grpcHeaders);
        encoder.setTableBytesMax(4_096);
        encoder.setTableBytesMax(0);
        for (let i = 0; i < 2; i++) {
          assert.equal(hex(headersOf(encoder)), hex(first.subarray(1)));
          assert.deepEqual(decoded(decoder, headersOf(encoder)), grpcHeaders);
          assert.deepEqual(decoded(decoder, trailersOf(encoder)), okTrailers);
        }
      }
    });

    it("acknowledges it in whichever block is next", () => {
      const encoders = [0, 1, 2].map(() => warm());
      for (const encoder of encoders) encoder.setTableBytesMax(200);
      const blocks = [
        headersOf(encoders[0]!),
        trailersOf(encoders[1]!),
        fieldsOf(encoders[2]!, [":status", "200"]),
      ];
      assert.deepEqual(blocks.map(hex), ["3fa90188c0", "3fa901bfbe", "3fa90188"]);
    });
  });

  it("stops rather than write a block that its buffer cuts off", () => {
    const fields = ["grpc-message", "m".repeat(100)];
    const length = fieldsOf(new ResponseHeaderEncoder(), fields).length;
    for (let room = 0; room < length; room++) {
      assert.throws(
        () => new ResponseHeaderEncoder().writeFields(Buffer.alloc(room), 0, fields),
        AssertionError,
      );
    }
    const first = headersOf(new ResponseHeaderEncoder()).length;
    for (let room = 0; room < first; room++) {
      assert.throws(
        () => new ResponseHeaderEncoder().writeGrpcHeaders(Buffer.alloc(room), 0),
        AssertionError,
      );
    }
  });

  describe("with a client of node:http2", () => {
    const answer = (encoder: ResponseHeaderEncoder, call: number): readonly Buffer[] =>
      call % 4 === 3
        ? [fieldsOf(encoder, [...grpcHeaders, "grpc-status", "5", "grpc-message", `no call ${call}`])]
        : [headersOf(encoder), trailersOf(encoder)];
    const plain = (headers: IncomingHttpHeaders | undefined) =>
      headers && Object.fromEntries(Object.entries(headers));

    for (const settings of [
      {},
      { headerTableSize: 0 },
      { headerTableSize: 150 },
      { headerTableSize: 65_536 },
    ]) {
      it(`is understood, and understands it, with settings ${JSON.stringify(settings)}`, async () => {
        const client = await connectNodeClient(answer, settings);
        const lists = new Set();
        try {
          for (let call = 0; call < 40; call++) {
            // The table of answers shrinks and grows on the way.
            if (call > 0 && call % 10 === 0) await client.settings([4_096, 1_000, 100, 8_192][call / 10]!);
            const sent = {
              ":method": "POST",
              ":scheme": "http",
              ":authority": "localhost:2379",
              ":path": `/etcdserverpb.KV/${["Range", "Put"][call % 2]!}`,
              "content-type": "application/grpc",
              te: "trailers",
              "user-agent": "grpc-node-js/1.14.7",
              ...(call % 8 === 5 ? { "grpc-timeout": `${call}m`, token: "t".repeat(call * 20) } : {}),
            };
            const { request, headers, trailers } = await client.call(sent);
            assert.deepEqual(request.fields, Object.entries(sent).flat());
            lists.add(request);
            const isOk = call % 4 !== 3;
            assert.deepEqual(plain(headers), {
              ":status": 200,
              "content-type": "application/grpc",
              ...(isOk ? {} : { "grpc-status": "5", "grpc-message": `no call ${call}` }),
            });
            assert.deepEqual(plain(trailers), isOk ? { "grpc-status": "0", "grpc-message": "" } : undefined);
          }
        } finally {
          await client.close();
        }
        // Calls like the ones before them cost a look at the cache.
        assert.ok(lists.size < 25, `${lists.size} lists`);
      });
    }
  });
});
