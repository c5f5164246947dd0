import assert from "node:assert/strict";
import fc from "fast-check";
import { codecsUnderTest } from "./codecs-under-test.ts";
import { arbitraryMessage, toWire } from "./message-model.ts";
import { referenceCodec } from "./reference.ts";

/** METASTORE_CODEC_RUNS=5000 npx mocha test/unit/codec/differential.test.ts for a long run. */
const numRuns = Number(process.env["METASTORE_CODEC_RUNS"] ?? 100);

describe("codecs beside proto-loader", () => {
  for (const [name, codec] of Object.entries(codecsUnderTest)) {
    it(`encode and decode ${name} as it does, byte for byte`, () => {
      const reference = referenceCodec(name);
      fc.assert(
        fc.property(arbitraryMessage(name), (message) => {
          const ours = codec.encode(message);
          const theirs = reference.encode(toWire(name, message, true));
          assert.deepEqual(reference.decode(ours), toWire(name, message, false));
          assert.deepEqual(codec.decode(theirs), message);
          assert.ok(ours.equals(theirs), `${ours.toString("hex")} is not ${theirs.toString("hex")}`);
        }),
        { numRuns },
      );
    });
  }
});
