import assert from "node:assert/strict";
import { sortOrder } from "../../../../src/codec/index.ts";
import {
  areKeysNow,
  wantsOfDeleteRange,
  wantsOfKeys,
  wantsOfPut,
  wantsOfRange,
  wantsOfTxn,
} from "../../../../src/server/mvcc/touched.ts";
import type { Want } from "../../../../src/server/storage/index.ts";
import { bytes, compareOf, deleteOf, op, putOf, rangeOf, txnOf } from "./store-fixture.ts";

/** "a", "a@5", "[a, b)", "[a, b)@5 limit 3", "count [a, b)". */
function nameOf(want: Want): string {
  const at = want.revision === undefined ? "" : `@${want.revision}`;
  if (want.kind === "key") return `${want.key}${at}`;
  const interval = `[${want.interval.start}, ${want.interval.end})${at}`;
  if (want.kind === "count") return `count ${interval}`;
  return want.limit === 0 ? interval : `${interval} limit ${want.limit}`;
}

const namesOf = (wants: readonly Want[]): string[] => wants.map(nameOf);

describe("What requests touch", () => {
  it("a put its key, a delete its key or every key of its range", () => {
    assert.deepEqual(namesOf(wantsOfPut(putOf("a"))), ["a"]);
    assert.deepEqual(namesOf(wantsOfDeleteRange(deleteOf("a"))), ["a"]);
    assert.deepEqual(namesOf(wantsOfDeleteRange(deleteOf("a", "c"))), ["[a, c)"]);
    assert.deepEqual(namesOf(wantsOfKeys(["a", "b"].map(bytes))), ["a", "b"]);
  });

  it("a range as much as it fetches, at its revision", () => {
    const names = (...args: Parameters<typeof rangeOf>): string[] => namesOf(wantsOfRange(rangeOf(...args)));
    assert.deepEqual(names("a"), ["a"]);
    assert.deepEqual(names("a", { revision: 5 }), ["a@5"]);
    assert.deepEqual(names("a", { revision: -5 }), ["a"]);
    assert.deepEqual(names("a", { countOnly: true }), ["a"]);
    assert.deepEqual(names("a", { rangeEnd: "c" }), ["[a, c)"]);
    assert.deepEqual(names("a", { rangeEnd: "c", revision: 5, limit: 3 }), ["[a, c)@5 limit 4"]);
    assert.deepEqual(names("a", { rangeEnd: "c", countOnly: true, limit: 3 }), ["count [a, c)"]);
    assert.deepEqual(names("a", { rangeEnd: "c", limit: 3, sortOrder: sortOrder.descend }), ["[a, c)"]);
    assert.deepEqual(names("a", { rangeEnd: "c", limit: 3, minModRevision: 2 }), ["[a, c)"]);
  });

  it("a transaction its compares and the operations of both branches, at every depth", () => {
    const txn = txnOf({
      compare: [compareOf("a"), compareOf("b", { rangeEnd: bytes("c") })],
      success: [
        op.put("d"),
        op.txn({
          compare: [compareOf("e")],
          success: [op.del("f", "g")],
          failure: [op.range("h", { revision: 3 })],
        }),
      ],
      failure: [op.range("i", { rangeEnd: "j", limit: 1 }), op.del("k")],
    });
    const names = ["a", "[b, c)", "d", "e", "[f, g)", "h@3", "[i, j) limit 2", "k"];
    assert.deepEqual(namesOf(wantsOfTxn(txn)), names);
  });

  it("keys as they are now are told from everything else", () => {
    assert.equal(areKeysNow([]), true);
    assert.equal(areKeysNow(wantsOfKeys(["a", "b"].map(bytes))), true);
    for (const want of [rangeOf("a", { revision: 5 }), rangeOf("a", { rangeEnd: "c" })])
      assert.equal(areKeysNow([...wantsOfPut(putOf("a")), ...wantsOfRange(want)]), false);
  });
});
