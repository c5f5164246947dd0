import assert from "node:assert/strict";
import {
  alarmType,
  decodeCompactionResponse,
  decodeDeleteRangeResponse,
  decodePutResponse,
  decodeRangeResponse,
  decodeTxnResponse,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  type TxnRequest,
} from "../../../../../src/codec/index.ts";
import { EMPTY, fromUtf8, OPEN_END, toUtf8 } from "../../../../../src/lib/bytes.ts";
import { DecodeError, RequestError } from "../../../../../src/lib/errors.ts";
import { FakeApi } from "../fake-call.ts";
import { FakeNode } from "../fake-node.ts";
import { putRequest, rangeRequest, txnRequest } from "../requests.ts";

const KV = "/etcdserverpb.KV";

describe("KV service", () => {
  let node: FakeNode;
  let api: FakeApi;

  beforeEach(() => {
    node = new FakeNode();
    api = new FakeApi(node);
  });

  const put = (key: string, value: string) => api.call(`${KV}/Put`, encodePutRequest(putRequest(key, value)));

  it("puts through the log and answers with a complete header", async () => {
    const { header } = decodePutResponse(await put("a", "1"));
    assert.deepEqual(header, {
      clusterId: node.clusterId,
      memberId: node.memberId,
      revision: 2,
      raftTerm: 3,
    });
    assert.deepEqual(
      node.commands.map((command) => command.kind),
      ["put"],
    );
  });

  it("asks a quorum before it calls the revision of a serializable read a future one", async () => {
    await put("a", "1");
    const future = encodeRangeRequest(rangeRequest("a", { serializable: true, revision: 3 }));
    await assert.rejects(api.call(`${KV}/Range`, future), { code: "futureRevision" });
    assert.equal(node.barriers, 1);
    node.barrierError = new RequestError("timeout");
    await assert.rejects(api.call(`${KV}/Range`, future), { code: "futureRevision" });
    const { readBarrier } = node;
    node.readBarrier = async () => {
      node.readBarrier = readBarrier;
      await put("a", "2");
    };
    assert.equal(decodeRangeResponse(await api.call(`${KV}/Range`, future)).kvs[0]?.value, fromUtf8("2"));
    node.barrierError = undefined;
    node.readBarrier = async () => {
      node.readBarrier = readBarrier;
      await put("a", "3");
    };
    const request = rangeRequest("a", { serializable: true, revision: 4 });
    const txn = encodeTxnRequest(txnRequest({ success: [{ case: "range", request }] }));
    assert.equal(decodeTxnResponse(await api.call(`${KV}/Txn`, txn)).header?.revision, 4);
  });

  it("reads after a read barrier, and without one when serializable", async () => {
    await put("a", "1");
    const linearizable = decodeRangeResponse(
      await api.call(`${KV}/Range`, encodeRangeRequest(rangeRequest("a"))),
    );
    assert.deepEqual(
      linearizable.kvs.map((kv) => toUtf8(kv.value)),
      ["1"],
    );
    assert.equal(linearizable.header?.memberId, node.memberId);
    assert.equal(node.barriers, 1);
    node.barrierError = new RequestError("timeout");
    await api.rejects(`${KV}/Range`, encodeRangeRequest(rangeRequest("a")), "timeout");
    await api.call(`${KV}/Range`, encodeRangeRequest(rangeRequest("a", { serializable: true })));
    assert.equal(node.barriers, 2);
  });

  it("deletes a range and reports how many", async () => {
    await put("a", "1");
    await put("b", "2");
    const answer = decodeDeleteRangeResponse(
      await api.call(
        `${KV}/DeleteRange`,
        encodeDeleteRangeRequest({ key: fromUtf8("a"), rangeEnd: OPEN_END, prevKv: true }),
      ),
    );
    assert.equal(answer.deleted, 2);
    assert.equal(answer.prevKvs.length, 2);
    assert.equal(answer.header?.revision, 4);
    assert.equal(answer.header?.raftTerm, 3);
  });

  it("sends a transaction that writes through the log, and reads one that only reads locally", async () => {
    const write = txnRequest({ success: [{ case: "put", request: putRequest("a", "1") }] });
    const written = decodeTxnResponse(await api.call(`${KV}/Txn`, encodeTxnRequest(write)));
    assert.equal(written.header?.revision, 2);
    assert.equal(written.header?.clusterId, node.clusterId);
    assert.equal(node.commands.length, 1);

    const read = txnRequest({ success: [{ case: "range", request: rangeRequest("a") }] });
    const answer = decodeTxnResponse(await api.call(`${KV}/Txn`, encodeTxnRequest(read)));
    assert.equal(answer.succeeded, true);
    assert.equal(node.commands.length, 1);
    assert.equal(node.barriers, 1);

    const serializable = txnRequest({
      success: [{ case: "range", request: rangeRequest("a", { serializable: true }) }],
    });
    await api.call(`${KV}/Txn`, encodeTxnRequest(serializable));
    assert.equal(node.barriers, 1);
    await api.call(`${KV}/Txn`, encodeTxnRequest(txnRequest({})));
    assert.equal(node.barriers, 2);
    assert.equal(node.commands.length, 1);
  });

  it("refuses malformed shapes before anything is proposed", async () => {
    await api.rejects(`${KV}/Put`, encodePutRequest(putRequest("", "x")), "emptyKey");
    await api.rejects(
      `${KV}/Put`,
      encodePutRequest(putRequest("a", "x", { ignoreValue: true })),
      "valueProvided",
    );
    await api.rejects(
      `${KV}/Range`,
      encodeRangeRequest(rangeRequest("a", { sortOrder: 9 })),
      "invalidSortOption",
    );
    await api.rejects(
      `${KV}/DeleteRange`,
      encodeDeleteRangeRequest({ key: EMPTY, rangeEnd: EMPTY, prevKv: false }),
      "emptyKey",
    );
    const twice = txnRequest({
      success: [
        { case: "put", request: putRequest("a", "1") },
        { case: "put", request: putRequest("a", "2") },
      ],
    });
    await api.rejects(`${KV}/Txn`, encodeTxnRequest(twice), "duplicateKey");
    assert.equal(node.commands.length, 0);
  });

  it("refuses bytes that are no request as undecodable", async () => {
    for (const method of ["Range", "Put", "DeleteRange", "Txn", "Compact"]) {
      await assert.rejects(api.call(`${KV}/${method}`, Buffer.from([0x0a, 0xff])), DecodeError, method);
    }
  });

  it("refuses a million operations, and a transaction nested a thousand deep, quickly", async () => {
    const million = txnRequest({
      success: new Array(1_000_000).fill({ case: "range", request: rangeRequest("k") }),
    });
    const bytes = encodeTxnRequest(million);
    const startedAt = performance.now();
    await api.rejects(`${KV}/Txn`, bytes, "tooManyOps");
    assert.ok(performance.now() - startedAt < 2_000);

    let nested = encodeTxnRequest(txnRequest({}));
    for (let depth = 0; depth < 1_000; depth++) nested = field(2, field(4, nested));
    await assert.rejects(api.call(`${KV}/Txn`, nested));
    assert.equal(node.commands.length, 0);
  });

  it("limits the operations of a transaction by its option", async () => {
    const small = new FakeApi(node, { txnOpsMax: 2 });
    const three: TxnRequest = txnRequest({
      success: ["a", "b", "c"].map((key) => ({ case: "put", request: putRequest(key, "") })),
    });
    await small.rejects(`${KV}/Txn`, encodeTxnRequest(three), "tooManyOps");
    await api.call(`${KV}/Txn`, encodeTxnRequest(three));
  });

  describe("beyond the quota", () => {
    beforeEach(() => {
      node.quotaBytes = 0;
    });

    it("raises the alarm once through the log and refuses, before it looks at the request", async () => {
      const refusals = [
        api.rejects(`${KV}/Put`, encodePutRequest(putRequest("", "x")), "noSpace"),
        api.rejects(`${KV}/Put`, encodePutRequest(putRequest("a", "x")), "noSpace"),
        api.rejects(
          `${KV}/Txn`,
          encodeTxnRequest(txnRequest({ failure: [{ case: "put", request: putRequest("a", "1") }] })),
          "noSpace",
        ),
      ];
      await Promise.all(refusals);
      await api.rejects(`${KV}/Put`, encodePutRequest(putRequest("a", "x")), "noSpace");
      assert.deepEqual(node.commands, [
        { kind: "alarm", request: { action: 1, memberId: node.memberId, alarm: alarmType.noSpace } },
      ]);
      assert.deepEqual(node.activeAlarms, [{ memberId: node.memberId, alarm: alarmType.noSpace }]);
    });

    it("refuses with noSpace even when the alarm cannot be raised, and tries again next time", async () => {
      node.proposeError = new RequestError("timeout");
      await api.rejects(`${KV}/Put`, encodePutRequest(putRequest("a", "x")), "noSpace");
      await api.rejects(`${KV}/Put`, encodePutRequest(putRequest("a", "x")), "noSpace");
      assert.equal(node.commands.length, 2);
      assert.equal(node.activeAlarms.length, 1);
    });

    it("still deletes, reads and compacts", async () => {
      await api.call(
        `${KV}/DeleteRange`,
        encodeDeleteRangeRequest({ key: fromUtf8("a"), rangeEnd: EMPTY, prevKv: false }),
      );
      await api.call(`${KV}/Range`, encodeRangeRequest(rangeRequest("a")));
      const onlyReads = txnRequest({ success: [{ case: "range", request: rangeRequest("a") }] });
      await api.call(`${KV}/Txn`, encodeTxnRequest(onlyReads));
    });
  });

  describe("Compact", () => {
    const compact = (revision: number, physical: boolean) =>
      api.call(`${KV}/Compact`, encodeCompactionRequest({ revision, physical }));

    it("answers at once, and after the removal when it is asked to be physical", async () => {
      await put("a", "1");
      await put("a", "2");
      const answer = decodeCompactionResponse(await compact(2, false));
      assert.equal(answer.header?.revision, 3);
      assert.equal(answer.header?.memberId, node.memberId);
      assert.equal(node.compactionWaits, 0);
      await compact(3, true);
      assert.equal(node.compactionWaits, 1);
    });

    it("waits for the removal also when the request is refused", async () => {
      await put("a", "1");
      await compact(2, false);
      await api.rejects(
        `${KV}/Compact`,
        encodeCompactionRequest({ revision: 1, physical: true }),
        "compacted",
      );
      assert.equal(node.compactionWaits, 1);
    });
  });
});

/** A length-delimited field. */
function field(number: number, content: Buffer): Buffer {
  const head = [number * 8 + 2];
  let rest = content.length;
  while (rest >= 128) {
    head.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  head.push(rest);
  return Buffer.concat([Buffer.from(head), content]);
}
