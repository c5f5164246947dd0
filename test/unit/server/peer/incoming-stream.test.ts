import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { crc32 } from "../../../../src/lib/crc32.ts";
import { decodeFrame, encodeFrame } from "../../../../src/server/peer/frame.ts";
import { FrameReader } from "../../../../src/server/peer/frame-reader.ts";
import { type Message, messageType } from "../../../../src/server/raft/index.ts";
import { message, PeerWorld, rawStream, type TestMember, until } from "./peer-world.ts";

const noBounds = { messagesPerFrameMax: 100, entriesPerFrameMax: 100 };
const frameOf = (...messages: Message[]): Buffer => encodeFrame({ messages, ping: 0, pong: 0 });

describe("A stream that a peer dialled", () => {
  const world = new PeerWorld();
  afterEach(() => world.close());

  /** Member 1, which holds 2 for a peer that is only heard through raw connections. */
  async function listener(limits: Record<string, number> = {}): Promise<TestMember> {
    const member = await world.member(1n, { limits });
    member.network.setPeers([{ id: 2n, peerUrls: ["http://127.0.0.1:1"] }]);
    member.network.start(member.handler);
    return member;
  }

  it("gives back pings, and says that bytes arrive while a long frame is on its way", async () => {
    const member = await listener();
    const stream = await rawStream(member, 2n);
    stream.socket.write(encodeFrame({ messages: [], ping: 41, pong: 0 }));
    await until(() => stream.received.length > 0, "the pong");
    const pongs: number[] = [];
    new FrameReader(1_000, (payload) => pongs.push(decodeFrame(payload, noBounds).pong)).push(
      stream.received,
    );
    assert.deepEqual(pongs, [41]);
    stream.received = Buffer.alloc(0);
    const long = frameOf(
      message(messageType.app, 2n, 1n, {
        entries: [{ term: 1, index: 1, type: 0, data: Buffer.alloc(500_000) }],
      }),
    );
    stream.socket.write(long.subarray(0, 400_000));
    await until(() => stream.received.length > 0, "the acknowledgement");
    stream.socket.write(long.subarray(400_000));
    await until(() => member.handler.messages.length === 1, "the message");
  });

  it("is closed, counted and named in the log at the first thing that is not allowed", async () => {
    const member = await listener();
    const claim = Buffer.alloc(8);
    claim.writeUInt32LE(0x7fff_ffff);
    const damaged = Buffer.from(frameOf(message(messageType.vote, 2n, 1n)));
    damaged[damaged.length - 1]! ^= 1;
    const violations = [
      ["garbage", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
      ["a giant claim", claim],
      ["a wrong checksum", damaged],
      ["no protobuf", encodeGarbage()],
      ["for another member", frameOf(message(messageType.vote, 2n, 9n))],
      ["from another member", frameOf(message(messageType.appResp, 9n, 1n))],
      ["a snapshot", frameOf(message(messageType.snap, 2n, 1n))],
    ] as const;
    for (const [i, [what, bytes]] of violations.entries()) {
      const stream = await rawStream(member, 2n);
      stream.socket.write(bytes);
      await until(() => stream.isClosed, what);
      assert.equal(member.observer.count("receiveFailed", 2n), i + 1, what);
    }
    assert.equal(member.handler.messages.length, 0);
    const lines = member.log.lines.filter(({ message: text }) => text.startsWith("closed a stream on which"));
    assert.equal(lines.length, 1, "once in a while, not each time");
    assert.equal(lines[0]?.fields["peer"], "2");
  });

  it("keeps what came before the damage, and nothing after it", async () => {
    const member = await listener();
    const stream = await rawStream(member, 2n);
    const good = frameOf(message(messageType.heartbeat, 2n, 1n, { commit: 4 }));
    stream.socket.write(Buffer.concat([good, Buffer.alloc(20, 255), good]));
    await until(() => stream.isClosed, "closed");
    assert.equal(member.handler.messages.length, 1);
  });

  it("may carry what a member hands on for others: proposals, reads, transfers", async () => {
    const member = await listener();
    const stream = await rawStream(member, 2n);
    const types = [messageType.prop, messageType.readIndex, messageType.transferLeader];
    stream.socket.write(frameOf(...types.map((type) => message(type, 9n, 1n))));
    await until(() => member.handler.messages.length === 3, "all three");
  });

  it("takes the place of an older one of the same kind from the same peer", async () => {
    const member = await listener();
    const older = await rawStream(member, 2n);
    const bulk = await rawStream(member, 2n, "bulk");
    const newer = await rawStream(member, 2n);
    await until(() => older.isClosed, "the older one closed");
    newer.socket.write(frameOf(message(messageType.vote, 2n, 1n)));
    bulk.socket.write(frameOf(message(messageType.app, 2n, 1n)));
    await until(() => member.handler.messages.length === 2, "messages on both");
  });

  it("is given up when nothing comes for linkSilenceHeartbeatsMax heartbeats", async () => {
    const member = await listener({ linkHeartbeatMs: 20 });
    const stream = await rawStream(member, 2n);
    const startMs = performance.now();
    await until(() => stream.isClosed, "closed");
    assert.ok(performance.now() - startMs >= 55);
  });

  it("does not pile up acknowledgements for a peer that reads none: acknowledgementBacklogBytesMax", async () => {
    const member = await listener({ linkHeartbeatMs: 5_000 });
    const stream = await rawStream(member, 2n);
    stream.socket.pause();
    const pings = Buffer.concat(
      Array.from({ length: 20_000 }, (_, i) => encodeFrame({ messages: [], ping: i + 1, pong: 0 })),
    );
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 15; i++) {
      if (!stream.socket.write(pings))
        await Promise.race([delay(500), new Promise((r) => stream.socket.once("drain", r))]);
    }
    await delay(100);
    assert.ok(process.memoryUsage().rss - before < 80_000_000);
    assert.ok(!stream.isClosed);
    stream.socket.destroy();
  });

  it("stands single bytes and half frames from a peer that then goes away", async () => {
    const member = await listener();
    const frame = frameOf(message(messageType.vote, 2n, 1n));
    for (let length = 0; length < frame.length; length += 3) {
      const stream = await rawStream(member, 2n);
      stream.socket.write(frame.subarray(0, length));
      stream.socket.resetAndDestroy();
    }
    const stream = await rawStream(member, 2n);
    for (const byte of frame) {
      stream.socket.write(Buffer.from([byte]));
      await delay(1);
    }
    await until(() => member.handler.messages.length === 1, "the message");
    assert.equal(member.observer.count("receiveFailed", 2n), 0);
  });

  it("ends when its peer leaves the cluster", async () => {
    const member = await listener();
    const stream = await rawStream(member, 2n);
    member.network.setPeers([]);
    await until(() => stream.isClosed, "closed");
  });
});

/** A frame with a right checksum whose payload is no PeerFrame: its ping never ends. */
function encodeGarbage(): Buffer {
  const frame = Buffer.from(encodeFrame({ messages: [], ping: 300, pong: 0 }));
  frame.fill(0xff, 9);
  frame.writeUInt32LE(crc32(frame, 0, 8), 4);
  return frame;
}
