import assert from "node:assert/strict";
import { HpackError } from "../../../../../src/server/api/wire/hpack-error.ts";

describe("HpackError", () => {
  it("is told apart from what else may be thrown", () => {
    const error = new HpackError("EOS in a Huffman code");
    assert.ok(error instanceof Error);
    assert.equal(String(error), "HpackError: EOS in a Huffman code");
  });
});
