import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { KeyValue, RangeResponse } from "../../../../../src/codec/index.ts";
import { fromUtf8 } from "../../../../../src/lib/bytes.ts";
import { jsonRecord, sendList } from "../../../../../src/server/api/http/key-list.ts";

const kv = (key: string, value: string): KeyValue => ({
  key: fromUtf8(key),
  value: fromUtf8(value),
  createRevision: 2,
  modRevision: 3,
  version: 2,
  lease: -1n,
});

const response = (kvs: KeyValue[]): RangeResponse => ({
  header: { clusterId: 0n, memberId: 0n, revision: 9, raftTerm: 1 },
  kvs,
  more: false,
  count: kvs.length,
});

describe("A listing", () => {
  it("escapes what JSON must escape and keeps text as text", () => {
    const record = JSON.parse(jsonRecord(kv('a"\n', "ключ"), false)) as Record<string, unknown>;
    assert.equal(record["key"], 'a"\n');
    assert.equal(record["value"], "ключ");
    assert.equal(record["lease"], "ffffffffffffffff");
  });

  it("is well-formed JSON with no keys, too", async () => {
    const text = await served((res) => sendList(res, response([]), { isObject: true, keysOnly: false }));
    assert.deepEqual(JSON.parse(text), { revision: 9, count: 0, more: false, kvs: [] });
  });

  it("waits for a slow reader instead of piling up, and stops when it goes", async () => {
    const kvs = Array.from({ length: 64 }, (_, i) => kv(`k${i}`, "x".repeat(1_000_000)));
    let queuedBytesMax = 0;
    let isFinished = false;
    const server = createServer((_req, res) => {
      const meter = setInterval(() => {
        queuedBytesMax = Math.max(queuedBytesMax, res.writableLength);
      }, 5);
      void sendList(res, response(kvs), { isObject: false, keysOnly: false }).then(() => {
        clearInterval(meter);
        isFinished = true;
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    socket.pause();
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(isFinished, false);
    assert.ok(queuedBytesMax < 4_000_000, `${queuedBytesMax} bytes were queued`);
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(isFinished, true);
    server.close();
  });
});

async function served(serve: (res: Parameters<typeof sendList>[0]) => Promise<void>): Promise<string> {
  const server = createServer((_req, res) => void serve(res));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const text = await answer.text();
  server.close();
  return text;
}
