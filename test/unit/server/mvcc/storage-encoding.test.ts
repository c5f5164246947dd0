import assert from "node:assert/strict";
import fc from "fast-check";
import { putRecord, tombstoneRecord } from "../../../../src/server/mvcc/record.ts";
import { encodedBytesMax, encodeRecord } from "../../../../src/server/mvcc/storage-encoding.ts";
import type { VersionedRecord } from "../../../../src/server/storage/index.ts";
import { bytes } from "./store-fixture.ts";

function encoded(record: VersionedRecord): string {
  const buffer = Buffer.alloc(encodedBytesMax(record) + 3);
  const end = encodeRecord(record, buffer, 3);
  return buffer.subarray(3, end).toString("hex");
}

describe("encodeRecord", () => {
  const base = {
    key: bytes("k"),
    modRevision: 2,
    sub: 0,
    createRevision: 2,
    version: 1,
    value: bytes("v"),
    lease: 0n,
  };

  it("writes the storage key of 17 bytes and the key value without its zero fields", () => {
    const storageKey = "0000000000000002_0000000000000000".replace("_", "5f");
    assert.equal(encoded(putRecord(base)), `${storageKey}0a016b1002180220012a0176`);
    assert.equal(encoded(putRecord({ ...base, value: bytes("") })), `${storageKey}0a016b100218022001`);
  });

  it("marks a tombstone in the storage key and leaves it nothing but the key", () => {
    assert.equal(encoded(tombstoneRecord(bytes("k"), 258, 3)), "00000000000001025f0000000000000003740a016b");
  });

  it("writes numbers above 32 bits and bytes above 0x7f as they are", () => {
    const modRevision = 2 ** 40 + 300;
    const record = putRecord({
      ...base,
      key: bytes("\xff\0"),
      modRevision,
      createRevision: modRevision,
      version: 2 ** 35,
    });
    const varint = "ac8280808020";
    assert.equal(
      encoded(record),
      `000001000000012c5f00000000000000000a02ff0010${varint}18${varint}208080808080012a0176`,
    );
  });

  it("writes a lease as a varint of 64 bits, a negative one in its two's complement", () => {
    const tail = (lease: bigint): string => encoded(putRecord({ ...base, lease })).split("2a0176")[1] ?? "";
    assert.equal(tail(1n), "3001");
    assert.equal(tail(300n), "30ac02");
    assert.equal(tail(2n ** 62n), "30808080808080808040");
    assert.equal(tail(-1n), "30ffffffffffffffffff01");
  });

  it("never writes more than it announces", () => {
    const number = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    const text = fc.string({ unit: "binary-ascii", maxLength: 300 }).map(bytes);
    const record = fc.record({
      key: text,
      modRevision: number,
      sub: number,
      createRevision: number,
      version: number,
      value: text,
      lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    });
    fc.assert(
      fc.property(record, (fields) => {
        const put = putRecord(fields);
        assert.ok(encoded(put).length / 2 <= encodedBytesMax(put));
      }),
    );
  });
});
