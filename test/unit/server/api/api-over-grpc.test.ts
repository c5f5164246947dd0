import assert from "node:assert/strict";
import { type ClientHttp2Stream, connect } from "node:http2";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import {
  decodeRangeResponse,
  decodeWatchResponse,
  encodePutRequest,
  encodeRangeRequest,
  encodeWatchRequest,
} from "../../../../src/codec/index.ts";
import { toUtf8 } from "../../../../src/lib/bytes.ts";
import { createGrpcTransport, createMethodTable, type Transport } from "../../../../src/server/api/index.ts";
import { transportOptions } from "../../../suites/transport-suite.ts";
import { tableOptions, until } from "./fake-call.ts";
import { FakeNode } from "./fake-node.ts";
import { putRequest, rangeRequest, watchCreate } from "./requests.ts";

const same = (message: Buffer): Buffer => message;

describe("The API over gRPC", () => {
  let node: FakeNode;
  let transport: Transport;
  let client: Client;

  beforeEach(async () => {
    node = new FakeNode();
    transport = createGrpcTransport(createMethodTable(node, tableOptions), {
      ...transportOptions,
      messageBytesMax: 2_097_152,
    });
    const port = await transport.listen();
    client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": -1,
    });
  });

  afterEach(async () => {
    client.close();
    await transport.close(0);
    node.watchHub.close();
  });

  const call = (path: string, request: Buffer, metadata = new Metadata()): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, same, same, request, metadata, (error, answer) => {
        if (error) reject(error);
        else resolve(answer as Buffer);
      });
    });

  const fails = (path: string, request: Buffer, code: number, details: string, metadata?: Metadata) =>
    assert.rejects(call(path, request, metadata), (error: ServiceError) => {
      assert.deepEqual([error.code, error.details], [code, details]);
      return true;
    });

  const openWatch = (metadata = new Metadata()): ClientDuplexStream<Buffer, Buffer> =>
    client.makeBidiStreamRequest("/etcdserverpb.Watch/Watch", same, same, metadata);

  const create = (key: string): Buffer => encodeWatchRequest({ case: "create", request: watchCreate(key) });

  it("stores and gives back, byte for byte", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString("latin1");
    const request = { ...putRequest("k", ""), value: bytes as ReturnType<typeof putRequest>["value"] };
    await call("/etcdserverpb.KV/Put", encodePutRequest(request));
    const answer = decodeRangeResponse(
      await call("/etcdserverpb.KV/Range", encodeRangeRequest(rangeRequest("k"))),
    );
    assert.equal(answer.kvs[0]?.value, bytes);
  });

  it("answers errors in etcd's codes and words", async () => {
    const put = "/etcdserverpb.KV/Put";
    await fails(
      put,
      encodePutRequest(putRequest("", "")),
      status.INVALID_ARGUMENT,
      "etcdserver: key is not provided",
    );
    await fails(
      put,
      encodePutRequest(putRequest("k", "", { lease: 99n })),
      status.NOT_FOUND,
      "etcdserver: requested lease not found",
    );
    await fails(
      put,
      encodePutRequest(putRequest("k", "v".repeat(2_100_000))),
      status.RESOURCE_EXHAUSTED,
      "grpc: received message larger than max (2100008 vs. 2097152)",
    );
    await fails(
      put,
      Buffer.from([0x0a, 0x7f]),
      status.INTERNAL,
      "grpc: error unmarshalling request: a field is longer than the message it is in",
    );
    await fails(
      "/etcdserverpb.Auth/UserAdd",
      Buffer.alloc(0),
      status.UNIMPLEMENTED,
      "etcdserver: Auth.UserAdd is not served by this version of MetaStore",
    );
    node.leaderId = 0n;
    const requiresLeader = new Metadata();
    requiresLeader.set("hasleader", "true");
    await fails(
      "/etcdserverpb.KV/Range",
      encodeRangeRequest(rangeRequest("k")),
      status.UNAVAILABLE,
      "etcdserver: no leader",
      requiresLeader,
    );
  });

  it("keeps a watcher that never reads bounded, and gives it every event once it reads", async () => {
    const session = connect(`http://127.0.0.1:${transport.ports[0]}`);
    const watch = session.request({
      ":method": "POST",
      ":path": "/etcdserverpb.Watch/Watch",
      "content-type": "application/grpc",
      te: "trailers",
    });
    watch.on("error", () => {});
    watch.write(framed(create("k")));
    await until(() => node.watchHub.metrics().watchers === 1);
    const value = "v".repeat(2_000);
    for (let i = 0; i < 5_000; i++) {
      node.kv.put(putRequest("k", `${i}:${value}`));
      if (i % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(node.watchHub.metrics().slow, 1);
    await call("/etcdserverpb.KV/Range", encodeRangeRequest(rangeRequest("k")));
    const values: string[] = [];
    readFrames(watch, (message) => {
      for (const event of decodeWatchResponse(message).events) {
        values.push(toUtf8(event.kv.value).split(":")[0] ?? "");
      }
    });
    await until(() => values.length === 5_000);
    assert.deepEqual(
      values,
      Array.from({ length: 5_000 }, (_, i) => String(i)),
    );
    session.destroy();
    await until(() => node.watchHub.metrics().streams === 0);
  });

  it("serves ten thousand watchers on a hundred streams, and forgets them with their connection", async () => {
    let created = 0;
    let events = 0;
    for (let i = 0; i < 100; i++) {
      const watch = openWatch();
      watch.on("error", () => {});
      watch.on("data", (message: Buffer) => {
        const answer = decodeWatchResponse(message);
        if (answer.created) created++;
        events += answer.events.length;
      });
      for (let j = 0; j < 100; j++) watch.write(create("k"));
    }
    await until(() => created === 10_000);
    node.kv.put(putRequest("k", "v"));
    await until(() => events === 10_000);
    client.close();
    await transport.close(0);
    await until(() => node.watchHub.metrics().watchers === 0);
  }).timeout(20_000);

  it("ends a watch that the caller cancels with CANCELLED", async () => {
    const watch = openWatch();
    watch.write(create("k"));
    const error = new Promise<ServiceError>((resolve) => watch.on("error", resolve));
    await until(() => node.watchHub.metrics().watchers === 1);
    watch.cancel();
    assert.equal((await error).code, status.CANCELLED);
    await until(() => node.watchHub.metrics().watchers === 0);
  });
});

function framed(message: Buffer): Buffer {
  const frame = Buffer.concat([Buffer.alloc(5), message]);
  frame.writeUInt32BE(message.length, 1);
  return frame;
}

function readFrames(stream: ClientHttp2Stream, onMessage: (message: Buffer) => void): void {
  let pending: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 5 && pending.length >= 5 + pending.readUInt32BE(1)) {
      const end = 5 + pending.readUInt32BE(1);
      onMessage(pending.subarray(5, end));
      pending = pending.subarray(end);
    }
  });
}
