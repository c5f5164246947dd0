import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type MetaStoreClient, MetaStoreError } from "../../../src/client/index.ts";
import {
  decodePutRequest,
  encodePutResponse,
  encodeRangeResponse,
  encodeTxnResponse,
} from "../../../src/codec/index.ts";
import { fromUtf8 } from "../../../src/lib/bytes.ts";
import { grpcCode } from "../../../src/lib/errors.ts";
import { Refusal, startFakeServer, stopFakeServers, unusedPort } from "./fake-server.ts";

const header = { clusterId: 1n, memberId: 2n, revision: 7, raftTerm: 3 };
const emptyRange = encodeRangeResponse({ header, kvs: [], more: false, count: 0 });
const putDone = encodePutResponse({ header, prevKv: undefined });

describe("unary calls", () => {
  const clients: MetaStoreClient[] = [];
  const open = (...args: Parameters<typeof connect>): MetaStoreClient => {
    const client = connect(...args);
    clients.push(client);
    return client;
  };
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    stopFakeServers();
  });

  it("send bytes as they are and give them back as they are", async () => {
    const key = Buffer.from([0, 0xff, 0x80]);
    let stored = "";
    const server = await startFakeServer({
      unary: {
        "KV/Put": (request) => {
          stored = decodePutRequest(request).value;
          return putDone;
        },
        "KV/Range": () =>
          encodeRangeResponse({
            header,
            kvs: [
              {
                key: fromUtf8("k"),
                value: fromUtf8('{"a":1}'),
                createRevision: 1,
                modRevision: 2,
                version: 2,
                lease: 5n,
              },
            ],
            more: false,
            count: 1,
          }),
      },
    });
    const client = open({ endpoints: server.endpoint });
    const put = await client.kv.put(key, key);
    assert.equal(put.header.revision, 7);
    assert.deepEqual(Buffer.from(stored, "latin1"), key);
    const kv = await client.kv.get("k");
    assert.deepEqual(kv?.json(), { a: 1 });
    assert.equal(kv?.keyString(), "k");
    assert.equal(kv?.lease, 5n);
  });

  it("go to the next endpoint when one cannot be reached, writes too: they were not sent", async () => {
    const server = await startFakeServer({
      unary: { "KV/Put": () => putDone, "KV/Range": () => emptyRange },
    });
    const client = open({ endpoints: [`127.0.0.1:${await unusedPort()}`, server.endpoint] });
    await client.kv.put("a", "1");
    await client.kv.get("a");
  });

  it("repeat a read that was answered Unavailable", async () => {
    let calls = 0;
    const server = await startFakeServer({
      unary: {
        "KV/Range": () => {
          calls += 1;
          if (calls < 3) throw new Refusal(grpcCode.unavailable, "etcdserver: leader changed");
          return emptyRange;
        },
      },
    });
    await open({ endpoints: server.endpoint }).kv.get("a");
    assert.equal(calls, 3);
  });

  it("never repeat a write that was sent, and call its outcome unknown", async () => {
    let calls = 0;
    const refuse = (): Buffer => {
      calls += 1;
      throw new Refusal(grpcCode.unavailable, "etcdserver: request timed out");
    };
    const server = await startFakeServer({ unary: { "KV/Put": refuse, "KV/Txn": refuse } });
    const client = open({ endpoints: server.endpoint });
    for (const write of [
      () => client.kv.put("a", "1"),
      () => client.kv.rawTxn({ compare: [], success: [{ case: "put", request: putRequest }], failure: [] }),
    ]) {
      calls = 0;
      await assert.rejects(write, (error: unknown) => {
        assert.ok(error instanceof MetaStoreError);
        assert.equal(error.code, "UNAVAILABLE");
        assert.equal(error.etcdCode, "timeout");
        assert.equal(error.outcome, "unknown");
        assert.equal(error.retryable, true);
        assert.equal(error.endpoint, server.endpoint);
        return true;
      });
      assert.equal(calls, 1);
    }
  });

  it("call the outcome of a write unknown when the server dies with it", async () => {
    const server = await startFakeServer({
      unary: {
        "KV/Put": async () => {
          server.kill();
          await sleep(1_000);
          return putDone;
        },
      },
    });
    await assert.rejects(open({ endpoints: server.endpoint }).kv.put("a", "1"), {
      outcome: "unknown",
      code: "UNAVAILABLE",
    });
  });

  it("call a refused write not applied", async () => {
    const server = await startFakeServer({
      unary: {
        "KV/Put": () => {
          throw new Refusal(grpcCode.resourceExhausted, "etcdserver: mvcc: database space exceeded");
        },
      },
    });
    await assert.rejects(open({ endpoints: server.endpoint }).kv.put("a", "1"), {
      etcdCode: "noSpace",
      outcome: "not-applied",
      retryable: false,
    });
  });

  it("repeat a transaction that only reads", async () => {
    let calls = 0;
    const server = await startFakeServer({
      unary: {
        "KV/Txn": () => {
          calls += 1;
          if (calls === 1) throw new Refusal(grpcCode.unavailable, "etcdserver: no leader");
          return encodeTxnResponse({ header, succeeded: true, responses: [] });
        },
      },
    });
    const client = open({ endpoints: server.endpoint });
    assert.equal((await client.kv.txn().commit()).succeeded, true);
    assert.equal(calls, 2);
  });

  it("end at their timeout when a server accepts and stays silent", async () => {
    const server = await startFakeServer({
      unary: { "KV/Range": () => new Promise<Buffer>(() => undefined) },
    });
    const started = performance.now();
    await assert.rejects(open({ endpoints: server.endpoint, timeoutMs: 200 }).kv.get("a"), {
      code: "DEADLINE_EXCEEDED",
      outcome: "not-applied",
    });
    assert.ok(performance.now() - started < 1_000);
  });

  it("name the server and the cause when nothing listens, within the timeout", async () => {
    const endpoint = `127.0.0.1:${await unusedPort()}`;
    const started = performance.now();
    await assert.rejects(open({ endpoints: endpoint, timeoutMs: 400 }).kv.put("a", "1"), (error: unknown) => {
      assert.ok(error instanceof MetaStoreError);
      assert.match(error.message, /ECONNREFUSED/);
      assert.equal(error.endpoint, endpoint);
      assert.equal(error.outcome, "not-applied");
      return true;
    });
    assert.ok(performance.now() - started < 1_000);
  });

  it("reach a server that comes up while they wait", async () => {
    const port = await unusedPort();
    const client = open({ endpoints: `127.0.0.1:${port}` });
    const pending = client.kv.put("a", "1");
    await sleep(200);
    await startFakeServer({ unary: { "KV/Put": () => putDone } }, port);
    assert.equal((await pending).header.revision, 7);
  });

  it("move away from a learner", async () => {
    const learner = await startFakeServer({
      unary: {
        "KV/Range": () => {
          throw new Refusal(grpcCode.failedPrecondition, "etcdserver: rpc not supported for learner");
        },
      },
    });
    const voter = await startFakeServer({ unary: { "KV/Range": () => emptyRange } });
    await open({ endpoints: [learner.endpoint, voter.endpoint] }).kv.get("a");
  });

  it("can be aborted", async () => {
    const server = await startFakeServer({
      unary: { "KV/Range": () => new Promise<Buffer>(() => undefined) },
    });
    const abort = new AbortController();
    const pending = open({ endpoints: server.endpoint }).kv.get("a", { signal: abort.signal });
    setTimeout(() => abort.abort(), 50);
    await assert.rejects(pending, { code: "CANCELLED" });
  });

  it("report an answer that does not decode as a failure of its own", async () => {
    const server = await startFakeServer({ unary: { "KV/Put": () => Buffer.from([0x0a, 0xff]) } });
    await assert.rejects(open({ endpoints: server.endpoint }).kv.put("a", "1"), {
      code: "INTERNAL",
      outcome: "unknown",
    });
  });

  it("carry a token, and get another when the server has forgotten it", async () => {
    const tokens: string[] = [];
    let logins = 0;
    const server = await startFakeServer({
      unary: {
        "Auth/Authenticate": (request) => {
          logins += 1;
          assert.match(request.toString("latin1"), /alice.*secret/s);
          const token = Buffer.from(`token-${logins}`);
          return Buffer.concat([Buffer.from([0x12, token.length]), token]);
        },
        "KV/Range": (_request, call) => {
          const token = String(call.metadata.get("token")[0]);
          tokens.push(token);
          if (token === "token-1")
            throw new Refusal(grpcCode.unauthenticated, "etcdserver: invalid auth token");
          return emptyRange;
        },
      },
    });
    const client = open({ endpoints: server.endpoint, user: { name: "alice", password: "secret" } });
    await client.kv.get("a");
    await client.kv.get("a");
    assert.deepEqual(tokens, ["token-1", "token-2", "token-2"]);
  });
});

const putRequest = {
  key: fromUtf8("a"),
  value: fromUtf8("1"),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
};
