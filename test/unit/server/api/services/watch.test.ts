import assert from "node:assert/strict";
import {
  decodeWatchResponse,
  encodeWatchRequest,
  type WatchRequest,
  type WatchResponse,
} from "../../../../../src/codec/index.ts";
import { OPEN_END, toUtf8 } from "../../../../../src/lib/bytes.ts";
import { DecodeError, RequestError } from "../../../../../src/lib/errors.ts";
import { limits } from "../../../../../src/lib/limits.ts";
import { FakeApi, type FakeStream, until } from "../fake-call.ts";
import { FakeNode } from "../fake-node.ts";
import { putRequest, watchCreate } from "../requests.ts";

const PATH = "/etcdserverpb.Watch/Watch";

describe("Watch service", () => {
  let node: FakeNode;
  let api: FakeApi;

  beforeEach(() => {
    node = new FakeNode();
    api = new FakeApi(node);
  });

  afterEach(() => node.watchHub.close());

  const create = (key: string, fields = {}): Buffer =>
    encodeWatchRequest({ case: "create", request: watchCreate(key, fields) });
  const request = (message: WatchRequest): Buffer => encodeWatchRequest(message);
  const answers = (stream: FakeStream): WatchResponse[] => stream.sent.map((m) => decodeWatchResponse(m));
  const values = (stream: FakeStream): string[] =>
    answers(stream).flatMap((answer) => answer.events.map((event) => toUtf8(event.kv.value)));

  it("answers creations, events, progress and cancels in order, with complete headers", () => {
    const stream = api.open(PATH);
    stream.receive(create("a"));
    node.kv.put(putRequest("a", "1"));
    node.kv.put(putRequest("b", "2"));
    stream.receive(request({ case: "progress" }));
    stream.receive(request({ case: "cancel", watchId: 0 }));
    stream.receive(request({ case: undefined }));
    const [created, event, progress, cancelled, ...rest] = answers(stream);
    assert.deepEqual(rest, []);
    assert.deepEqual([created?.created, created?.watchId, created?.header?.revision], [true, 0, 1]);
    assert.deepEqual(event?.header, {
      clusterId: node.clusterId,
      memberId: node.memberId,
      revision: 2,
      raftTerm: 3,
    });
    assert.equal(event?.events.length, 1);
    assert.deepEqual([progress?.watchId, progress?.header?.revision, progress?.events], [-1, 3, []]);
    assert.deepEqual([cancelled?.canceled, cancelled?.watchId, cancelled?.cancelReason], [true, 0, ""]);
  });

  it("goes on after the caller's half-close", () => {
    const stream = api.open(PATH);
    stream.receive(create("a"));
    stream.halfClose();
    node.kv.put(putRequest("a", "1"));
    assert.deepEqual(values(stream), ["1"]);
    assert.equal(stream.ended, undefined);
  });

  it("removes its watchers and ends with 'watch canceled' when the caller cancels", () => {
    const stream = api.open(PATH);
    stream.receive(create("a"));
    assert.equal(node.watchHub.metrics().watchers, 1);
    stream.context.cancel();
    assert.equal(node.watchHub.metrics().watchers, 0);
    assert.equal(node.watchHub.metrics().streams, 0);
    assert.ok(stream.ended instanceof RequestError && stream.ended.code === "watchCanceled");
  });

  it("ends the stream, and its watchers, on bytes that are no request", () => {
    const stream = api.open(PATH);
    stream.receive(create("a"));
    stream.receive(Buffer.from([0x0a, 0x7f]));
    assert.ok(stream.ended instanceof DecodeError);
    assert.equal(node.watchHub.metrics().watchers, 0);
  });

  it("splits large responses of watchers that asked for it, and only theirs", () => {
    const small = new FakeApi(node, { requestBytesMax: 1 });
    const stream = small.open(PATH);
    stream.receive(create("a", { rangeEnd: OPEN_END, fragment: true }));
    stream.receive(create("a", { rangeEnd: OPEN_END }));
    const value = "v".repeat(200_000);
    const keys = ["a", "b", "c", "d", "e", "f"];
    node.kv.txn({
      compare: [],
      success: keys.map((key) => ({ case: "put", request: putRequest(key, value) })),
      failure: [],
    });
    const [, , ...events] = answers(stream);
    const parts = events.filter((answer) => answer.watchId === 0);
    const whole = events.filter((answer) => answer.watchId === 1);
    assert.deepEqual(
      parts.map((part) => [part.fragment, part.events.length]),
      [
        [true, 2],
        [true, 2],
        [false, 2],
      ],
    );
    assert.deepEqual(
      parts.map((part) => part.header?.revision),
      [2, 2, 2],
    );
    assert.deepEqual(
      parts.flatMap((part) => part.events.map((event) => event.kv.key)),
      keys,
    );
    assert.deepEqual(
      whole.map((answer) => [answer.fragment, answer.events.length]),
      [[false, 6]],
    );
    for (const [index, message] of stream.sent.entries()) {
      if (parts.includes(answers(stream)[index] as WatchResponse)) assert.ok(message.length < 524_289);
    }
  });

  it("encodes an event once for all its watchers", () => {
    const streams = Array.from({ length: 10 }, () => api.open(PATH));
    for (const stream of streams) stream.receive(create("a"));
    node.kv.put(putRequest("a", "1"));
    const messages = new Set(streams.map((stream) => stream.sent[1]));
    assert.equal(messages.size, 1, "streams whose watcher has the same id share the message itself");
  });

  it("bounds what waits for a peer that never reads, and delivers all once it does", async () => {
    const stream = api.open(PATH);
    stream.receive(create("a"));
    stream.isReading = false;
    for (let i = 0; i < 20_000; i++) node.kv.put(putRequest("a", String(i)));
    assert.ok(stream.queuedMessages <= limits.watchQueueResponsesMax);
    assert.equal(node.watchHub.metrics().slow, 1);
    await until(() => {
      stream.take();
      return values(stream).length === 20_000;
    });
    assert.deepEqual(
      values(stream),
      Array.from({ length: 20_000 }, (_, i) => String(i)),
    );
  });

  it("bounds the bytes that wait for a peer that never reads", () => {
    const stream = api.open(PATH);
    stream.receive(create("a"));
    stream.isReading = false;
    const value = "v".repeat(1_000_000);
    for (let i = 0; i < 50; i++) node.kv.put(putRequest("a", value));
    assert.ok(stream.queuedBytes <= limits.watchQueueBytesMax + 1_000_100);
  });

  it("leaves a flood of requests in the peer while answers are not taken, and drops none", () => {
    const stream = api.open(PATH);
    stream.isReading = false;
    for (let i = 0; i < 1_000; i++) stream.receive(create(`k${i}`));
    assert.equal(stream.isPaused, true);
    assert.ok(stream.queuedMessages <= limits.watchQueueResponsesMax);
    assert.ok(stream.waiting > 800);
    stream.take();
    assert.equal(stream.isPaused, false);
    assert.equal(answers(stream).length, 1_000);
    assert.deepEqual(
      answers(stream).map((answer) => answer.watchId),
      Array.from({ length: 1_000 }, (_, i) => i),
    );
  });

  it("serves ten thousand watchers on one stream", () => {
    const stream = api.open(PATH);
    for (let i = 0; i < 10_000; i++) stream.receive(create(`k${i % 10}`));
    assert.equal(node.watchHub.metrics().watchers, 10_000);
    const startedAt = performance.now();
    node.kv.put(putRequest("k3", "x"));
    assert.equal(stream.sent.length, 11_000);
    assert.ok(performance.now() - startedAt < 2_000);
  });

  it("refuses a call that requires a leader when there is none, and ends one that loses it", () => {
    node.leaderId = 0n;
    const refused = api.open(PATH, { hasleader: "true" });
    assert.ok(refused.ended instanceof RequestError && refused.ended.code === "noLeader");
    assert.equal(node.watchHub.metrics().streams, 0);
    assert.equal(api.open(PATH).ended, undefined);
  });
});
