import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  CLUSTER_VERSION,
  ETCD_API_VERSION,
  PRODUCT_VERSION,
  STORAGE_VERSION,
} from "../../../../src/server/api/index.ts";

describe("Versions", () => {
  it("are semantic versions that etcd's clients can parse", () => {
    for (const version of [ETCD_API_VERSION, CLUSTER_VERSION, STORAGE_VERSION, PRODUCT_VERSION]) {
      assert.match(version, /^\d+\.\d+\.\d+$/);
    }
  });

  it("name the product's version as package.json does", () => {
    const manifest = JSON.parse(readFileSync(new URL("../../../../package.json", import.meta.url), "utf8"));
    assert.equal(PRODUCT_VERSION, manifest.version);
  });
});
