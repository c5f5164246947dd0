import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { messageType } from "../../../../src/server/raft/index.ts";
import {
  introduce,
  isConnected,
  message,
  PeerWorld,
  rawStream,
  type TestMember,
  until,
} from "./peer-world.ts";

const heartbeat = (to = 2n) => message(messageType.heartbeat, 1n, to);
const megabyte = (index: number) =>
  message(messageType.app, 1n, 2n, {
    index,
    entries: [{ term: 1, index, type: 0, data: Buffer.alloc(1_000_000) }],
  });

describe("The link to a peer", () => {
  const world = new PeerWorld();
  afterEach(() => world.close());

  it("tells that messages are lost once in unreachableIntervalMs, not with each", async () => {
    const a = await world.member(1n, {
      limits: { unreachableIntervalMs: 200, redialMsMin: 10_000, redialMsMax: 10_000 },
    });
    a.network.setPeers([{ id: 2n, peerUrls: ["http://127.0.0.1:1"] }]);
    a.network.start(a.handler);
    for (let i = 0; i < 50; i++) {
      a.network.send([heartbeat()]);
      await delay(2);
    }
    assert.equal(a.handler.unreachables.length, 1);
    assert.equal(a.observer.count("sendFailed", 2n), 50);
    await delay(150);
    a.network.send([heartbeat()]);
    await until(() => a.handler.unreachables.length === 2, "told again");
  });

  it("keeps heartbeats ahead of megabytes that the peer is slow to take", async () => {
    const [a, b] = await world.cluster(2);
    for (let i = 1; i <= 25; i++) a!.network.send([megabyte(i)]);
    a!.network.send([heartbeat()]);
    await until(
      () => b!.handler.messages.some(({ type }) => type === messageType.heartbeat),
      "the heartbeat",
    );
    const before = b!.handler.messages.filter(({ type }) => type === messageType.app).length;
    assert.ok(before < 25, `${before} appends came first`);
    await until(() => b!.handler.messages.length === 26, "all");
  });

  it("stays within bulkQueueBytesMax and urgentQueueBytesMax for a peer that never reads", async () => {
    const a = await world.member(1n, {
      limits: { linkHeartbeatMs: 5_000, bulkQueueBytesMax: 8_000_000, urgentQueueBytesMax: 1_000_000 },
    });
    const b = await stalled(a);
    const shared = Buffer.alloc(100_000);
    const before = process.memoryUsage();
    for (let i = 0; i < 2_000; i++) {
      a.network.send([
        message(messageType.app, 1n, 2n, { entries: [{ term: 1, index: i, type: 0, data: shared }] }),
        message(messageType.heartbeat, 1n, 2n, { context: shared }),
      ]);
      if (i % 20 === 0) await delay(1);
    }
    const after = process.memoryUsage();
    const grown = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
    assert.ok(grown < 40_000_000, `${grown} bytes`);
    assert.ok(a.handler.unreachables.length > 0);
    assert.ok(a.observer.count("sendFailed", 2n) > 3_000);
    b();
  });

  it("says once what is wrong, and says it when it is right again", async () => {
    const a = await world.member(1n);
    const b = await world.member(2n);
    // b has known a once and no more, so it answers 404 at every attempt.
    b.network.setPeers([{ id: 1n, peerUrls: [a.url] }]);
    b.network.setPeers([]);
    introduce(a, [a, b]);
    b.network.start(b.handler);
    await until(() => a.log.count("cannot connect to peer; trying again") > 0, "said");
    await delay(200);
    assert.equal(a.log.count("cannot connect to peer; trying again"), 1);
    assert.match(String(a.log.lines[0]?.fields["reason"]), /^answered 404: the sender 1 is no member/);
    b.network.setPeers([{ id: 1n, peerUrls: [a.url] }]);
    await until(() => isConnected(a, 2n), "connected");
    assert.equal(a.log.count("connected to peer"), 1);
    await b.network.close();
    await until(() => !isConnected(a, 2n), "lost");
    assert.equal(a.log.count("lost the connection to peer"), 1);
    assert.equal(a.observer.count("connected", 2n), 1);
    assert.equal(a.observer.count("disconnected", 2n), 1);
  });

  it("follows a peer to its new URLs, and drops one whose URL is no longer advertised", async () => {
    const [a, b] = await world.cluster(2);
    a!.network.setPeers([{ id: 2n, peerUrls: ["http://127.0.0.1:1"] }]);
    await until(() => !isConnected(a!, 2n), "dropped");
    a!.network.setPeers([{ id: 2n, peerUrls: ["http://127.0.0.1:1", b!.url] }]);
    await until(() => isConnected(a!, 2n), "connected again");
  });

  it("lets what was queued leave when the network closes", async () => {
    const [a, b] = await world.cluster(2, { limits: { closeGraceMs: 2_000 } });
    for (let i = 1; i <= 5; i++) a!.network.send([megabyte(i)]);
    a!.network.send([message(messageType.timeoutNow, 1n, 2n)]);
    await a!.network.close();
    await until(() => b!.handler.messages.length === 6, "all six");
  });

  it("does not tell of losses once the network is closed", async () => {
    const [a, b] = await world.cluster(2);
    await a!.network.close();
    const told = a!.handler.unreachables.length;
    a!.network.send([heartbeat(), heartbeat(9n)]);
    await b!.network.close();
    await delay(20);
    assert.equal(a!.handler.unreachables.length, told);
  });

  /** A peer 2 of `a` that accepts both streams and then reads nothing; returns what ends it. */
  async function stalled(a: TestMember): Promise<() => void> {
    const { createServer } = await import("node:http");
    const sockets: import("node:stream").Duplex[] = [];
    const server = createServer();
    server.on("upgrade", (_request, socket) => {
      socket.on("error", () => {});
      socket.pause();
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: metastore-raft\r\n\r\n",
      );
      sockets.push(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    a.network.setPeers([{ id: 2n, peerUrls: [`http://127.0.0.1:${port}`] }]);
    a.network.start(a.handler);
    await until(() => isConnected(a, 2n), "connected");
    return () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    };
  }

  it("is not kept up by the streams that the peer dials: each direction stands for itself", async () => {
    const a = await world.member(1n);
    a.network.setPeers([{ id: 2n, peerUrls: ["http://127.0.0.1:1"] }]);
    a.network.start(a.handler);
    await rawStream(a, 2n);
    await rawStream(a, 2n, "bulk");
    assert.ok(!isConnected(a, 2n));
  });
});
