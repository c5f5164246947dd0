import assert from "node:assert/strict";
import { createDigest, digestBytes } from "../../../src/lib/digest.ts";
import { secretUint32 } from "../../../src/lib/secret.ts";

describe("A digest", () => {
  it("is the SHA-256 of all pieces", () => {
    const digest = createDigest();
    digest.update(Buffer.from("a"));
    digest.update(Buffer.from("bc"));
    const bytes = digest.finish();
    assert.equal(bytes.length, digestBytes);
    assert.equal(
      Buffer.from(bytes).toString("hex"),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });
});

describe("A secret number", () => {
  it("has 32 bits and differs from call to call", () => {
    const drawn = new Set(Array.from({ length: 100 }, secretUint32));
    assert.ok(drawn.size > 90);
    for (const value of drawn) assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** 32);
  });
});
