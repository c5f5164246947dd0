import assert from "node:assert/strict";
import {
  decodeRangeResponse,
  decodeRangeStreamResponse,
  decodeTxnResponse,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  type RangeRequest,
  type RangeResponse,
} from "../../../../src/codec/index.ts";
import { EMPTY, fromUtf8, OPEN_END, toUtf8 } from "../../../../src/lib/bytes.ts";
import { RequestError } from "../../../../src/lib/errors.ts";
import { silentLog } from "../../../../src/lib/log.ts";
import { createHealthChecks } from "../../../../src/server/api/http/health.ts";
import { createKeyOperations } from "../../../../src/server/api/http/key-operations.ts";
import { createMethodTable } from "../../../../src/server/api/index.ts";
import { createLoadingEngine } from "../mvcc/loading-engine.ts";
import { FakeApi, type FakeStream, tableOptions, until } from "./fake-call.ts";
import { FakeNode } from "./fake-node.ts";
import { putRequest, rangeRequest, txnRequest } from "./requests.ts";

const KV = "/etcdserverpb.KV";

describe("The API over a store that must read from disk", () => {
  let node: FakeNode;
  let api: FakeApi;

  beforeEach(() => {
    node = new FakeNode(undefined, createLoadingEngine().engine);
    api = new FakeApi(node, { requestBytesMax: 1_000 });
  });

  const put = (key: string, value: string) => api.call(`${KV}/Put`, encodePutRequest(putRequest(key, value)));
  const range = async (key: string, fields: Partial<RangeRequest> = {}): Promise<RangeResponse> =>
    decodeRangeResponse(await api.call(`${KV}/Range`, encodeRangeRequest(rangeRequest(key, fields))));
  const valueIn = ({ kvs }: RangeResponse): string | undefined => kvs[0] && toUtf8(kvs[0].value);

  async function streamed(request: RangeRequest): Promise<FakeStream> {
    const stream = api.stream(`${KV}/RangeStream`, encodeRangeRequest(request));
    await until(() => stream.ended !== undefined);
    return stream;
  }

  it("answers ranges of now and of the past, each as of the moment it was asked in", async () => {
    await put("a", "1");
    const asked = node.kv.range(rangeRequest("a"));
    await put("a", "2");
    await api.call(
      `${KV}/DeleteRange`,
      encodeDeleteRangeRequest({ key: fromUtf8("a"), rangeEnd: EMPTY, prevKv: false }),
    );
    const early = await asked;
    assert.deepEqual([valueIn(early), early.header?.revision], ["1", 2]);
    for (const serializable of [false, true]) {
      const now = await range("a", { serializable });
      assert.deepEqual([now.count, now.header?.revision, now.header?.raftTerm], [0, 4, 3]);
      assert.equal(valueIn(await range("a", { serializable, revision: 3 })), "2");
    }
  });

  it("answers what was readable when it was asked, though it is compacted before the answer", async () => {
    await put("a", "1");
    await put("a", "2");
    const asked = node.kv.range(rangeRequest("a", { revision: 2 }));
    await api.call(`${KV}/Compact`, encodeCompactionRequest({ revision: 3, physical: true }));
    await node.kv.compactionFinished();
    assert.equal(valueIn(await asked), "1");
    await assert.rejects(range("a", { revision: 2 }), { code: "compacted" });
  });

  it("asks a quorum before it calls a revision of a serializable read a future one, also in a transaction", async () => {
    await put("a", "1");
    const ahead = rangeRequest("a", { serializable: true, revision: 3 });
    const success = [{ case: "range", request: ahead } as const];
    const txn = encodeTxnRequest(txnRequest({ success }));
    await assert.rejects(range("a", ahead), { code: "futureRevision" });
    await assert.rejects(api.call(`${KV}/Txn`, txn), { code: "futureRevision" });
    assert.equal(node.barriers, 2);
    const { readBarrier } = node;
    node.readBarrier = async () => {
      node.readBarrier = readBarrier;
      await put("a", "2");
    };
    const { responses, header } = decodeTxnResponse(await api.call(`${KV}/Txn`, txn));
    assert.ok(responses[0]?.case === "range");
    assert.deepEqual([valueIn(responses[0].response), header?.revision], ["2", 3]);
  });

  it("streams a range in chunks that make the unary answer, all of one revision", async () => {
    for (let i = 0; i < 60; i++) await put(`k${String(i).padStart(3, "0")}`, "v".repeat(30));
    const unary = await range("k", { rangeEnd: OPEN_END });
    const request = rangeRequest("k", { rangeEnd: OPEN_END });
    const stream = api.stream(`${KV}/RangeStream`, encodeRangeRequest(request));
    await until(() => stream.sent.length > 0);
    await put("k999", "late");
    await until(() => stream.ended !== undefined);
    const chunks = stream.sent.map((message) => decodeRangeStreamResponse(message).rangeResponse);
    assert.ok(chunks.length > 2);
    assert.deepEqual(
      chunks.flatMap(({ kvs }) => kvs),
      unary.kvs,
    );
    assert.equal(chunks.at(-1)?.count, 60);
    const counted = await streamed(rangeRequest("k", { rangeEnd: OPEN_END, countOnly: true }));
    assert.equal(decodeRangeStreamResponse(counted.sent[0]!).rangeResponse.count, 61);
    const refused = await streamed(rangeRequest("k", { revision: 99 }));
    assert.ok(refused.ended instanceof RequestError && refused.ended.code === "futureRevision");
  });

  it("sends nothing of a stream that is cancelled while the disk is asked", async () => {
    await put("a", "1");
    const stream = api.stream(`${KV}/RangeStream`, encodeRangeRequest(rangeRequest("a")));
    stream.context.cancel();
    await until(() => stream.ended !== undefined);
    assert.deepEqual(stream.sent, []);
  });

  it("is healthy, and its plain keys are read", async () => {
    await put("a", "1");
    const operations = createKeyOperations(node, createMethodTable(node, tableOptions));
    assert.equal(valueIn(await operations.range(rangeRequest("a"))), "1");
    assert.deepEqual(await operations.lastChange(fromUtf8("a")), { revision: 2, isRemoval: false });
    const checks: string[] = [];
    const observer = {
      healthServed: () => {},
      checkRan: (_kind: string, name: string, passed: boolean) => checks.push(`${name} ${passed}`),
    };
    const answer = { setHeader() {}, end() {} } as never;
    await createHealthChecks(node, observer, silentLog).serveRoot("readyz", new URLSearchParams(), answer);
    assert.deepEqual(checks, [
      "data_corruption true",
      "serializable_read true",
      "linearizable_read true",
      "non_learner true",
    ]);
  });
});
