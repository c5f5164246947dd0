import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodeError, RequestError } from "../../../src/lib/errors.ts";
import { type CodecUnderTest, codecsUnderTest } from "./codecs-under-test.ts";
import { arbitraryMessage } from "./message-model.ts";

/** METASTORE_CODEC_RUNS=20000 npx mocha --timeout 0 test/unit/codec/fuzz.test.ts for a long run. */
const numRuns = Number(process.env["METASTORE_CODEC_RUNS"] ?? 200);
/** Far above what the inputs here need, far below what a user would call a hang. */
const decodeMsMax = 1_000;

interface Mutation {
  readonly kind: "set" | "insert" | "remove" | "cut" | "repeat";
  readonly at: number;
  readonly byte: number;
}

const mutations = fc.array(
  fc.record<Mutation>({
    kind: fc.constantFrom("set", "insert", "remove", "cut", "repeat"),
    at: fc.nat(),
    byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x22)),
  }),
  { minLength: 1, maxLength: 8 },
);

describe("decoders of hostile bytes", () => {
  for (const [name, codec] of Object.entries(codecsUnderTest)) {
    it(`answer or refuse whatever ${name} is given`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodeOrRefuse(codec, bytes)),
        { numRuns },
      );
    });

    it(`answer or refuse a damaged ${name}`, () => {
      fc.assert(
        fc.property(arbitraryMessage(name), mutations, (message, steps) => {
          let bytes = codec.encode(message);
          for (const step of steps) bytes = mutate(bytes, step);
          decodeOrRefuse(codec, bytes);
        }),
        { numRuns },
      );
    });

    it(`refuse or answer every beginning of a ${name}`, () => {
      fc.assert(
        fc.property(arbitraryMessage(name), (message) => {
          const bytes = codec.encode(message);
          const step = Math.max(1, Math.floor(bytes.length / 64));
          for (let end = 0; end < bytes.length; end += step) decodeOrRefuse(codec, bytes.subarray(0, end));
        }),
        { numRuns: Math.ceil(numRuns / 10) },
      );
    });
  }
});

function decodeOrRefuse(codec: CodecUnderTest, bytes: Uint8Array): void {
  const startMs = performance.now();
  try {
    codec.decode(bytes);
  } catch (error) {
    if (!(error instanceof DecodeError || error instanceof RequestError)) throw error;
  }
  assert.ok(performance.now() - startMs < decodeMsMax);
}

function mutate(bytes: Buffer, { kind, at, byte }: Mutation): Buffer {
  const index = bytes.length === 0 ? 0 : at % bytes.length;
  const before = bytes.subarray(0, index);
  const after = bytes.subarray(index + 1);
  switch (kind) {
    case "set":
      return Buffer.concat([before, Buffer.from([byte]), after]);
    case "insert":
      return Buffer.concat([before, Buffer.from([byte]), bytes.subarray(index)]);
    case "remove":
      return Buffer.concat([before, after]);
    case "cut":
      return before;
    case "repeat":
      return Buffer.concat([bytes.subarray(0, 10_000), bytes.subarray(index, index + 10_000)]);
  }
}
