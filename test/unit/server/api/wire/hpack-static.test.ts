import assert from "node:assert/strict";
import {
  STATIC_COUNT,
  staticIndexOf,
  staticNames,
  staticValues,
} from "../../../../../src/server/api/wire/hpack-static.ts";

describe("the static table of HPACK", () => {
  it("has the 61 entries of RFC 7541 appendix A, from index 1 on", () => {
    assert.equal(STATIC_COUNT, 61);
    assert.equal(staticNames.length, 62);
    assert.equal(staticValues.length, 62);
    const entries: [index: number, name: string, value: string][] = [
      [1, ":authority", ""],
      [2, ":method", "GET"],
      [3, ":method", "POST"],
      [5, ":path", "/index.html"],
      [8, ":status", "200"],
      [14, ":status", "500"],
      [16, "accept-encoding", "gzip, deflate"],
      [31, "content-type", ""],
      [58, "user-agent", ""],
      [61, "www-authenticate", ""],
    ];
    for (const [index, name, value] of entries) {
      assert.deepEqual([staticNames[index], staticValues[index]], [name, value]);
    }
  });

  it("finds the first entry of a name", () => {
    assert.equal(staticIndexOf.get(":status"), 8);
    assert.equal(staticIndexOf.get("www-authenticate"), 61);
    assert.equal(staticIndexOf.get("grpc-status"), undefined);
    for (const [name, index] of staticIndexOf) assert.equal(staticNames.indexOf(name), index);
  });
});
