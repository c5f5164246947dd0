import assert from "node:assert/strict";
import fc from "fast-check";
import { createDigest } from "../../../../src/lib/digest.ts";
import { StorageFailure } from "../../../../src/lib/errors.ts";
import {
  encodeSnapshot,
  readSnapshot,
  type SnapshotFormat,
  snapshotFormat,
} from "../../../../src/server/storage/index.ts";
import { snapshotChunkBytesMax } from "../../../../src/server/storage/snapshot-stream.ts";
import { identity, metadata } from "./wal-world.ts";

const header = { ...identity, metadata: metadata(9) };

async function encoded(
  chunks: readonly Uint8Array[],
  format: SnapshotFormat = snapshotFormat.digestOfAll,
  lastChunk?: (sizeBytes: number) => Uint8Array,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of encodeSnapshot(header, chunks, format, lastChunk)) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function* blocksOf(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function decoded(bytes: Uint8Array, sizes: readonly number[]): Promise<Buffer[]> {
  const content = await readSnapshot(blocksOf(bytes, sizes), "stream");
  const chunks: Buffer[] = [];
  for await (const chunk of content.chunks) chunks.push(Buffer.from(chunk));
  const { sizeBytes, sha256 } = content.summary();
  assert.equal(sizeBytes, bytes.length);
  assert.deepEqual(sha256, Buffer.from(bytes.subarray(-32)));
  return chunks;
}

describe("A snapshot as a stream", () => {
  it("is the same in whatever blocks it comes, empty ones among them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 500 }), { maxLength: 10 }),
        fc.array(fc.nat({ max: 70 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(...Object.values(snapshotFormat)),
        async (chunks, sizes, format) => {
          const bytes = await encoded(chunks, format);
          assert.deepEqual(
            await decoded(bytes, [...sizes, 1]),
            chunks.map((chunk) => Buffer.from(chunk)),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  it("tells the maker of its last chunk what the size would be without that chunk's data", async () => {
    const sizes: number[] = [];
    const last = (sizeBytes: number): Uint8Array => {
      sizes.push(sizeBytes);
      return Buffer.from("last");
    };
    const bytes = await encoded([Buffer.from("first"), Buffer.alloc(0)], snapshotFormat.digestOfAll, last);
    assert.deepEqual(sizes, [bytes.length - "last".length - 32]);
    assert.deepEqual(await decoded(bytes, [100]), [Buffer.from("first"), Buffer.from("last")]);
  });

  it("ends with the digest of all before it, or of all but the data of its chunks", async () => {
    const [one, other] = [Buffer.from("one chunk"), Buffer.from("another")];
    const sha256 = (...parts: Uint8Array[]): Buffer => {
      const digest = createDigest();
      for (const part of parts) digest.update(part);
      return Buffer.from(digest.finish());
    };
    const all = await encoded([one, other], snapshotFormat.digestOfAll);
    assert.deepEqual(all.subarray(-32), sha256(all.subarray(0, -32)));
    const frames = await encoded([one, other], snapshotFormat.digestOfFrames);
    const [at, next] = [frames.indexOf(one), frames.indexOf(other)];
    assert.deepEqual(
      frames.subarray(-32),
      sha256(
        frames.subarray(0, at),
        frames.subarray(at + one.length, next),
        frames.subarray(next + other.length, -32),
      ),
    );
  });

  it("is refused with any bit turned, in either format", async () => {
    for (const format of Object.values(snapshotFormat)) {
      const bytes = await encoded([Buffer.from("some"), Buffer.from("chunks")], format);
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        await assert.rejects(decoded(bytes, [64]), StorageFailure, `format ${format}, bit ${bit}`);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
    }
  });

  it("takes no memory for what a chunk claims and does not bring", async () => {
    const bytes = await encoded([Buffer.from("data")]);
    const at = bytes.indexOf("data") - 8;
    bytes.writeUInt32LE(snapshotChunkBytesMax, at);
    const before = process.memoryUsage().arrayBuffers;
    await assert.rejects(
      decoded(bytes, [64]),
      (error) =>
        error instanceof StorageFailure &&
        new RegExp(`ends in its chunk 0, at byte ${bytes.length}`).test(error.message),
    );
    assert.ok(process.memoryUsage().arrayBuffers - before < snapshotChunkBytesMax / 2);
    bytes.writeUInt32LE(snapshotChunkBytesMax + 1, at);
    await assert.rejects(decoded(bytes, [64]), new RegExp(`chunk 0 at byte ${at} claims`));
  });

  it("has no summary before its end", async () => {
    const content = await readSnapshot(blocksOf(await encoded([Buffer.from("a")]), [64]), "stream");
    await content.chunks.next();
    assert.throws(() => content.summary(), /read to its end/);
    await content.chunks.return();
  });
});
