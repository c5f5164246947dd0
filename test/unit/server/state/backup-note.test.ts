import assert from "node:assert/strict";
import fc from "fast-check";
import {
  backupAlignmentBytes,
  decodeBackupNote,
  decodeStateChunk,
  encodeBackupNote,
  encodeStateChunk,
} from "../../../../src/server/state/index.ts";
import { referenceCodec } from "../../codec/reference.ts";

const reference = referenceCodec("metastorepb.StateChunk");
const notes = fc.record(
  {
    storageVersion: fc.string({ maxLength: 10 }),
    productVersion: fc.string({ maxLength: 200 }),
    takenAtMs: fc.maxSafeNat(),
    memberName: fc.string({ maxLength: 40 }),
  },
  { noNullPrototype: true },
);

describe("The note of a backup", () => {
  it("is what proto/metastore.proto says, and comes back whole", () => {
    fc.assert(
      fc.property(notes, fc.nat({ max: 100_000 }), (note, sizeBytes) => {
        const chunk = encodeBackupNote(note, sizeBytes);
        assert.deepEqual(decodeBackupNote(chunk), note);
        const wire = reference.decode(chunk)["backup"] as { padding: Buffer };
        assert.deepEqual(wire, {
          storage_version: note.storageVersion,
          product_version: note.productVersion,
          taken_at_ms: String(note.takenAtMs),
          member_name: note.memberName,
          padding: Buffer.alloc(wire.padding.length),
        });
      }),
      { numRuns: 100 },
    );
  });

  it("fills up any size to a multiple of backupAlignmentBytes", () => {
    const note = { storageVersion: "3.6.0", productVersion: "0.1.0", takenAtMs: 1e12, memberName: "n1" };
    for (let sizeBytes = 0; sizeBytes < 2 * backupAlignmentBytes; sizeBytes++) {
      const chunk = encodeBackupNote(note, sizeBytes);
      assert.equal((sizeBytes + chunk.length) % backupAlignmentBytes, 0);
      assert.ok(chunk.length < 2 * backupAlignmentBytes, `${chunk.length} bytes for ${sizeBytes}`);
    }
  });

  it("is passed over by who reads the state, and is in no other chunk", () => {
    const note = { storageVersion: "", productVersion: "", takenAtMs: 0, memberName: "" };
    const nothing = { meta: undefined, leases: [], records: [] };
    assert.deepEqual(decodeStateChunk(encodeBackupNote(note, 3)), nothing);
    const lease = { id: 4n, ttlSeconds: 5, deadlineMs: 6 };
    assert.equal(decodeBackupNote(encodeStateChunk({ ...nothing, leases: [lease] })), undefined);
  });
});
