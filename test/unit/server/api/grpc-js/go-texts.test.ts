import assert from "node:assert/strict";
import { grpcCode } from "../../../../../src/lib/errors.ts";
import { inGoWords } from "../../../../../src/server/api/grpc-js/go-texts.ts";

describe("grpc-go's words", () => {
  it("replace grpc-js's own where clients know them", () => {
    assert.deepEqual(inGoWords(8, "Received message larger than max (9 vs 4)"), {
      code: grpcCode.resourceExhausted,
      text: "grpc: received message larger than max (9 vs. 4)",
    });
    assert.deepEqual(inGoWords(4, "Deadline exceeded"), {
      code: grpcCode.deadlineExceeded,
      text: "context deadline exceeded",
    });
    assert.deepEqual(inGoWords(13, "Failed to decompress message"), {
      code: grpcCode.internal,
      text: "Failed to decompress message",
    });
    assert.equal(inGoWords(99, "?").code, grpcCode.unknown);
  });
});
