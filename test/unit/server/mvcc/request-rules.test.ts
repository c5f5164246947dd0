import assert from "node:assert/strict";
import type { TxnRequest } from "../../../../src/codec/index.ts";
import { limits } from "../../../../src/lib/limits.ts";
import {
  assertValidDeleteRange,
  assertValidPut,
  assertValidRange,
  assertValidRangeStream,
  assertValidTxn,
  isReadOnlyTxn,
  isSerializableTxn,
} from "../../../../src/server/mvcc/request-rules.ts";
import { codeOf, compareOf, deleteOf, op, putOf, rangeOf, txnOf } from "./store-fixture.ts";

const txnCode = (request: Partial<TxnRequest>, operationsMax = 128): string =>
  codeOf(() => assertValidTxn(txnOf(request), operationsMax));

/** A transaction in a transaction, `levels` deep, with a range innermost. */
function nested(levels: number): TxnRequest {
  let request = txnOf({ success: [op.range("a")] });
  for (let level = 1; level < levels; level++) request = txnOf({ success: [{ case: "txn", request }] });
  return request;
}

describe("request rules", () => {
  it("a range needs a key, and then a known order and target", () => {
    assert.equal(
      codeOf(() => assertValidRange(rangeOf("a"))),
      "none",
    );
    assert.equal(
      codeOf(() => assertValidRange(rangeOf("", { sortOrder: 9 }))),
      "emptyKey",
    );
    for (const sortOrder of [-1, 3])
      assert.equal(
        codeOf(() => assertValidRange(rangeOf("a", { sortOrder }))),
        "invalidSortOption",
      );
    for (const sortTarget of [-1, 5])
      assert.equal(
        codeOf(() => assertValidRange(rangeOf("a", { sortTarget }))),
        "invalidSortOption",
      );
    for (const sortOrder of [0, 1, 2]) {
      for (const sortTarget of [0, 1, 2, 3, 4]) {
        assert.equal(
          codeOf(() => assertValidRange(rangeOf("a", { sortOrder, sortTarget }))),
          "none",
        );
      }
    }
  });

  it("a range stream takes key order only, and no revision filters", () => {
    const code = (...args: Parameters<typeof rangeOf>): string =>
      codeOf(() => assertValidRangeStream(rangeOf(...args)));
    assert.equal(code("a"), "none");
    assert.equal(code("a", { sortOrder: 1 }), "none");
    assert.equal(code("a", { sortTarget: 3 }), "none", "etcd looks at the order only");
    assert.equal(code("", { sortOrder: 2 }), "emptyKey");
    assert.equal(code("a", { sortOrder: 2 }), "rangeStreamSort");
    assert.equal(code("a", { sortOrder: 1, sortTarget: 3 }), "rangeStreamSort");
    for (const filter of [
      "minModRevision",
      "maxModRevision",
      "minCreateRevision",
      "maxCreateRevision",
    ] as const) {
      assert.equal(code("a", { [filter]: 1 }), "rangeStreamFilter");
      assert.equal(code("a", { [filter]: 1, sortOrder: 2 }), "rangeStreamSort");
    }
  });

  it("a put needs a key, and gives no value or lease that it asks to keep", () => {
    const code = (...args: Parameters<typeof putOf>): string => codeOf(() => assertValidPut(putOf(...args)));
    assert.equal(code("a"), "none");
    assert.equal(code("a", "", { ignoreValue: true, ignoreLease: true }), "none");
    assert.equal(code("", "v", { ignoreValue: true }), "emptyKey");
    assert.equal(code("a", "v", { ignoreValue: true, ignoreLease: true, lease: 1n }), "valueProvided");
    assert.equal(code("a", "", { ignoreLease: true, lease: 1n }), "leaseProvided");
  });

  it("a delete needs a key", () => {
    assert.equal(
      codeOf(() => assertValidDeleteRange(deleteOf("a"))),
      "none",
    );
    assert.equal(
      codeOf(() => assertValidDeleteRange(deleteOf("", "\0"))),
      "emptyKey",
    );
  });

  it("an empty transaction is valid, and one at the limit in each list", () => {
    assert.equal(txnCode({}), "none");
    const success = Array.from({ length: limits.txnOpsMax }, (_, i) => op.put(`k${i}`));
    const compare = success.map(() => compareOf("a"));
    assert.equal(txnCode({ compare, success, failure: success }, limits.txnOpsMax), "none");
  });

  it("the longest of the three lists counts, before anything else is looked at", () => {
    const tooMany = Array.from({ length: limits.txnOpsMax + 1 }, () => op.put(""));
    assert.equal(txnCode({ success: tooMany }, limits.txnOpsMax), "tooManyOps");
    assert.equal(txnCode({ failure: tooMany }, limits.txnOpsMax), "tooManyOps");
    assert.equal(txnCode({ compare: tooMany.map(() => compareOf("")) }, limits.txnOpsMax), "tooManyOps");
  });

  it("a nested transaction has what its parent's longest list leaves; siblings do not share it", () => {
    const inner = op.txn({ success: [op.range("a"), op.range("b")] });
    assert.equal(txnCode({ success: [inner] }, 3), "none");
    assert.equal(txnCode({ success: [inner, op.range("c")] }, 3), "tooManyOps");
    assert.equal(txnCode({ success: [inner, inner] }, 4), "none");
    assert.equal(txnCode({ success: [op.txn({ success: [inner] })] }, 4), "none");
    assert.equal(txnCode({ success: [op.txn({ success: [inner] })] }, 3), "tooManyOps");
  });

  it("more levels than limits.txnDepthMax are too many operations, a thousand as well as one too many", () => {
    assert.equal(
      codeOf(() => assertValidTxn(nested(limits.txnDepthMax), 100_000)),
      "none",
    );
    assert.equal(
      codeOf(() => assertValidTxn(nested(limits.txnDepthMax + 1), 100_000)),
      "tooManyOps",
    );
    assert.equal(
      codeOf(() => assertValidTxn(nested(100_000), 1_000_000)),
      "tooManyOps",
    );
  });

  it("compares are checked before operations, success before failure", () => {
    const badRange = op.range("a", { sortOrder: 7 });
    assert.equal(txnCode({ compare: [compareOf("")], success: [badRange] }), "emptyKey");
    assert.equal(txnCode({ success: [badRange], failure: [op.put("")] }), "invalidSortOption");
    assert.equal(txnCode({ success: [op.range("a")], failure: [op.put("")] }), "emptyKey");
  });

  it("every operation keeps the rule of its own request, at every level", () => {
    assert.equal(txnCode({ success: [op.put("a", "v", { ignoreValue: true })] }), "valueProvided");
    assert.equal(txnCode({ success: [op.del("")] }), "emptyKey");
    assert.equal(txnCode({ success: [{ case: undefined }] }), "keyNotFound");
    assert.equal(txnCode({ failure: [op.txn({ failure: [{ case: undefined }] })] }), "keyNotFound");
    assert.equal(txnCode({ success: [op.txn({ compare: [compareOf("")] })] }), "emptyKey");
  });

  it("shape comes before duplicates", () => {
    assert.equal(txnCode({ success: [op.put("a"), op.put("a")], failure: [op.put("")] }), "emptyKey");
    assert.equal(txnCode({ success: [op.put("a"), op.put("a")] }), "duplicateKey");
  });

  it("only a transaction of nothing but ranges is read-only; a nested one never is", () => {
    assert.equal(isReadOnlyTxn(txnOf({})), true);
    assert.equal(isReadOnlyTxn(txnOf({ success: [op.range("a")], failure: [op.range("b")] })), true);
    assert.equal(isReadOnlyTxn(txnOf({ success: [op.range("a")], failure: [op.put("b")] })), false);
    assert.equal(isReadOnlyTxn(txnOf({ success: [op.txn({ success: [op.range("a")] })] })), false);
    assert.equal(isReadOnlyTxn(nested(100_000)), false);
  });

  it("a transaction is serializable when every range of both branches is", () => {
    const serializable = op.range("a", { serializable: true });
    assert.equal(isSerializableTxn(txnOf({})), false);
    assert.equal(isSerializableTxn(txnOf({ success: [serializable], failure: [serializable] })), true);
    assert.equal(isSerializableTxn(txnOf({ success: [serializable], failure: [op.range("a")] })), false);
    assert.equal(isSerializableTxn(txnOf({ success: [op.put("a")] })), false);
  });
});
