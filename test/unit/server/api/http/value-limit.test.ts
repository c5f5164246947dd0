import assert from "node:assert/strict";
import fc from "fast-check";
import type { PutRequest, TxnRequest } from "../../../../../src/codec/index.ts";
import { type ByteString, fromUtf8 } from "../../../../../src/lib/bytes.ts";
import { limits } from "../../../../../src/lib/limits.ts";
import { conditionsOf } from "../../../../../src/server/api/http/preconditions.ts";
import { valueBytesMax } from "../../../../../src/server/api/http/value-limit.ts";
import { type Command, encodeCommand } from "../../../../../src/server/state/index.ts";

const longestId = {
  proposer: 0xffff_ffff_ffff_ffffn,
  runId: 0xffff_ffff,
  sequence: Number.MAX_SAFE_INTEGER,
};
const tag = `"${Number.MAX_SAFE_INTEGER}"`;
const headers = [
  {},
  { "if-match": tag },
  { "if-none-match": tag },
  { "if-match": tag, "if-none-match": tag },
  { "if-match": "*" },
  { "if-none-match": "*" },
];

describe("The largest value of a PUT", () => {
  it("makes a command that fits in max-request-bytes, whatever key and conditions it has", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: limits.requestSizeBytesMin, max: 3_000_000 }),
        fc.integer({ min: 1, max: limits.headerBytesMax }),
        fc.constantFrom(...headers),
        (requestBytesMax, keyBytes, conditional) => {
          const key = "k".repeat(keyBytes) as ByteString;
          const compare = conditionsOf(key, conditional);
          const bytesMax = valueBytesMax(requestBytesMax, key, compare.length);
          if (bytesMax < 0) return;
          const value = "v".repeat(bytesMax) as ByteString;
          const request: PutRequest = {
            key,
            value,
            lease: 0n,
            prevKv: false,
            ignoreValue: false,
            ignoreLease: false,
          };
          const txn: TxnRequest = { compare, success: [{ case: "put", request }], failure: [] };
          const command: Command =
            compare.length === 0 ? { kind: "put", request } : { kind: "txn", request: txn };
          const { length } = encodeCommand(longestId, command);
          assert.ok(length <= requestBytesMax, `${length} of ${requestBytesMax}`);
          assert.ok(length > requestBytesMax - limits.httpWriteOverheadBytes, "little is given away");
        },
      ),
      { numRuns: 100 },
    );
  });

  it("leaves room for key and value at the smallest max-request-bytes", () => {
    assert.equal(
      valueBytesMax(limits.requestSizeBytesMin, fromUtf8("key"), 0),
      limits.requestSizeBytesMin - limits.httpWriteOverheadBytes - 3,
    );
  });
});
