import assert from "node:assert/strict";
import { crc32 } from "../../../../src/lib/crc32.ts";
import { createDigest } from "../../../../src/lib/digest.ts";
import { StorageFailure } from "../../../../src/lib/errors.ts";
import { openSnapshotFile } from "../../../../src/server/storage/snapshot-file.ts";
import {
  chunkHeaderBytes,
  decodeSnapshotHeader,
  encodeChunkHeader,
  encodeFooter,
  encodeSnapshotHeader,
  headerChecksum,
  snapshotFormat,
  snapshotHeaderBytes,
} from "../../../../src/server/storage/snapshot-layout.ts";
import { SimFs } from "../../../sim/disk.ts";
import { identity, metadata } from "./wal-world.ts";

const header = encodeSnapshotHeader({ ...identity, metadata: metadata(3) }, snapshotFormat.digestOfAll);

/** A header with these records and a checksum that holds. */
function headerWith(records: Buffer): Buffer {
  const bytes = Buffer.concat([header.subarray(0, 32), records, Buffer.alloc(4)]);
  bytes.writeUInt32LE(bytes.length, 12);
  bytes.writeUInt32LE(headerChecksum(bytes), bytes.length - 4);
  return bytes;
}

/** A file of one chunk whose footer is changed before the digest is made. */
async function readWithFooter(change: (footer: Buffer) => void): Promise<void> {
  const data = Buffer.from("chunk");
  const chunk = encodeChunkHeader(data, headerChecksum(header));
  const footer = encodeFooter(chunk.readUInt32LE(4), 1, data.length);
  change(footer);
  const digest = createDigest();
  const content = Buffer.concat([header, chunk, data, footer]);
  digest.update(content);
  const fs = new SimFs({ seed: 1 });
  fs.place("/snapshot", Buffer.concat([content, digest.finish()]));
  for await (const _ of (await openSnapshotFile(fs, "/snapshot")).chunks);
}

describe("The layout of a snapshot", () => {
  it("has a header that gives back what it was made of", () => {
    assert.equal(snapshotHeaderBytes(header, "file"), header.length);
    assert.deepEqual(decodeSnapshotHeader(header, "file"), { ...identity, metadata: metadata(3) });
  });

  it("refuses headers that are whole but hold other records, or none", () => {
    const hardState = Buffer.alloc(28);
    hardState.writeUInt32LE(1, 0);
    assert.throws(() => decodeSnapshotHeader(headerWith(hardState), "file"), /holds one snapshot mark/);
    assert.throws(() => decodeSnapshotHeader(headerWith(Buffer.alloc(0)), "file"), /its header is empty/);
    assert.throws(() => decodeSnapshotHeader(headerWith(Buffer.alloc(4, 9)), "file"), StorageFailure);
  });

  it("refuses headers of impossible sizes", () => {
    for (const bytes of [0, 35, 0xffff_ffff]) {
      const copy = Buffer.from(header);
      copy.writeUInt32LE(bytes, 12);
      assert.throws(() => snapshotHeaderBytes(copy, "file"), /its header claims/);
    }
  });

  it("refuses footers whose counts do not hold, though their digest does", async () => {
    await readWithFooter(() => undefined);
    await assert.rejects(
      readWithFooter((footer) => footer.writeUInt32LE(2, chunkHeaderBytes)),
      /1 chunks of 2/,
    );
    await assert.rejects(
      readWithFooter((footer) => footer.writeUInt32LE(9, chunkHeaderBytes + 8)),
      /5 bytes of 9/,
    );
    await assert.rejects(
      readWithFooter((footer) => footer.fill(0xff, chunkHeaderBytes)),
      /footer: number above 2\^53/,
    );
  });

  it("carries the checksum on from chunk to chunk", () => {
    const data = Buffer.from("abc");
    const one = encodeChunkHeader(data, 1);
    const two = encodeChunkHeader(data, 2);
    assert.notEqual(one.readUInt32LE(4), two.readUInt32LE(4));
    assert.equal(one.readUInt32LE(4), crc32(data, crc32(Buffer.from([3, 0, 0, 0]), 1)));
  });
});
