import assert from "node:assert/strict";
import {
  compareResult,
  compareTarget,
  type ResponseOp,
  type TxnRequest,
} from "../../../../src/codec/index.ts";
import { limits } from "../../../../src/lib/limits.ts";
import {
  codeOf,
  compareOf,
  createStore,
  deleteOf,
  op,
  putOf,
  rangeOf,
  type StoreFixture,
  txnOf,
} from "./store-fixture.ts";

const isMissing = (key: string): ReturnType<typeof compareOf> =>
  compareOf(key, {
    target: compareTarget.create,
    result: compareResult.equal,
    union: { case: "createRevision", value: 0 },
  });

function run({ store }: StoreFixture, request: Partial<TxnRequest>): string[] {
  return store.txn(txnOf(request)).responses.map(describeOp);
}

/** A response in short: kind, header revision, what came back. */
function describeOp(operation: ResponseOp): string {
  const { response } = operation;
  const at = `${operation.case}@${response.header?.revision}`;
  if (operation.case === "range")
    return `${at} ${operation.response.kvs.map((kv) => `${kv.key}=${kv.value}`).join(",")}`;
  if (operation.case === "deleteRange") return `${at} ${operation.response.deleted}`;
  if (operation.case === "txn") return `${at} [${operation.response.responses.map(describeOp).join("; ")}]`;
  return at;
}

