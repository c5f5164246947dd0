import assert from "node:assert/strict";
import { DecodeError } from "../../../../src/lib/errors.ts";
import { FRAME_HEADER_BYTES } from "../../../../src/server/peer/frame.ts";
import {
  decodeSnapshotRecord,
  encodeSnapshotRecord,
  type SnapshotRecord,
} from "../../../../src/server/peer/snapshot-record.ts";
import { referenceCodec } from "../../codec/reference.ts";
import { snapshotMessage } from "./peer-world.ts";

const records: SnapshotRecord[] = [
  { kind: "message", message: snapshotMessage(1n, 2n) },
  { kind: "chunk", chunk: Buffer.from("a chunk") },
  { kind: "end", end: { chunks: 3, bytes: 2 ** 40, sha256: Buffer.alloc(32, 7) } },
];

describe("snapshot record", () => {
  it("gives back every kind", () => {
    for (const record of records) {
      const payload = encodeSnapshotRecord(record).subarray(FRAME_HEADER_BYTES);
      assert.deepEqual(decodeSnapshotRecord(payload), record);
    }
  });

  it("writes what proto/metastore.proto says", () => {
    const { decode } = referenceCodec("metastorepb.SnapshotRecord");
    const [message, chunk, end] = records.map((record) =>
      decode(encodeSnapshotRecord(record).subarray(FRAME_HEADER_BYTES)),
    );
    assert.equal((message as { message: { type: number } }).message.type, 7);
    assert.deepEqual((chunk as { chunk: Buffer }).chunk, Buffer.from("a chunk"));
    assert.deepEqual((end as { end: object }).end, {
      chunks: "3",
      bytes: String(2 ** 40),
      sha256: Buffer.alloc(32, 7),
    });
  });

  it("is refused with DecodeError when it is of no kind or damaged", () => {
    for (const bytes of ["", "2001", "0a", "12ff", "0a020800", "1a0108"]) {
      assert.throws(() => decodeSnapshotRecord(Buffer.from(bytes, "hex")), DecodeError, bytes);
    }
  });
});
