import assert from "node:assert/strict";
import { latin1Of } from "../../../../../src/server/api/wire/latin1.ts";

describe("latin1Of", () => {
  it("gives a character for each byte, at every length and place", () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    for (let length = 0; length <= 40; length++) {
      for (let start = 0; start + length <= bytes.length; start += 7) {
        assert.equal(latin1Of(bytes, start, start + length), bytes.toString("latin1", start, start + length));
      }
    }
  });

  it("keeps its text when the buffer is used again", () => {
    for (const length of [5, 12, 13, 100]) {
      const bytes = Buffer.alloc(length, "a");
      const text = latin1Of(bytes, 0, length);
      bytes.fill("b");
      assert.equal(text, "a".repeat(length));
    }
  });
});
