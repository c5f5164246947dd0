import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { decodeFrame } from "../../../../src/server/peer/frame.ts";
import { FrameReader } from "../../../../src/server/peer/frame-reader.ts";
import { type PeerLimits, peerLimits } from "../../../../src/server/peer/limits.ts";
import { StreamWriter } from "../../../../src/server/peer/stream-writer.ts";
import { type Message, messageType } from "../../../../src/server/raft/index.ts";
import { message } from "./peer-world.ts";

/** A socket that takes writes only while it is open for them. */
class SlowSocket extends Duplex {
  readonly writes: Buffer[] = [];
  isTaking = true;
  #waiting: (() => void) | undefined;

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk);
    if (this.isTaking) done();
    else this.#waiting = done;
  }

  takeAll(): void {
    this.isTaking = true;
    this.#waiting?.();
  }
}

interface Fixture {
  readonly socket: SlowSocket;
  readonly writer: StreamWriter;
  readonly oversized: Message[];
  sentBytes: number;
}

function open(limits: Partial<PeerLimits> = {}, queueBytesMax = 100_000): Fixture {
  const socket = new SlowSocket({ writableHighWaterMark: 16_384 });
  const oversized: Message[] = [];
  const fixture: Fixture = {
    socket,
    oversized,
    sentBytes: 0,
    writer: new StreamWriter(socket, {
      limits: { ...peerLimits, ...limits },
      queueBytesMax,
      onSent: (bytes) => {
        fixture.sentBytes += bytes;
      },
      onOversized: (each) => oversized.push(each),
    }),
  };
  return fixture;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const heartbeat = (commit: number): Message => message(messageType.heartbeat, 1n, 2n, { commit });
const app = (bytes: number, index = 1): Message =>
  message(messageType.app, 1n, 2n, {
    index,
    entries: [{ term: 1, index, type: 0, data: Buffer.alloc(bytes) }],
  });

function framesOf(writes: readonly Buffer[]): { messages: readonly Message[]; ping: number }[] {
  const frames: { messages: readonly Message[]; ping: number }[] = [];
  const reader = new FrameReader(peerLimits.frameBytesMax, (payload) =>
    frames.push(decodeFrame(payload, peerLimits)),
  );
  for (const write of writes) reader.push(Buffer.from(write));
  return frames;
}

describe("The sending half of a stream", () => {
  it("writes all messages of a turn, and the ping, at once", async () => {
    const { socket, writer } = open();
    for (let i = 1; i <= 5; i++) assert.ok(writer.enqueue(heartbeat(i)));
    writer.ping(9);
    assert.equal(socket.writes.length, 0);
    await turn();
    assert.equal(socket.writes.length, 1);
    const [frame] = framesOf(socket.writes);
    assert.equal(frame?.ping, 9);
    assert.deepEqual(
      frame?.messages.map(({ commit }) => commit),
      [1, 2, 3, 4, 5],
    );
  });

  it("holds at most its queue and one frame for a peer that does not read", async () => {
    const { socket, writer } = open();
    socket.isTaking = false;
    let taken = 0;
    for (let i = 0; i < 1_000; i++) {
      if (writer.enqueue(app(5_000, i))) taken++;
      await turn();
    }
    assert.ok(writer.queuedBytes <= 100_000);
    // What the socket was given before it said stop, and what it was taking.
    assert.ok(socket.writableLength < 16_384 + 6_000);
    assert.ok(taken < 30);
    socket.takeAll();
    await turn();
    const arrived = framesOf(socket.writes).flatMap(({ messages }) => messages.map(({ index }) => index));
    assert.deepEqual(
      arrived,
      Array.from({ length: taken }, (_, i) => i),
    );
    assert.ok(writer.enqueue(heartbeat(1)), "there is room again");
  });

  it("refuses messages beyond queueMessagesMax, however small", async () => {
    const { socket, writer } = open({ queueMessagesMax: 10 }, 1_000_000);
    socket.isTaking = false;
    writer.enqueue(app(20_000));
    await turn();
    const taken = Array.from({ length: 20 }, (_, i) => writer.enqueue(heartbeat(i))).filter((each) => each);
    assert.equal(taken.length, 10);
  });

  it("takes one message whatever its size when nothing waits", () => {
    const { writer } = open({}, 1_000);
    assert.ok(writer.enqueue(app(50_000)));
    assert.ok(!writer.enqueue(heartbeat(1)));
  });

  it("begins another frame beyond frameBytesTarget", async () => {
    const { socket, writer } = open({ frameBytesTarget: 10_000 });
    for (let i = 0; i < 9; i++) writer.enqueue(app(3_000, i));
    await turn();
    await turn();
    const frames = framesOf(socket.writes);
    assert.deepEqual(
      frames.map(({ messages }) => messages.length),
      [3, 3, 3],
    );
  });

  it("drops and reports a message that no frame may hold, and goes on", async () => {
    const { socket, writer, oversized } = open({ frameBytesMax: 20_000, entriesPerFrameMax: 3 });
    const entry = { term: 1, index: 1, type: 0, data: Buffer.alloc(0) } as const;
    const many = message(messageType.app, 1n, 2n, { entries: [entry, entry, entry, entry] });
    writer.enqueue(many);
    await turn();
    const large = app(30_000);
    writer.enqueue(large);
    await turn();
    writer.enqueue(heartbeat(5));
    await turn();
    assert.deepEqual(oversized, [many, large]);
    assert.equal(framesOf(socket.writes).length, 1);
  });

  it("ends after what was queued has left, and takes nothing more", async () => {
    const { socket, writer } = open();
    socket.isTaking = false;
    writer.enqueue(app(20_000));
    await turn();
    writer.enqueue(heartbeat(1));
    writer.end();
    assert.ok(!writer.enqueue(heartbeat(2)));
    assert.ok(!socket.writableEnded);
    socket.takeAll();
    await turn();
    assert.ok(socket.writableEnded);
    assert.equal(framesOf(socket.writes).flatMap(({ messages }) => messages).length, 2);
  });

  it("counts the bytes it gives to the socket", async () => {
    const fixture = open();
    fixture.writer.enqueue(app(100));
    await turn();
    assert.equal(fixture.sentBytes, fixture.socket.writes[0]?.length);
  });
});
