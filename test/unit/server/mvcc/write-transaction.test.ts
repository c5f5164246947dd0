import assert from "node:assert/strict";
import { assertPuttable, WriteTransaction } from "../../../../src/server/mvcc/write-transaction.ts";
import { MemoryEngine } from "../../../../src/server/storage/index.ts";
import { bytes, codeOf, deleteOf, putOf, RecordingLeases, recordsOf } from "./store-fixture.ts";

function createTransactions(): {
  leases: RecordingLeases;
  engine: MemoryEngine;
  at: (revision: number) => WriteTransaction;
} {
  const leases = new RecordingLeases();
  for (const id of [1n, 2n]) leases.grant(id);
  const engine = new MemoryEngine();
  return { leases, engine, at: (revision) => new WriteTransaction(engine, leases, revision) };
}

describe("WriteTransaction", () => {
  it("numbers its changes from 0 and moves on by one revision with the first of them", () => {
    const writes = createTransactions().at(4);
    assert.equal(writes.revision, 4);
    writes.deleteKey(bytes("x"));
    assert.equal(writes.revision, 4);
    writes.put(putOf("a"));
    writes.put(putOf("b"));
    writes.deleteRange(deleteOf("a", "\0"));
    assert.equal(writes.revision, 5);
    assert.deepEqual(
      writes.records.map((record) => [record.key, record.modRevision, record.sub, record.tombstone]),
      [
        ["a", 5, 0, false],
        ["b", 5, 1, false],
        ["a", 5, 2, true],
        ["b", 5, 3, true],
      ],
    );
  });

  it("keeps the creation and counts the version while a key lives, and starts anew after a delete", () => {
    const { at, engine } = createTransactions();
    const versions: (number[] | undefined)[] = [];
    for (const [revision, isPut] of [true, true, false, true].entries()) {
      const writes = at(revision + 1);
      if (isPut) writes.put(putOf("a"));
      else writes.deleteRange(deleteOf("a"));
      const latest = engine.latest(bytes("a"));
      versions.push(latest && [latest.createRevision, latest.modRevision, latest.version]);
    }
    assert.deepEqual(versions, [[2, 2, 1], [2, 3, 2], undefined, [5, 5, 1]]);
  });

  it("a put moves the key between leases: attach, move, keep, detach", () => {
    const { at, leases } = createTransactions();
    const attachedAfter = (revision: number, ...args: Parameters<typeof putOf>): string => {
      at(revision).put(putOf(...args));
      return `${leases.keysOf(1n)}|${leases.keysOf(2n)}`;
    };
    assert.equal(attachedAfter(1, "a", "v", { lease: 1n }), "a|");
    assert.equal(attachedAfter(2, "a", "v", { lease: 1n }), "a|");
    assert.equal(attachedAfter(3, "a", "w", { ignoreLease: true }), "a|");
    assert.equal(attachedAfter(4, "a", "", { lease: 2n, ignoreValue: true }), "|a");
    assert.equal(attachedAfter(5, "a", "x"), "|");
    assert.equal(attachedAfter(6, "a", "y", { ignoreLease: true }), "|");
  });

  it("ignore_value keeps the value, ignore_lease the lease, both make a new version", () => {
    const { at, engine } = createTransactions();
    at(1).put(putOf("a", "v", { lease: 1n }));
    at(2).put(putOf("a", "", { ignoreValue: true, ignoreLease: true }));
    const latest = engine.latest(bytes("a"));
    assert.deepEqual([latest?.value, latest?.lease, latest?.version, latest?.modRevision], ["v", 1n, 2, 3]);
  });

  it("a delete detaches the lease", () => {
    const { at, leases } = createTransactions();
    const writes = at(1);
    writes.put(putOf("a", "", { lease: 1n }));
    writes.put(putOf("b", "", { lease: 1n }));
    at(2).deleteRange(deleteOf("a"));
    assert.deepEqual(leases.keysOf(1n), ["b"]);
    at(3).deleteKey(bytes("b"));
    assert.deepEqual(leases.keysOf(1n), []);
  });

  it("all records of a key share the string of its first one", () => {
    const { at, engine } = createTransactions();
    at(1).put(putOf("a"));
    at(2).put(putOf("a"));
    assert.deepEqual(
      recordsOf(engine).map((record) => record.key),
      ["a", "a"],
    );
  });
});

describe("assertPuttable", () => {
  it("asks for the lease first, then for the key to keep something from", () => {
    const { leases, engine, at } = createTransactions();
    const code = (...args: Parameters<typeof putOf>): string =>
      codeOf(() => assertPuttable(putOf(...args), engine, leases));
    assert.equal(code("a", "", { lease: 9n, ignoreValue: true }), "leaseNotFound");
    assert.equal(code("a", "", { lease: 1n, ignoreValue: true }), "keyNotFound");
    assert.equal(code("a", "", { ignoreLease: true }), "keyNotFound");
    assert.equal(code("a", "", { prevKv: true }), "none");
    at(1).put(putOf("a"));
    assert.equal(code("a", "", { lease: 1n, ignoreValue: true }), "none");
  });
});
