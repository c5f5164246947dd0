import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeMemberChange,
  encodeMemberChange,
  encodePeerUrls,
} from "../../../../src/server/state/member-change.ts";

describe("A membership change in the log", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(
        fc.record({
          id: fc.record({
            proposer: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
            runId: fc.nat(),
            sequence: fc.maxSafeNat(),
          }),
          peerUrls: fc.array(fc.string({ unit: "grapheme" }), { maxLength: 4 }),
          isPromotion: fc.boolean(),
          learnersMax: fc.nat(),
        }),
        (change) => assert.deepEqual(decodeMemberChange(encodeMemberChange(change)), structuredClone(change)),
      ),
    );
  });

  it("of the first members is waited for by nobody", () => {
    assert.deepEqual(decodeMemberChange(encodePeerUrls(["http://a:1", "https://ü:2"])), {
      id: { proposer: 0n, runId: 0, sequence: 0 },
      peerUrls: ["http://a:1", "https://ü:2"],
      isPromotion: false,
      learnersMax: 0,
    });
  });

  it("with a field of a later version is refused", () => {
    assert.throws(() => decodeMemberChange(Buffer.from([0x38, 1])), /unknown field 7/);
  });
});
