import assert from "node:assert/strict";
import {
  decodeTxnRequest,
  decodeTxnResponse,
  encodeTxnRequest,
  type TxnRequest,
} from "../../../src/codec/index.ts";
import { DecodeError, RequestError, StatusError } from "../../../src/lib/errors.ts";
import { limits } from "../../../src/lib/limits.ts";

/** The wire form of a message with `inner` as its only field. */
function wrap(tag: number, inner: Buffer): Buffer {
  const length: number[] = [];
  let rest = inner.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) length.push((rest % 128) | 0x80);
  return Buffer.concat([Buffer.from([tag, ...length, rest]), inner]);
}

/** A transaction around `levels` others: success = 2 holds an operation whose request_txn = 4. */
function nestedBytes(levels: number): Buffer {
  let bytes = Buffer.alloc(0);
  for (let i = 0; i < levels; i++) bytes = Buffer.from(wrap(0x12, wrap(0x22, bytes)));
  return bytes;
}

function nestedTxn(levels: number): TxnRequest {
  let txn: TxnRequest = { compare: [], success: [], failure: [] };
  for (let i = 0; i < levels; i++) {
    txn = { compare: [], success: [{ case: "txn", request: txn }], failure: [] };
  }
  return txn;
}

function isTooManyOps(error: unknown): boolean {
  return error instanceof RequestError && error.code === "tooManyOps";
}

describe("transaction codec", () => {
  it("carries transactions nested as deep as the limit", () => {
    const txn = nestedTxn(limits.txnDepthMax);
    assert.deepEqual(decodeTxnRequest(encodeTxnRequest(txn)), txn);
    assert.ok(encodeTxnRequest(txn).equals(nestedBytes(limits.txnDepthMax)));
  });

  it("refuses deeper ones in both directions, and does not run out of stack", () => {
    assert.throws(() => decodeTxnRequest(nestedBytes(limits.txnDepthMax + 1)), DecodeError);
    assert.throws(() => decodeTxnRequest(nestedBytes(5_000)), DecodeError);
    assert.throws(() => encodeTxnRequest(nestedTxn(limits.txnDepthMax + 1)), StatusError);
    assert.throws(() => encodeTxnRequest(nestedTxn(20_000)), StatusError);
  });

  it("counts depth, not transactions: many side by side are no nesting", () => {
    const leaf: TxnRequest = { compare: [], success: [], failure: [] };
    const wide: TxnRequest = {
      compare: [],
      success: Array.from({ length: 200 }, () => ({ case: "txn", request: leaf })),
      failure: [],
    };
    assert.deepEqual(decodeTxnRequest(encodeTxnRequest(wide)), wide);
  });

  it("bounds the depth of responses too", () => {
    let bytes = Buffer.alloc(0);
    for (let i = 0; i < 1_000; i++) bytes = Buffer.from(wrap(0x1a, wrap(0x22, bytes)));
    assert.throws(() => decodeTxnResponse(bytes), DecodeError);
  });

  for (const [list, tag] of [
    ["compare", 0x0a],
    ["success", 0x12],
    ["failure", 0x1a],
  ] as const) {
    it(`refuses a ${list} list beyond opsMax, and takes one of opsMax`, () => {
      const ops = (count: number): Buffer =>
        Buffer.from(Array.from({ length: count }, () => [tag, 0]).flat());
      assert.equal(decodeTxnRequest(ops(128), { opsMax: 128 })[list].length, 128);
      assert.throws(() => decodeTxnRequest(ops(129), { opsMax: 128 }), isTooManyOps);
      assert.equal(decodeTxnRequest(ops(129))[list].length, 129);
    });
  }

  it("refuses a nested list beyond opsMax", () => {
    const inner = Buffer.from([0x12, 0, 0x12, 0, 0x12, 0]);
    const bytes = wrap(0x12, wrap(0x22, inner));
    assert.throws(() => decodeTxnRequest(bytes, { opsMax: 2 }), isTooManyOps);
    assert.equal(decodeTxnRequest(bytes, { opsMax: 3 }).success.length, 1);
  });

  it("refuses a million operations after the first few", () => {
    const bytes = Buffer.alloc(2_000_000);
    for (let i = 0; i < bytes.length; i += 2) bytes[i] = 0x12;
    const startMs = performance.now();
    for (let i = 0; i < 100; i++) {
      assert.throws(() => decodeTxnRequest(bytes, { opsMax: limits.txnOpsMax }), isTooManyOps);
    }
    assert.ok(performance.now() - startMs < 1_000);
    assert.equal(decodeTxnRequest(bytes).success.length, 1_000_000);
  });
});
