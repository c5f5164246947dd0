import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeRangeResponse,
  decodeRangeStreamResponse,
  encodeCompactionRequest,
  encodePutRequest,
  encodeRangeRequest,
  type RangeRequest,
  type RangeResponse,
} from "../../../../../src/codec/index.ts";
import { EMPTY, fromUtf8, OPEN_END } from "../../../../../src/lib/bytes.ts";
import { RequestError } from "../../../../../src/lib/errors.ts";
import { FakeApi, type FakeStream, until } from "../fake-call.ts";
import { FakeNode } from "../fake-node.ts";
import { putRequest, rangeRequest } from "../requests.ts";

const PATH = "/etcdserverpb.KV/RangeStream";

describe("KV.RangeStream", () => {
  let node: FakeNode;
  let api: FakeApi;

  beforeEach(() => {
    node = new FakeNode();
    api = new FakeApi(node, { requestBytesMax: 1_000 });
  });

  function fill(count: number, valueBytes = 10): void {
    for (let i = 0; i < count; i++) {
      node.kv.put(putRequest(`k${String(i).padStart(5, "0")}`, "v".repeat(valueBytes)));
    }
  }

  function chunksOf(stream: FakeStream): RangeResponse[] {
    return stream.sent.map((message) => decodeRangeStreamResponse(message).rangeResponse);
  }

  async function read(request: RangeRequest): Promise<RangeResponse[]> {
    const stream = api.stream(PATH, encodeRangeRequest(request));
    await until(() => stream.ended !== undefined);
    assert.equal(stream.ended, "ok");
    return chunksOf(stream);
  }

  async function endOf(request: RangeRequest): Promise<unknown> {
    const stream = api.stream(PATH, encodeRangeRequest(request));
    await until(() => stream.ended !== undefined);
    assert.deepEqual(stream.sent, []);
    return stream.ended instanceof RequestError ? stream.ended.code : stream.ended;
  }

  it("puts header, more and count on the last chunk only, and grows and shrinks its chunks", async () => {
    fill(300);
    const chunks = await read(rangeRequest("k", { rangeEnd: OPEN_END }));
    assert.ok(chunks.length > 5);
    assert.equal(chunks[0]?.kvs.length, 10);
    assert.equal(chunks[1]?.kvs.length, 20, "a chunk below half of the request size doubles the next");
    for (const chunk of chunks.slice(0, -1)) {
      assert.deepEqual([chunk.header, chunk.more, chunk.count], [undefined, false, 0]);
    }
    const last = chunks.at(-1);
    assert.deepEqual(last?.header, {
      clusterId: node.clusterId,
      memberId: node.memberId,
      revision: 301,
      raftTerm: 3,
    });
    assert.deepEqual([last?.more, last?.count], [false, 300]);
  });

  it("answers an empty range with one message", async () => {
    const chunks = await read(rangeRequest("none", { rangeEnd: OPEN_END }));
    assert.equal(chunks.length, 1);
    assert.deepEqual(chunks[0]?.kvs, []);
    assert.equal(chunks[0]?.header?.revision, 1);
  });

  it("answers count_only with one message of header and count", async () => {
    fill(30);
    const chunks = await read(rangeRequest("k", { rangeEnd: OPEN_END, countOnly: true }));
    assert.equal(chunks.length, 1);
    assert.deepEqual([chunks[0]?.count, chunks[0]?.kvs.length], [30, 0]);
  });

  it("gives, put together, what the unary call gives", async () => {
    fill(120, 30);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          limit: fc.integer({ min: -1, max: 150 }),
          revision: fc.integer({ min: 0, max: 121 }),
          keysOnly: fc.boolean(),
          rangeEnd: fc.constantFrom(EMPTY, OPEN_END, fromUtf8("k00050")),
        }),
        fc.constantFrom("k", "k00000", "k00017", "z"),
        async (fields, key) => {
          const request = rangeRequest(key, fields);
          const chunks = await read(request);
          const last = chunks.at(-1);
          const unary = decodeRangeResponse(
            await api.call("/etcdserverpb.KV/Range", encodeRangeRequest(request)),
          );
          assert.deepEqual({ ...last, kvs: chunks.flatMap((chunk) => chunk.kvs) }, unary);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("reads all chunks at the revision of the first", async () => {
    fill(3_000);
    const stream = api.stream(PATH, encodeRangeRequest(rangeRequest("k", { rangeEnd: OPEN_END })), false);
    await until(() => stream.queuedMessages > 0);
    const before = stream.queuedMessages;
    node.kv.put(putRequest("k99999", "late"));
    node.kv.deleteRange({ key: fromUtf8("k02999"), rangeEnd: EMPTY, prevKv: false });
    assert.ok(before < 300, "the peer does not read, so most of the range is not read either");
    while (stream.ended === undefined) {
      stream.take();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const chunks = chunksOf(stream);
    assert.equal(chunks.at(-1)?.count, 3_000);
    assert.equal(chunks.at(-1)?.header?.revision, 3_001);
    assert.equal(chunks.flatMap((chunk) => chunk.kvs).length, 3_000);
  });

  it("ends with compacted when its revision is compacted between chunks", async () => {
    fill(3_000);
    const stream = api.stream(PATH, encodeRangeRequest(rangeRequest("k", { rangeEnd: OPEN_END })), false);
    await until(() => stream.queuedMessages > 0);
    node.kv.put(putRequest("x", "y"));
    await api.call(
      "/etcdserverpb.KV/Compact",
      encodeCompactionRequest({ revision: node.kv.currentRevision, physical: false }),
    );
    stream.take();
    await until(() => stream.ended !== undefined);
    assert.ok(stream.ended instanceof RequestError && stream.ended.code === "compacted");
  });

  it("stops reading when the caller has gone", async () => {
    fill(3_000);
    const stream = api.stream(PATH, encodeRangeRequest(rangeRequest("k", { rangeEnd: OPEN_END })), false);
    await until(() => stream.queuedMessages > 0);
    stream.context.cancel();
    await until(() => stream.ended !== undefined);
    assert.deepEqual(stream.sent, []);
  });

  it("refuses what it cannot stream, and what Range refuses", async () => {
    await api.call("/etcdserverpb.KV/Put", encodePutRequest(putRequest("k", "")));
    assert.equal(await endOf(rangeRequest("k", { sortOrder: 2 })), "rangeStreamSort");
    assert.equal(await endOf(rangeRequest("k", { sortOrder: 1, sortTarget: 1 })), "rangeStreamSort");
    assert.equal(await endOf(rangeRequest("k", { minModRevision: 1 })), "rangeStreamFilter");
    assert.equal(await endOf(rangeRequest("k", { maxCreateRevision: -1 })), "rangeStreamFilter");
    assert.equal(await endOf(rangeRequest("")), "emptyKey");
    assert.equal(await endOf(rangeRequest("k", { revision: 99 })), "futureRevision");
    node.barrierError = new RequestError("timeout");
    assert.equal(await endOf(rangeRequest("k")), "timeout");
    assert.equal((await read(rangeRequest("k", { sortOrder: 1, serializable: true }))).length, 1);
  });
});
