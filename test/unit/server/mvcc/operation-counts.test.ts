import assert from "node:assert/strict";
import { compareResult, compareTarget } from "../../../../src/codec/index.ts";
import {
  bytes,
  codeOf,
  compareOf,
  createStore,
  deleteOf,
  op,
  putOf,
  rangeOf,
  txnOf,
} from "./store-fixture.ts";

describe("Counts of operations", () => {
  const holds = compareOf("none", { target: compareTarget.version, result: compareResult.equal });
  const fails = { ...holds, result: compareResult.greater };

  /** What `action` adds, as [ranges, puts, deletes, txns]. */
  function added(store: ReturnType<typeof createStore>["store"], action: () => unknown): number[] {
    const read = (): number[] => {
      const { ranges, puts, deletes, txns } = store.operations;
      return [ranges, puts, deletes, txns];
    };
    const before = read();
    action();
    return read().map((count, i) => count - (before[i] ?? 0));
  }

  it("are one for each plain request, whatever it finds", () => {
    const { store } = createStore();
    assert.deepEqual(
      added(store, () => store.put(putOf("a", "1"))),
      [0, 1, 0, 0],
    );
    assert.deepEqual(
      added(store, () => store.range(rangeOf("none"))),
      [1, 0, 0, 0],
    );
    assert.deepEqual(
      added(store, () => store.deleteRange(deleteOf("none"))),
      [0, 0, 1, 0],
    );
  });

  it("add a range when what was there before is read, which makes it a transaction", () => {
    const { store } = createStore();
    store.put(putOf("a", "1"));
    for (const rest of [{ prevKv: true }, { ignoreValue: true }, { ignoreLease: true }]) {
      assert.deepEqual(
        added(store, () => store.put(putOf("a", "", rest))),
        [1, 1, 0, 1],
      );
    }
    assert.deepEqual(
      added(store, () => store.deleteRange(deleteOf("a", "", true))),
      [1, 0, 1, 1],
    );
  });

  it("are those of the branch that ran, nested ones and compares included", () => {
    const { store } = createStore();
    const request = txnOf({
      compare: [holds],
      success: [op.put("a", "1"), op.txn({ success: [op.range("a"), op.del("b")], failure: [op.put("x")] })],
      failure: [op.put("x"), op.put("y"), op.put("z")],
    });
    assert.deepEqual(
      added(store, () => store.txn(request)),
      [2, 1, 1, 1],
    );
    assert.deepEqual(
      added(store, () => store.txn({ ...request, compare: [fails] })),
      [1, 3, 0, 1],
    );
    assert.deepEqual(
      added(store, () => store.txn(txnOf({ success: [op.put("a")] }))),
      [0, 1, 0, 0],
    );
    assert.deepEqual(
      added(store, () => store.txn(txnOf({}))),
      [0, 0, 0, 0],
    );
  });

  it("count compares up to the first that fails", () => {
    const { store } = createStore();
    assert.deepEqual(
      added(store, () => store.readTxn(txnOf({ compare: [holds, fails, holds, holds] }))),
      [2, 0, 0, 1],
    );
    assert.deepEqual(
      added(store, () => store.readTxn(txnOf({ compare: [holds], success: [op.range("a")] }))),
      [2, 0, 0, 1],
    );
  });

  it("leave out what is refused", () => {
    const { store } = createStore();
    const refusals = [
      () => store.range(rangeOf("a", { revision: 99 })),
      () => store.put(putOf("a", "", { lease: 5n })),
      () => store.txn(txnOf({ success: [op.put("a"), op.put("b", "", { lease: 5n })] })),
      () => store.readTxn(txnOf({ success: [op.range("a", { revision: 99 })] })),
    ];
    assert.deepEqual(
      added(store, () => refusals.map((refusal) => assert.notEqual(codeOf(refusal), "none"))),
      [0, 0, 0, 0],
    );
  });

  it("take the keys of a revoked lease one by one, as one transaction", () => {
    const { store } = createStore();
    for (const key of ["a", "b"]) store.put(putOf(key));
    assert.deepEqual(
      added(store, () => store.deleteKeys(["a", "b"].map(bytes))),
      [0, 0, 2, 1],
    );
    assert.deepEqual(
      added(store, () => store.deleteKeys([bytes("a")])),
      [0, 0, 1, 0],
    );
  });

  it("sum the bytes of keys and values of all puts, in transactions too", () => {
    const { store } = createStore();
    store.put(putOf("ab", "cde"));
    store.txn(txnOf({ success: [op.put("f", "gh"), op.txn({ success: [op.put("i", "")] })] }));
    assert.equal(store.operations.putBytes, 9);
  });
});
