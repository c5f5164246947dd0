import assert from "node:assert/strict";
import { ConnectionError, http2Error } from "../../../../../src/server/api/wire/frames.ts";
import { HeaderBlock } from "../../../../../src/server/api/wire/header-block.ts";

const isTooMuch = (error: unknown) =>
  error instanceof ConnectionError && error.code === http2Error.enhanceYourCalm;

describe("HeaderBlock", () => {
  it("puts the parts of a block together, as they were when they came", () => {
    const block = new HeaderBlock(3, true, false);
    const source = Buffer.from("..abc..de.");
    block.append(source, 2, 5, 100);
    block.append(source, 5, 5, 100);
    block.append(source, 7, 9, 100);
    source.fill("x");
    assert.equal(block.bytes().toString(), "abcde");
    assert.equal(block.streamId, 3);
    assert.equal(block.isEnd, true);
    assert.equal(block.isSelfDependent, false);
  });

  it("is not collected beyond four times the limit of its opened size", () => {
    const block = new HeaderBlock(1, false, false);
    for (let i = 0; i < 4; i++) block.append(Buffer.alloc(100), 0, 100, 100);
    assert.equal(block.bytes().length, 400);
    assert.throws(() => block.append(Buffer.alloc(1), 0, 1, 100), isTooMuch);
  });

  it("is not collected beyond 64 frames, however small", () => {
    const block = new HeaderBlock(1, false, false);
    for (let i = 0; i < 64; i++) block.append(Buffer.alloc(0), 0, 0, 100);
    assert.throws(() => block.append(Buffer.alloc(0), 0, 0, 100), isTooMuch);
  });
});
