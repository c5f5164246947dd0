import assert from "node:assert/strict";
import { BlockCache } from "../../../../../src/server/api/wire/block-cache.ts";

const block = (text: string): Buffer => Buffer.from(text, "latin1");
const find = (cache: BlockCache<string>, text: string) => cache.find(block(`..${text}.`), 2, 2 + text.length);
const add = (cache: BlockCache<string>, text: string) =>
  cache.add(block(`.${text}..`), 1, 1 + text.length, `result of ${text}`);

describe("BlockCache", () => {
  it("finds a block by its bytes, wherever they lie", () => {
    const cache = new BlockCache<string>();
    assert.equal(find(cache, "abc"), undefined);
    for (const text of ["abc", "abd", "ab", ""]) add(cache, text);
    for (const text of ["ab", "abd", "abc", "", "abc"]) assert.equal(find(cache, text), `result of ${text}`);
    for (const text of ["a", "bbc", "abcd", "abe"]) assert.equal(find(cache, text), undefined);
  });

  it("keeps the last eight blocks", () => {
    const cache = new BlockCache<string>();
    for (let i = 0; i < 21; i++) {
      add(cache, `block ${i}`);
      assert.equal(find(cache, `block ${i}`), `result of block ${i}`);
    }
    for (let i = 0; i < 21; i++) {
      assert.equal(find(cache, `block ${i}`), i < 13 ? undefined : `result of block ${i}`);
    }
  });

  it("keeps its own copy of the bytes", () => {
    const cache = new BlockCache<string>();
    const bytes = block("abc");
    cache.add(bytes, 0, 3, "abc");
    bytes.fill("x");
    assert.equal(find(cache, "abc"), "abc");
    assert.equal(find(cache, "xxx"), undefined);
  });

  it("takes blocks of up to 64 bytes", () => {
    const cache = new BlockCache<string>();
    for (const length of [64, 65, 256, 320]) {
      const text = "x".repeat(length);
      add(cache, text);
      assert.equal(find(cache, text), length === 64 ? `result of ${text}` : undefined);
    }
  });

  it("knows nothing after it was cleared", () => {
    const cache = new BlockCache<string>();
    cache.clear();
    for (let i = 0; i < 10; i++) add(cache, `block ${i}`);
    cache.clear();
    for (let i = 0; i < 10; i++) assert.equal(find(cache, `block ${i}`), undefined);
    add(cache, "block 3");
    assert.equal(find(cache, "block 3"), "result of block 3");
    assert.equal(find(cache, "block 4"), undefined);
  });
});
