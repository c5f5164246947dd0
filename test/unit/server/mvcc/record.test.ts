import assert from "node:assert/strict";
import { decodeRangeResponse, encodeRangeResponse, type KeyValue } from "../../../../src/codec/index.ts";
import { putRecord, tombstoneRecord } from "../../../../src/server/mvcc/record.ts";
import { bytes } from "./store-fixture.ts";

describe("records", () => {
  const fields = {
    key: bytes("k"),
    modRevision: 5,
    sub: 1,
    createRevision: 3,
    version: 2,
    value: bytes("v"),
    lease: 9n,
  };

  it("a put record holds what it was given and is no tombstone", () => {
    assert.deepEqual(putRecord(fields), { ...fields, tombstone: false });
    assert.equal(putRecord({ ...fields, lease: BigInt("0") }).lease, 0n);
  });

  it("puts and tombstones have their fields in one order, so that the engine sees one shape", () => {
    assert.deepEqual(Object.keys(putRecord(fields)), Object.keys(tombstoneRecord(bytes("k"), 1, 0)));
  });

  it("as the key value of an answer, a put shows all and a tombstone only its key and revision", () => {
    assert.deepEqual(shown(putRecord(fields)), {
      key: "k",
      createRevision: 3,
      modRevision: 5,
      version: 2,
      value: "v",
      lease: 9n,
    });
    assert.deepEqual(shown(tombstoneRecord(bytes("k"), 6, 0)), {
      key: "k",
      createRevision: 0,
      modRevision: 6,
      version: 0,
      value: "",
      lease: 0n,
    });
  });
});

function shown(record: KeyValue): KeyValue | undefined {
  return decodeRangeResponse(encodeRangeResponse({ header: undefined, kvs: [record], more: false, count: 1 }))
    .kvs[0];
}
