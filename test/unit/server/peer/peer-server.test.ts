import assert from "node:assert/strict";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { decodeMembers } from "../../../../src/server/peer/members-json.ts";
import {
  CLUSTER_ID,
  memberHeaders,
  PeerWorld,
  rawConnection,
  rawRequest,
  streamRequest,
  type TestMember,
  until,
} from "./peer-world.ts";

describe("The listener for peers", () => {
  const world = new PeerWorld();
  afterEach(() => world.close());

  async function started(limits: Record<string, number> = {}): Promise<TestMember> {
    const member = await world.member(1n, { limits });
    member.network.setPeers([{ id: 2n, peerUrls: ["http://127.0.0.1:1"] }]);
    member.network.start(member.handler);
    return member;
  }

  const get = (path: string, headers = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
  const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);

  it("answers /version, /members and /health before the network is started", async () => {
    const { url } = await world.member(0x8e9e05c52164694dn);
    const version = await fetch(`${url}/version`);
    assert.equal(version.headers.get("content-type"), "application/json");
    assert.equal(await version.text(), '{"etcdserver":"3.6.0","etcdcluster":"3.6.0","storage":"3.6.0"}');
    const members = await fetch(`${url}/members`);
    assert.equal(members.headers.get("x-etcd-cluster-id"), CLUSTER_ID.toString(16));
    const text = await members.text();
    assert.match(text, /^\[\{"id":10276657743932975437,/);
    assert.equal(decodeMembers(text)[0]?.peerUrls[0], url);
    const health = await fetch(`${url}/health`);
    assert.equal(health.status, 200);
    assert.equal(await health.text(), '{"health":"true","reason":""}');
  });

  it("says so with 503 when the member is not healthy", async () => {
    const { url } = await world.member(1n, {
      status: () => ({ members: () => [], isRemoved: () => false, isHealthy: false }),
    });
    const health = await fetch(`${url}/health`);
    assert.equal(health.status, 503);
    assert.match(await health.text(), /"health":"false"/);
  });

  it("answers other paths with 404 and other methods with 405", async () => {
    const { url } = await started();
    for (const path of ["/", "/raft", "/members/", "/v3/kv/put", "/raft/stream/x", "/..%2f"]) {
      assert.equal((await fetch(`${url}${path}`)).status, 404, path);
    }
    const post = await fetch(`${url}/members`, { method: "POST", body: "x" });
    assert.equal(post.status, 405);
    assert.equal(post.headers.get("allow"), "GET");
    assert.equal((await fetch(`${url}/raft/snapshot`)).status, 405);
    assert.equal((await fetch(`${url}/raft/call/x`)).status, 405);
    assert.equal((await fetch(`${url}/raft/stream`)).status, 426);
    const head = await fetch(`${url}/version`, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
  });

  it("passes over offers of other protocols", async () => {
    const { url } = await started();
    const offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
    const answer = await rawRequest(url, get("/version", offer));
    assert.equal(statusOf(answer), 200);
    assert.match(answer, /"etcdserver":"3\.6\.0"/);
    assert.equal(
      statusOf(await rawRequest(url, get("/raft/stream", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))),
      426,
    );
  });

  it("lets peers of its cluster in, and nobody else", async () => {
    const member = await started();
    const { url } = member;
    member.removedIds.add(7n);
    const answers: [string, number][] = [
      [streamRequest(2n, 1n), 101],
      [streamRequest(2n, 1n, { "X-Raft-Stream": "bulk" }), 101],
      [streamRequest(2n, 1n, { "X-Raft-Stream": "other" }), 426],
      [streamRequest(2n, 1n, { "X-Etcd-Cluster-ID": "beef" }), 412],
      [streamRequest(2n, 3n), 412],
      [streamRequest(2n, 1n, { "X-Server-Version": "9.0.0" }), 412],
      [streamRequest(7n, 1n), 410],
      [streamRequest(3n, 1n), 404],
      [streamRequest(2n, 1n, { "X-Server-From": "zz" }), 400],
    ];
    for (const [request, status] of answers) {
      assert.equal(statusOf(await rawRequest(url, request)), status, request);
    }
    for (const path of ["/raft/snapshot", "/raft/call/x"]) {
      const post = `POST ${path} HTTP/1.1\r\nContent-Length: 1\r\n${memberHeaders(3n, 1n)}\r\nx`;
      assert.equal(statusOf(await rawRequest(url, post)), 404, path);
    }
  });

  it("logs each refusal once, not with each attempt", async () => {
    const member = await started();
    for (let i = 0; i < 3; i++) await rawRequest(member.url, streamRequest(3n, 1n, { "X-Peer-URLs": "c:1" }));
    const lines = member.log.lines.filter(({ message }) => message === "refused a request of another member");
    assert.equal(lines.length, 1);
    assert.deepEqual(
      { peer: lines[0]?.fields["peer"], peerUrls: lines[0]?.fields["peerUrls"] },
      { peer: "3", peerUrls: "c:1" },
    );
    for (let i = 0; i < 90; i++) await rawRequestQuickly(member.url, streamRequest(BigInt(i + 10), 1n));
    assert.ok(member.log.lines.length <= 70, "ids that are made up cannot fill the log");
  });

  it("has no traffic before it is started", async () => {
    const { url } = await world.member(1n);
    assert.equal(statusOf(await rawRequest(url, streamRequest(2n, 1n))), 503);
  });

  it("stands what is no HTTP, half requests, huge headers and bodies that never end", async () => {
    const member = await started({ headersTimeoutMs: 150, headerBytesMax: 8_192 });
    const { url } = member;
    assert.equal(statusOf(await rawRequest(url, "\x16\x03\x01garbage\r\n\r\n")), 400);
    assert.equal(
      statusOf(await rawRequest(url, `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(9_000)}\r\n\r\n`)),
      400,
    );
    assert.equal(statusOf(await rawRequest(url, "GET /version HTTP/1.1\r\n\r\n")), 400, "no host");
    const slow = await rawConnection(url);
    slow.socket.write("GET /version HTTP/1.1\r\nHost:");
    const silent = await rawConnection(url);
    const endless = await rawConnection(url);
    endless.socket.write("POST /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    const feeding = setInterval(() => endless.socket.write("1\r\nx\r\n"), 50);
    try {
      await until(() => slow.isClosed && silent.isClosed && endless.isClosed, "all three closed");
    } finally {
      clearInterval(feeding);
    }
    assert.equal(statusOf(endless.received.toString()), 405);
    assert.equal((await fetch(`${url}/version`)).status, 200, "the others are served");
  });

  it("takes no more than connectionsMax connections", async () => {
    const { url } = await started({ connectionsMax: 5 });
    const connections = await Promise.all(Array.from({ length: 20 }, () => rawConnection(url)));
    await until(() => connections.filter(({ isClosed }) => isClosed).length === 15, "the rest turned away");
    for (const { socket } of connections) socket.destroy();
    await delay(50);
    assert.equal((await fetch(`${url}/version`)).status, 200);
  });

  it("says which address is taken, and leaves nothing open then", async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
    const { port } = blocker.address() as { port: number };
    const listen = [
      { host: "127.0.0.1", port: 0, isTls: false },
      { host: "127.0.0.1", port, isTls: false },
    ];
    await assert.rejects(world.member(1n, { listen }), { code: "EADDRINUSE" });
    blocker.close();
  });

  it("listens on all its addresses and names them with their ports", async () => {
    const listen = [
      { host: "127.0.0.1", port: 0, isTls: false },
      { host: "localhost", port: 0, isTls: false },
    ];
    const { network } = await world.member(1n, { listen });
    assert.deepEqual(network.addresses, [`127.0.0.1:${network.ports[0]}`, `localhost:${network.ports[1]}`]);
    for (const address of network.addresses)
      assert.equal((await fetch(`http://${address}/version`)).status, 200);
  });

  it("lets go of its port when it closes, idle and upgraded connections or not", async () => {
    const member = await started();
    const idle = await rawConnection(member.url);
    const stream = await rawConnection(member.url);
    stream.socket.write(streamRequest(2n, 1n));
    await until(() => stream.received.length > 0, "the stream");
    const startMs = performance.now();
    await member.network.close();
    assert.ok(performance.now() - startMs < 1_000);
    await until(() => idle.isClosed && stream.isClosed, "both closed");
    const port = member.network.ports[0] ?? 0;
    await world.member(1n, { listen: [{ host: "127.0.0.1", port, isTls: false }] });
  });
});

async function rawRequestQuickly(url: string, request: string): Promise<void> {
  const connection = await rawConnection(url);
  connection.socket.write(request);
  await until(() => connection.isClosed, "answered");
}
