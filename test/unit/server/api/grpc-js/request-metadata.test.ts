import assert from "node:assert/strict";
import { RequestMetadata } from "../../../../../src/server/api/grpc-js/request-metadata.ts";

describe("RequestMetadata", () => {
  const metadata = new RequestMetadata({
    ":path": "/etcdserverpb.KV/Put",
    hasleader: "true",
    "client-api-version": ["3.5", "3.6"] as unknown as string,
    "trace-bin": "AAA=",
    missing: undefined,
  });

  it("holds the text keys alone, the first value of each", () => {
    assert.equal(metadata.get("hasleader"), "true");
    assert.equal(metadata.get("client-api-version"), "3.5");
    for (const key of [":path", "trace-bin", "missing", "nowhere"]) {
      assert.equal(metadata.get(key), undefined);
      assert.equal(metadata.has(key), false);
    }
    assert.equal(metadata.has("hasleader"), true);
  });

  it("is read as a map is", () => {
    const expected = [
      ["hasleader", "true"],
      ["client-api-version", "3.5"],
    ];
    assert.equal(metadata.size, 2);
    assert.deepEqual([...metadata], expected);
    assert.deepEqual([...metadata.entries()], expected);
    assert.deepEqual([...metadata.keys()], ["hasleader", "client-api-version"]);
    assert.deepEqual([...metadata.values()], ["true", "3.5"]);
    const seen: string[][] = [];
    metadata.forEach((value, key, map) => {
      assert.equal(map, metadata);
      seen.push([key, value]);
    });
    assert.deepEqual(seen, expected);
  });
});
