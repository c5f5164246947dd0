import assert from "node:assert/strict";
import { unknownPathText } from "../../../../src/server/api/unknown-path.ts";

describe("The text of an unknown path", () => {
  it("names the part that is unknown, in grpc-go's words", () => {
    const services = new Set(["a.B"]);
    assert.equal(unknownPathText("/a.B/C", services), "unknown method C for service a.B");
    assert.equal(unknownPathText("/x.Y/C", services), "unknown service x.Y");
    assert.equal(unknownPathText("nothing", services), 'malformed method name: "nothing"');
    assert.equal(unknownPathText("/nothing", services), 'malformed method name: "/nothing"');
  });
});
