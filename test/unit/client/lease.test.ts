import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type MetaStoreClient, MetaStoreError } from "../../../src/client/index.ts";
import { decodeLeaseKeepAliveRequest, encodeLeaseKeepAliveResponse } from "../../../src/codec/index.ts";
import { grpcCode } from "../../../src/lib/errors.ts";
import { type DuplexScript, startFakeServer, stopFakeServers, unusedPort } from "./fake-server.ts";

const header = { clusterId: 1n, memberId: 1n, revision: 1, raftTerm: 1 };

/** Renews with what `ttlOf` answers for the n-th request; undefined leaves it without an answer. */
function renewing(ttlOf: (request: number, id: bigint) => number | undefined): DuplexScript {
  let requests = 0;
  return (call) => {
    call.on("error", () => undefined);
    call.on("end", () => call.end());
    call.on("data", (bytes: Buffer) => {
      const { id } = decodeLeaseKeepAliveRequest(bytes);
      requests += 1;
      const ttl = ttlOf(requests, id);
      if (ttl !== undefined) call.write(encodeLeaseKeepAliveResponse({ header, id, ttl }));
    });
  };
}

describe("lease keepers", () => {
  const clients: MetaStoreClient[] = [];
  const open = (options: Parameters<typeof connect>[0]): MetaStoreClient => {
    const client = connect(options);
    clients.push(client);
    return client;
  };
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    stopFakeServers();
  });

  it("renew every third of the TTL until they are stopped", async () => {
    const times: number[] = [];
    const server = await startFakeServer({
      duplex: {
        "Lease/LeaseKeepAlive": renewing(() => {
          times.push(performance.now());
          return 1;
        }),
      },
    });
    const keeper = open({ endpoints: server.endpoint }).lease.keepAlive(7n);
    for (let renewal = 0; renewal < 3; renewal++) assert.deepEqual(await once(keeper, "renewed"), [1]);
    keeper.stop();
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    for (const gap of gaps) assert.ok(gap > 250 && gap < 700, `renewed after ${gap} ms`);
    assert.equal(keeper.signal.aborted, false);
  });

  it("abort their signal when the server no longer has the lease", async () => {
    const server = await startFakeServer({
      duplex: { "Lease/LeaseKeepAlive": renewing((request) => (request === 1 ? 1 : 0)) },
    });
    const keeper = open({ endpoints: server.endpoint }).lease.keepAlive(7n);
    await once(keeper.signal, "abort");
    assert.ok(keeper.signal.reason instanceof MetaStoreError);
    assert.equal(keeper.signal.reason.etcdCode, "leaseNotFound");
  });

  it("abort their signal when the TTL passes without an answer", async () => {
    const server = await startFakeServer({
      duplex: { "Lease/LeaseKeepAlive": renewing((request) => (request === 1 ? 1 : undefined)) },
    });
    const keeper = open({ endpoints: server.endpoint }).lease.keepAlive(7n);
    await once(keeper, "renewed");
    const renewed = performance.now();
    await once(keeper.signal, "abort");
    const waited = performance.now() - renewed;
    assert.ok(waited > 800 && waited < 1_300, `lost after ${waited} ms`);
  });

  it("go on over another endpoint when theirs breaks", async () => {
    const first = await startFakeServer({ duplex: { "Lease/LeaseKeepAlive": renewing(() => 2) } });
    const second = await startFakeServer({ duplex: { "Lease/LeaseKeepAlive": renewing(() => 3) } });
    const keeper = open({ endpoints: [first.endpoint, second.endpoint] }).lease.keepAlive(7n);
    assert.deepEqual(await once(keeper, "renewed"), [2]);
    first.kill();
    assert.deepEqual(await once(keeper, "renewed"), [3]);
    assert.equal(keeper.signal.aborted, false);
  });

  it("are lost at once when the server refuses for good", async () => {
    const server = await startFakeServer({
      duplex: {
        "Lease/LeaseKeepAlive": (call) => {
          call.emit("error", { code: grpcCode.permissionDenied, details: "etcdserver: permission denied" });
        },
      },
    });
    const keeper = open({ endpoints: server.endpoint }).lease.keepAlive(7n);
    const [error] = await once(keeper, "lost");
    assert.equal((error as MetaStoreError).code, "PERMISSION_DENIED");
  });

  it("renew once: with the TTL, or with leaseNotFound, or with why no server answered", async () => {
    const server = await startFakeServer({
      duplex: { "Lease/LeaseKeepAlive": renewing((_request, id) => (id === 7n ? 30 : 0)) },
    });
    const client = open({ endpoints: server.endpoint });
    assert.equal(await client.lease.keepAliveOnce(7n), 30);
    await assert.rejects(client.lease.keepAliveOnce(8n), { etcdCode: "leaseNotFound" });
    const absent = open({ endpoints: `127.0.0.1:${await unusedPort()}`, retryRoundsMax: 1 });
    await assert.rejects(absent.lease.keepAliveOnce(7n), { code: "UNAVAILABLE" });
  });
});
