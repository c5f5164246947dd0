import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodeError } from "../../../../src/lib/errors.ts";
import { encodeFramed } from "../../../../src/server/peer/frame.ts";
import { FrameReader } from "../../../../src/server/peer/frame-reader.ts";

const BYTES_MAX = 1_000_000;

function frameOf(payload: Buffer): Buffer {
  return payload.length === 0
    ? encodeFramed(() => {})
    : encodeFramed((writer) => writer.rawBytes(0x0a, payload));
}

function readAll(chunks: readonly Buffer[], bytesMax = BYTES_MAX): Buffer[] {
  const payloads: Buffer[] = [];
  const reader = new FrameReader(bytesMax, (payload) => payloads.push(payload));
  for (const chunk of chunks) reader.push(chunk);
  return payloads;
}

/** The stream cut into pieces of these lengths, and the rest. */
function cut(stream: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    pieces.push(Buffer.from(stream.subarray(at, at + length)));
    at += length;
  }
  pieces.push(Buffer.from(stream.subarray(at)));
  return pieces;
}

describe("frame reader", () => {
  it("finds the same frames however the stream is cut", () => {
    const payloads = fc.array(
      fc.oneof(fc.nat(40), fc.nat(70_000)).map((length) => Buffer.alloc(length, length)),
      { minLength: 1, maxLength: 6 },
    );
    const lengths = fc.array(fc.oneof(fc.nat(12), fc.nat(30_000)), { maxLength: 30 });
    fc.assert(
      fc.property(payloads, lengths, (contents, pieces) => {
        const frames = contents.map(frameOf);
        const stream = Buffer.concat(frames);
        const read = readAll(cut(stream, pieces));
        assert.equal(read.length, frames.length);
        for (const [i, payload] of read.entries()) assert.ok(payload.equals(frames[i]!.subarray(8)));
      }),
      { numRuns: 150 },
    );
  });

  it("reads a stream that comes byte by byte", () => {
    const stream = Buffer.concat([
      frameOf(Buffer.from("one")),
      frameOf(Buffer.alloc(0)),
      frameOf(Buffer.from("two")),
    ]);
    const pieces = Array.from(stream, (byte) => Buffer.from([byte]));
    assert.deepEqual(
      readAll(pieces).map((payload) => payload.subarray(2).toString()),
      ["one", "", "two"],
    );
  });

  it("refuses a frame beyond frameBytesMax as soon as it claims to be one", () => {
    const claim = Buffer.alloc(4);
    claim.writeUInt32LE(0xffff_ffff);
    assert.throws(() => readAll([Buffer.concat([claim, Buffer.alloc(4)])]), /claims 4294967295 bytes/);
    const frame = frameOf(Buffer.alloc(100));
    assert.equal(readAll([frame], frame.length - 8).length, 1);
    assert.throws(() => readAll([frame], frame.length - 9), DecodeError);
    assert.throws(() => readAll([frame.subarray(0, 5), frame.subarray(5)], 10), DecodeError);
  });

  it("takes no memory for what a frame claims and does not send", () => {
    const header = Buffer.alloc(8);
    header.writeUInt32LE(100_000_000);
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 20 }, () => {
      const reader = new FrameReader(150_000_000, () => {});
      reader.push(header);
      reader.push(Buffer.alloc(10));
      return reader;
    });
    assert.ok(process.memoryUsage().arrayBuffers - before < 5_000_000);
    assert.ok(readers.every((reader) => !reader.isBetweenFrames));
  });

  it("keeps memory in proportion to the bytes when a long frame comes in crumbs", () => {
    const frame = frameOf(Buffer.alloc(900_000, 5));
    const payloads: Buffer[] = [];
    const reader = new FrameReader(BYTES_MAX, (payload) => payloads.push(payload));
    const before = process.memoryUsage().heapUsed;
    for (let at = 0; at < frame.length; at += 7) reader.push(frame.subarray(at, at + 7));
    assert.equal(payloads.length, 1);
    assert.ok(process.memoryUsage().heapUsed - before < 60_000_000);
  });

  it("refuses every single flipped bit", () => {
    const frame = frameOf(Buffer.from("some payload"));
    for (let bit = 32; bit < frame.length * 8; bit++) {
      const damaged = Buffer.from(frame);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => readAll([damaged]), /checksum/, `bit ${bit}`);
    }
  });

  it("knows whether a stream ends between two frames", () => {
    const reader = new FrameReader(BYTES_MAX, () => {});
    assert.ok(reader.isBetweenFrames);
    const frame = frameOf(Buffer.from("x"));
    reader.push(frame.subarray(0, 3));
    assert.ok(!reader.isBetweenFrames);
    reader.push(frame.subarray(3));
    assert.ok(reader.isBetweenFrames);
  });
});
