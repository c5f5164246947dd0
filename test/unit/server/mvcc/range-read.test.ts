import assert from "node:assert/strict";
import type { RangeRequest, RangeResponse } from "../../../../src/codec/index.ts";
import { sortOrder, sortTarget } from "../../../../src/codec/index.ts";
import { asSeen } from "./as-seen.ts";
import { createStore, deleteOf, putOf, rangeOf } from "./store-fixture.ts";

/** Revisions: c 2, a 3 (then 6), b 4 (lease 7), d 5. Values fall in key order: a 4, b 3, c 2, d 1. */
function createKeys(): (rest?: Partial<RangeRequest>) => RangeResponse {
  const { store, leases } = createStore();
  leases.grant(7n);
  store.put(putOf("c", "2"));
  store.put(putOf("a", "old"));
  store.put(putOf("b", "3", { lease: 7n }));
  store.put(putOf("d", "1"));
  store.put(putOf("a", "4"));
  return (rest = {}) => store.range(rangeOf("\0", { ...rest, rangeEnd: "\0" }));
}

const keysOf = (response: RangeResponse): string => response.kvs.map((kv) => kv.key).join("");

describe("readRange", () => {
  const range = createKeys();

  it("gives keys in byte order with all their fields, the count and the current revision", () => {
    const response = range();
    assert.equal(keysOf(response), "abcd");
    assert.equal(response.count, 4);
    assert.equal(response.more, false);
    assert.deepEqual(response.header, { clusterId: 0n, memberId: 0n, revision: 6, raftTerm: 0 });
    assert.deepEqual(asSeen(response.kvs[1]), {
      key: "b",
      createRevision: 4,
      modRevision: 4,
      version: 1,
      value: "3",
      lease: 7n,
    });
  });

  it("answers with the records that the store has: to copy a million takes longer than to find them", () => {
    const [first, second] = [range(), range()];
    assert.equal(first.kvs[1], second.kvs[1]);
  });

  it("sorts by every target in both orders", () => {
    const sorted = (target: number, order: number): string =>
      keysOf(range({ sortTarget: target, sortOrder: order }));
    const { ascend, descend } = sortOrder;
    assert.equal(sorted(sortTarget.key, ascend), "abcd");
    assert.equal(sorted(sortTarget.key, descend), "dcba");
    assert.equal(sorted(sortTarget.version, ascend).at(-1), "a");
    assert.equal(sorted(sortTarget.version, descend)[0], "a");
    assert.equal(sorted(sortTarget.create, ascend), "cabd");
    assert.equal(sorted(sortTarget.create, descend), "dbac");
    assert.equal(sorted(sortTarget.mod, ascend), "cbda");
    assert.equal(sorted(sortTarget.mod, descend), "adbc");
    assert.equal(sorted(sortTarget.value, ascend), "dcba");
    assert.equal(sorted(sortTarget.value, descend), "abcd");
  });

  it("with a target but no order, cuts by key first and then sorts ascending", () => {
    const cut = range({ sortTarget: sortTarget.mod, limit: 2 });
    assert.equal(keysOf(cut), "cb", "of a, b and c, the two with the lowest revisions");
    assert.equal(cut.more, true);
    assert.equal(keysOf(range({ sortTarget: sortTarget.mod, sortOrder: sortOrder.ascend, limit: 3 })), "cbd");
    assert.equal(keysOf(range({ sortTarget: sortTarget.mod })), "cbda");
  });

  it("a limit says whether there is more, and never changes the count", () => {
    for (const [limit, keys, more] of [
      [0, "abcd", false],
      [-1, "abcd", false],
      [1, "a", true],
      [3, "abc", true],
      [4, "abcd", false],
      [9, "abcd", false],
    ] as const) {
      const response = range({ limit });
      assert.deepEqual([keysOf(response), response.more, response.count], [keys, more, 4]);
    }
    assert.equal(keysOf(range({ limit: 2, sortOrder: sortOrder.descend })), "dc");
  });

  it("filters by revisions before sort and limit, and does not count them out", () => {
    assert.equal(keysOf(range({ minModRevision: 4 })), "abd");
    assert.equal(keysOf(range({ maxModRevision: 4 })), "bc");
    assert.equal(keysOf(range({ minCreateRevision: 4 })), "bd");
    assert.equal(keysOf(range({ maxCreateRevision: 3 })), "ac");
    assert.equal(keysOf(range({ maxModRevision: -1 })), "", "a negative bound is meant");
    assert.equal(keysOf(range({ minModRevision: -1 })), "abcd");
    const both = range({ minModRevision: 4, maxCreateRevision: 4, limit: 1 });
    assert.deepEqual([keysOf(both), both.more, both.count], ["a", true, 4]);
  });

  it("count only gives the total, whatever the limit and the filters", () => {
    const response = range({ countOnly: true, limit: 1, minModRevision: 6 });
    assert.deepEqual([response.kvs, response.more, response.count], [[], false, 4]);
    assert.equal(range({ countOnly: true, revision: 3 }).count, 2);
  });

  it("keys only blanks the value and the lease; sorted by value, the lease stays", () => {
    const [, b] = range({ keysOnly: true }).kvs;
    assert.deepEqual([b?.value, b?.lease, b?.version, b?.modRevision], ["", 0n, 1, 4]);
    const byValue = range({ keysOnly: true, sortTarget: sortTarget.value, sortOrder: sortOrder.ascend });
    assert.equal(keysOf(byValue), "dcba");
    assert.deepEqual([byValue.kvs[2]?.value, byValue.kvs[2]?.lease], ["", 7n]);
  });

  it("a past revision shows the keys of then, and the current revision in the header", () => {
    const then = range({ revision: 4 });
    assert.deepEqual([keysOf(then), then.count, then.header?.revision], ["abc", 3, 6]);
    assert.equal(then.kvs[0]?.value, "old");
    assert.equal(keysOf(range({ revision: -5 })), "abcd", "a negative revision is the newest");
  });

  it("a key deleted since is there in the past", () => {
    const { store } = createStore();
    store.put(putOf("gone", "v"));
    store.deleteRange(deleteOf("gone"));
    assert.equal(store.range(rangeOf("gone")).count, 0);
    assert.equal(store.range(rangeOf("gone", { revision: 2 })).kvs[0]?.value, "v");
  });
});
