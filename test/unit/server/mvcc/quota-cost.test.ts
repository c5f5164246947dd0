import assert from "node:assert/strict";
import { limits } from "../../../../src/lib/limits.ts";
import { putCost, txnCost } from "../../../../src/server/mvcc/quota-cost.ts";
import { op, putOf, txnOf } from "./store-fixture.ts";

describe("quota cost", () => {
  it("a put costs 256 bytes over its key and value", () => {
    assert.equal(putCost(putOf("key", "value")), 256 + 3 + 5);
  });

  it("a transaction costs its dearer branch, nested ones added; reads and deletes cost nothing", () => {
    assert.equal(txnCost(txnOf({ success: [op.range("a"), op.del("b", "\0")] })), 0);
    assert.equal(
      txnCost(txnOf({ success: [op.put("a"), op.put("b")], failure: [op.put("a", "x".repeat(100))] })),
      514,
    );
    assert.equal(txnCost(txnOf({ success: [op.put("a")], failure: [op.put("a", "x".repeat(300))] })), 557);
    const inner = op.txn({ success: [op.put("c")], failure: [op.put("c", "xx")] });
    assert.equal(txnCost(txnOf({ success: [op.put("a"), inner, inner] })), 257 + 2 * 259);
  });

  it("levels that validation will refuse are not walked, however many", () => {
    let request = txnOf({ success: [op.put("a")] });
    for (let level = 0; level < 100_000; level++) request = txnOf({ success: [{ case: "txn", request }] });
    assert.equal(txnCost(request), 0);
    let allowed = txnOf({ success: [op.put("a")] });
    for (let level = 1; level < limits.txnDepthMax; level++)
      allowed = txnOf({ success: [{ case: "txn", request: allowed }] });
    assert.equal(txnCost(allowed), 257);
  });
});