describe("txn", () => {
  it("runs the branch that the compares choose and says which", () => {
    const fixture = createStore();
    const request = txnOf({
      compare: [isMissing("a")],
      success: [op.put("a", "1")],
      failure: [op.range("a")],
    });
    const first = fixture.store.txn(request);
    assert.equal(first.succeeded, true);
    assert.deepEqual(first.responses.map(describeOp), ["put@2"]);
    const second = fixture.store.txn(request);
    assert.equal(second.succeeded, false);
    assert.deepEqual(second.responses.map(describeOp), ["range@2 a=1"]);
  });

  it("all changes share one revision and each sees those before it", () => {
    const fixture = createStore();
    fixture.store.put(putOf("a", "0"));
    const answers = run(fixture, {
      success: [
        op.range("a"),
        op.del("nothing"),
        op.put("b", "1"),
        op.range("a", { rangeEnd: "z" }),
        op.del("a"),
        op.del("nothing"),
        op.range("a", { rangeEnd: "z" }),
        op.range("a", { rangeEnd: "z", revision: 2 }),
      ],
    });
    assert.deepEqual(answers, [
      "range@2 a=0",
      "deleteRange@2 0",
      "put@3",
      "range@3 a=0,b=1",
      "deleteRange@3 1",
      "deleteRange@3 0",
      "range@3 b=1",
      "range@3 a=0",
    ]);
    assert.equal(fixture.store.currentRevision, 3);
  });

  it("a transaction that changes nothing leaves the revision and answers with the current one", () => {
    const fixture = createStore();
    fixture.store.put(putOf("a"));
    const response = fixture.store.txn(
      txnOf({ success: [op.del("x"), op.txn({ success: [op.range("a")] })] }),
    );
    assert.equal(response.header?.revision, 2);
    assert.equal(fixture.store.currentRevision, 2);
    assert.deepEqual(fixture.store.txn(txnOf({})).responses, []);
  });

  it("nested compares see the state before the whole transaction", () => {
    const fixture = createStore();
    const answers = run(fixture, {
      success: [
        op.put("a", "1"),
        op.txn({ compare: [isMissing("a")], success: [op.put("b")], failure: [op.put("c")] }),
        op.range("a", { rangeEnd: "z" }),
      ],
    });
    assert.deepEqual(answers, ["put@2", "txn@0 [put@2]", "range@2 a=1,b="]);
  });

  it("a nested answer has an empty header, inner ones only a revision", () => {
    const { store } = createStore();
    const response = store.txn(
      txnOf({
        success: [
          op.txn({ success: [op.put("a")] }),
          op.txn({ compare: [isMissing("a"), compareOf("a", { result: 1 })] }),
        ],
      }),
    );
    const [first, second] = response.responses;
    assert.ok(first?.case === "txn" && second?.case === "txn");
    assert.deepEqual(first.response.header, { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 });
    assert.equal(first.response.succeeded, true);
    assert.deepEqual(second.response, { header: first.response.header, succeeded: false, responses: [] });
    assert.deepEqual(response.header, { clusterId: 0n, memberId: 0n, revision: 2, raftTerm: 0 });
  });

  it("what any operation of the path would meet is met before the first change, in order of the operations", () => {
    const fixture = createStore();
    const { store } = fixture;
    for (let i = 0; i < 5; i++) store.put(putOf("a", String(i)));
    store.compact(4);
    const code = (...success: TxnRequest["success"]): string => codeOf(() => store.txn(txnOf({ success })));
    const ok = op.put("b");
    assert.equal(code(ok, op.range("a", { revision: 3 })), "compacted");
    assert.equal(code(ok, op.range("a", { revision: 7 })), "futureRevision", "not even the one it makes");
    assert.equal(code(ok, op.put("a", "", { lease: 9n })), "leaseNotFound");
    assert.equal(code(ok, op.put("x", "", { ignoreValue: true })), "keyNotFound");
    assert.equal(code(op.put("x", "", { ignoreLease: true, lease: 0n })), "keyNotFound");
    assert.equal(
      code(ok, op.txn({ success: [op.txn({ success: [op.put("x", "", { ignoreValue: true })] })] })),
      "keyNotFound",
    );
    assert.equal(code(op.range("a", { revision: 99 }), op.put("x", "", { lease: 9n })), "futureRevision");
    assert.equal(
      code(op.put("x", "", { lease: 9n, ignoreValue: true }), op.range("a", { revision: 99 })),
      "leaseNotFound",
    );
    assert.equal(code(op.put("x"), op.put("y", "", { ignoreValue: true })), "keyNotFound");
    assert.equal(
      code(op.put("x"), op.txn({ compare: [isMissing("a")], success: [op.put("y", "", { lease: 9n })] })),
      "none",
    );
    assert.equal(store.currentRevision, 7, "only the last one has happened");
  });

  it("a put of a key that the same transaction made does not count as one that has a value to keep", () => {
    const { store } = createStore();
    const success = [
      op.txn({ success: [op.put("a", "1")] }),
      op.txn({ success: [op.put("b", "", { ignoreValue: true })] }),
    ];
    assert.equal(
      codeOf(() => store.txn(txnOf({ success }))),
      "keyNotFound",
    );
    assert.equal(store.currentRevision, 1);
  });

  it("a negative revision reads the newest, until it is below the compact revision", () => {
    const fixture = createStore();
    fixture.store.put(putOf("a", "1"));
    const read = txnOf({ success: [op.range("a", { revision: -1 })] });
    assert.deepEqual(fixture.store.readTxn(read).responses.map(describeOp), ["range@2 a=1"]);
    const lower = txnOf({ success: [op.range("a", { revision: -2 })] });
    assert.equal(
      codeOf(() => fixture.store.readTxn(lower)),
      "compacted",
    );
    fixture.store.compact(0);
    assert.equal(
      codeOf(() => fixture.store.readTxn(read)),
      "compacted",
    );
  });

  it("a put, and a delete of it with an open end, are two changes of one revision", () => {
    const { store } = createStore();
    store.put(putOf("a", "1"));
    store.txn(txnOf({ success: [op.put("a", "2"), op.del("a", "\0")] }));
    assert.equal(store.range(rangeOf("a")).count, 0);
    store.txn(txnOf({ success: [op.del("a", "\0"), op.put("a", "3")] }));
    store.txn(txnOf({ success: [op.del("a", "\0"), op.put("a", "4")] }));
    const [kv] = store.range(rangeOf("a")).kvs;
    assert.deepEqual([kv?.value, kv?.createRevision, kv?.modRevision, kv?.version], ["4", 5, 5, 1]);
    assert.equal(store.range(rangeOf("a", { revision: 3 })).count, 0);
    assert.equal(store.range(rangeOf("a", { revision: 4 })).kvs[0]?.value, "3");
  });

  it("prev_kv of a put and of a delete is what was there just before", () => {
    const { store } = createStore();
    store.put(putOf("a", "1"));
    const response = store.txn(
      txnOf({
        success: [
          op.put("a", "2", { prevKv: true }),
          op.put("b", "", { prevKv: true }),
          op.del("a", "\0", true),
        ],
      }),
    );
    const [a, b, deleted] = response.responses;
    assert.ok(a?.case === "put" && b?.case === "put" && deleted?.case === "deleteRange");
    assert.equal(a.response.prevKv?.value, "1");
    assert.equal(b.response.prevKv, undefined);
    assert.deepEqual(
      deleted.response.prevKvs.map((kv) => [kv.key, kv.value, kv.modRevision]),
      [
        ["a", "2", 3],
        ["b", "", 3],
      ],
    );
  });

  it("a read transaction compares, reads at the current revision and changes nothing", () => {
    const { store } = createStore();
    store.put(putOf("a", "1"));
    const request = txnOf({
      compare: [isMissing("b")],
      success: [op.range("a"), op.range("a", { revision: 1 })],
      failure: [op.range("b")],
    });
    const response = store.readTxn(request);
    assert.equal(response.succeeded, true);
    assert.deepEqual(response.responses.map(describeOp), ["range@2 a=1", "range@2 "]);
    assert.deepEqual(response.header, { clusterId: 0n, memberId: 0n, revision: 2, raftTerm: 0 });
    assert.throws(() => store.readTxn(txnOf({ success: [op.put("a")] })), { name: "AssertionError" });
    assert.throws(() => store.readTxn(txnOf({ success: [op.txn({})] })), { name: "AssertionError" });
  });

  it("what validation must have refused stops the process before it changes anything", () => {
    const { store } = createStore();
    let request = txnOf({ success: [op.put("a")] });
    for (let level = 0; level < limits.txnDepthMax; level++)
      request = txnOf({ success: [{ case: "txn", request }] });
    assert.throws(() => store.txn(request), { name: "AssertionError" });
    assert.throws(() => store.txn(txnOf({ success: [op.put("a"), { case: undefined }] })), {
      name: "AssertionError",
    });
    store.put(putOf("a"));
    const keeping = txnOf({ success: [op.del("a"), op.put("a", "", { ignoreValue: true })] });
    assert.throws(() => store.txn(keeping), { name: "AssertionError" });
    assert.equal(store.currentRevision, 2);
    assert.equal(store.deleteRange(deleteOf("zzz")).deleted, 0);
  });
});
