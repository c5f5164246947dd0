import assert from "node:assert/strict";
import fc from "fast-check";
import { oversized, trailersOf, trailersOnly } from "../../../../../src/server/api/wire/grpc-status.ts";

const messageOf = (text: string): string => trailersOf({ code: 5, text })[3]!;

describe("gRPC status trailers", () => {
  it("hold code and text, with headers before them when nothing was sent yet", () => {
    const trailers = ["grpc-status", "5", "grpc-message", "not here"];
    assert.deepEqual(trailersOf({ code: 5, text: "not here" }), trailers);
    assert.deepEqual(trailersOnly({ code: 5, text: "not here" }), [
      ...[":status", "200", "content-type", "application/grpc"],
      ...trailers,
    ]);
  });

  it("leave printable ASCII as it is", () => {
    const printable = Array.from({ length: 0x5f }, (_, i) => String.fromCharCode(0x20 + i)).join("");
    const text = `x${printable.replace("%", "")}x`;
    assert.equal(messageOf(text), text);
    assert.equal(messageOf(""), "");
  });

  it("encode the percent sign, control characters and all beyond ASCII by their bytes", () => {
    assert.equal(messageOf("100%"), "100%25");
    assert.equal(messageOf("a\r\nb"), "a%0D%0Ab");
    assert.equal(messageOf("gr\u00fc\u00df\u20ac"), "gr%C3%BC%C3%9F%E2%82%AC");
    assert.equal(messageOf("\u007f"), "%7F");
  });

  it("keep the spaces at both ends of a text", () => {
    for (const text of [" a", "a ", " ", "  "]) {
      assert.doesNotMatch(messageOf(text), /^ | $/);
      assert.equal(decodeURIComponent(messageOf(text)), text);
    }
  });

  it("are ASCII without control characters, and decode to the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
        const encoded = messageOf(text);
        assert.match(encoded, /^(?! )[\x20-\x7e]*(?<! )$/);
        assert.equal(decodeURIComponent(encoded), text);
      }),
      { numRuns: 500 },
    );
  });

  it("name the size of a message that is too large as grpc-go does", () => {
    assert.deepEqual(oversized(11, 10), {
      code: 8,
      text: "grpc: received message larger than max (11 vs. 10)",
    });
  });
});
