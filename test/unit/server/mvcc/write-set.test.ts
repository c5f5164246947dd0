import assert from "node:assert/strict";
import fc from "fast-check";
import type { RequestOp, TxnRequest } from "../../../../src/codec/index.ts";
import { inRange } from "../../../../src/lib/bytes.ts";
import { assertNoDuplicates } from "../../../../src/server/mvcc/write-set.ts";
import { bytes, codeOf, op, txnOf } from "./store-fixture.ts";

const isDuplicate = (success: RequestOp[], failure: RequestOp[] = []): boolean =>
  codeOf(() => assertNoDuplicates(txnOf({ success, failure }))) === "duplicateKey";

describe("assertNoDuplicates", () => {
  const cases: [name: string, operations: RequestOp[], expected: boolean][] = [
    ["two puts of one key", [op.put("a"), op.put("a")], true],
    ["puts of different keys", [op.put("a"), op.put("b")], false],
    ["a put and a delete of the key, in either order", [op.put("a"), op.del("a")], true],
    ["a delete and a put of the key", [op.del("a"), op.put("a")], true],
    ["a put within a deleted range", [op.del("a", "c"), op.put("b")], true],
    ["a put at the end of a deleted range", [op.del("a", "c"), op.put("c")], false],
    ["a put beside an empty range", [op.del("c", "a"), op.put("b")], false],
    ["deletes that overlap", [op.del("a", "c"), op.del("b", "d"), op.del("b"), op.del("b")], false],
    ["a put in deletes that overlap each other", [op.del("a", "c"), op.del("b", "e"), op.put("d")], true],
    ["a put between deletes that touch", [op.del("a", "b"), op.del("b", "c"), op.put("b")], true],
    ["a put between deletes that do not touch", [op.del("a", "b"), op.del("c", "d"), op.put("b")], false],
    [
      "a put in the shorter of two deletes from one key",
      [op.del("a", "d"), op.del("a", "b"), op.put("c")],
      true,
    ],
    ["ranges of the key that is put", [op.range("a"), op.put("a"), op.range("a")], false],
    ["a nested put of a key put here", [op.put("a"), op.txn({ success: [op.put("a")] })], true],
    ["a nested put of a key deleted here", [op.txn({ success: [op.put("a")] }), op.del("a")], true],
    ["a put here of a key deleted in a nested one", [op.put("a"), op.txn({ failure: [op.del("a")] })], true],
    ["the same key in both branches", [op.txn({ success: [op.put("a")], failure: [op.put("a")] })], false],
    [
      "the same key in nested siblings",
      [op.txn({ success: [op.put("a")] }), op.txn({ failure: [op.put("a")] })],
      true,
    ],
    [
      "a delete in one sibling, a put of the key in a later one",
      [op.txn({ success: [op.del("a", "c")] }), op.txn({ success: [op.put("b")] })],
      true,
    ],
    [
      "a put in one sibling, a delete of the key in a later one",
      [op.txn({ success: [op.put("b")] }), op.txn({ success: [op.del("a", "c")] })],
      false,
    ],
    [
      "a put in one branch and a delete in the other",
      [op.txn({ success: [op.put("a")], failure: [op.del("a")] })],
      false,
    ],
    [
      "the key in both branches and put here too",
      [op.txn({ success: [op.put("a")], failure: [op.put("a")] }), op.put("a")],
      true,
    ],
    ["two levels down", [op.put("a"), op.txn({ failure: [op.txn({ failure: [op.put("a")] })] })], true],
    ["a put beside a delete with an open end, as etcd has it", [op.put("a"), op.del("a", "\0")], false],
    [
      "a put that keeps its value beside a delete with an open end below it",
      [op.del("a", "\0"), op.put("b", "", { ignoreValue: true })],
      true,
    ],
    [
      "a nested put that keeps its lease beside a delete with an open end below it",
      [op.txn({ success: [op.put("b", "", { ignoreLease: true })] }), op.del("c", "\0"), op.del("a", "\0")],
      true,
    ],
    [
      "a put that keeps its value beside a delete with an open end above it",
      [op.txn({ success: [op.del("c", "\0")] }), op.put("b", "", { ignoreValue: true })],
      false,
    ],
  ];
  for (const [name, operations, expected] of cases) {
    it(`${expected ? "refuses" : "accepts"} ${name}`, () => {
      assert.equal(isDuplicate(operations), expected);
      assert.equal(isDuplicate([], operations), expected);
    });
  }

  it("judges the success and the failure list apart", () => {
    assert.equal(isDuplicate([op.put("a")], [op.put("a"), op.del("b")]), false);
  });

  it("agrees with etcd's rule written out over all pairs", () => {
    const key = fc.constantFrom("a", "b", "c", "d");
    const { list } = fc.letrec<{ list: RequestOp[]; operation: RequestOp }>((tie) => ({
      list: fc.array(tie("operation"), { maxLength: 3 }),
      operation: fc.oneof(
        { depthSize: "medium" },
        { weight: 2, arbitrary: key.map((k) => op.put(k)) },
        {
          weight: 1,
          arbitrary: fc
            .tuple(key, fc.constantFrom("", "b", "c", "e", "\0"))
            .map(([k, end]) => op.del(k, end)),
        },
        {
          weight: 2,
          arbitrary: fc
            .tuple(tie("list"), tie("list"))
            .map(([success, failure]) => op.txn({ success, failure })),
        },
      ),
    }));
    let refused = 0;
    fc.assert(
      fc.property(list, (operations) => {
        const expected = naiveCollect(operations) === undefined;
        if (expected) refused++;
        assert.equal(isDuplicate(operations), expected);
      }),
      { numRuns: 2_000 },
    );
    assert.ok(refused > 200 && refused < 1_800, `${refused} of 2000 were refused`);
  });

  it("takes the largest transaction a request can hold in well under a second", () => {
    const few = (prefix: string, count: number): RequestOp[] =>
      Array.from({ length: count }, (_, i) => {
        const key = `${prefix}${String.fromCharCode(97 + i)}`;
        return i % 2 === 0 ? op.put(key) : op.del(key, `${key}x`);
      });
    const wide = Array.from({ length: 50 }, (_, i) =>
      op.txn({ success: Array.from({ length: 40 }, (_, j) => op.txn({ success: few(`${i}/${j}/`, 38) })) }),
    );
    let request: TxnRequest = txnOf({ success: wide });
    for (let level = 0; level < 60; level++)
      request = txnOf({ success: [{ case: "txn", request }, op.del(`~${level}`, `~${level}x`)] });
    const start = performance.now();
    assertNoDuplicates(request);
    assert.ok(performance.now() - start < 3_000, "76,000 operations under 60 levels");
  });
});

/** Puts and deletes of a list by etcd's rule, each pair looked at; undefined: a duplicate. Open ends forbid nothing. */
function naiveCollect(operations: RequestOp[]): { puts: string[]; deletes: [string, string][] } | undefined {
  const puts: string[] = [];
  const deletes: [string, string][] = [];
  const isDeleted = (key: string): boolean =>
    deletes.some(([start, end]) => end !== "\0" && inRange(bytes(key), bytes(start), bytes(end)));
  for (const operation of operations) {
    if (operation.case === "deleteRange") deletes.push([operation.request.key, operation.request.rangeEnd]);
  }
  for (const operation of operations) {
    if (operation.case !== "txn") continue;
    const success = naiveCollect(operation.request.success);
    const failure = naiveCollect(operation.request.failure);
    if (success === undefined || failure === undefined) return undefined;
    const nested = [...success.puts, ...failure.puts];
    if (nested.some((key) => puts.includes(key) || isDeleted(key))) return undefined;
    puts.push(...nested);
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const operation of operations) {
    if (operation.case !== "put") continue;
    if (puts.includes(operation.request.key) || isDeleted(operation.request.key)) return undefined;
    puts.push(operation.request.key);
  }
  return { puts, deletes };
}
