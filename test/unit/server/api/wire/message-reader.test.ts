import assert from "node:assert/strict";
import fc from "fast-check";
import { MessageReader, type MessageSink } from "../../../../../src/server/api/wire/message-reader.ts";
import { contentOf, messageOf, uint32 } from "./frame-peer.ts";

const BYTES_MAX = 10_000;

/** Keeps what is delivered: as it was then, and the view itself. */
class Sink implements MessageSink {
  readonly copies: Buffer[] = [];
  readonly views: Buffer[] = [];
  readonly compressed: boolean[] = [];
  readonly refused: number[] = [];
  keptBytes = 0;
  keptBytesHighest = 0;
  keptBytesMax = Number.POSITIVE_INFINITY;
  onMessage: () => void = () => {};

  takeMessage(message: Buffer, isCompressed: boolean): void {
    this.copies.push(Buffer.from(message));
    this.views.push(message);
    this.compressed.push(isCompressed);
    this.onMessage();
  }

  refuseOversized(bytes: number): void {
    this.refused.push(bytes);
  }

  keepBytes(bytes: number): boolean {
    this.keptBytes += bytes;
    this.keptBytesHighest = Math.max(this.keptBytesHighest, this.keptBytes);
    return bytes <= 0 || this.keptBytes <= this.keptBytesMax;
  }
}

const createReader = (): { sink: Sink; reader: MessageReader } => {
  const sink = new Sink();
  return { sink, reader: new MessageReader(sink, BYTES_MAX) };
};
const push = (reader: MessageReader, bytes: Buffer) => reader.push(bytes, 0, bytes.length);

const lengths = fc.array(fc.oneof(fc.nat(20), fc.nat(600), fc.nat(BYTES_MAX)), { maxLength: 15 });
const chunkLengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 5_000 })), {
  minLength: 1,
  maxLength: 15,
});

/** Messages of different content for each place. */
const messagesOf = (lengths: readonly number[]): Buffer[] =>
  lengths.map((length, i) => contentOf(length + i).subarray(i));

function* chunksOf(messages: readonly Buffer[], chunkLengths: readonly number[]): Generator<Buffer> {
  const bytes = Buffer.concat(messages.map(messageOf));
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + chunkLengths[i % chunkLengths.length]!;
    yield bytes.subarray(at, end);
    at = end;
  }
}

describe("MessageReader", () => {
  it("cuts the same messages out of any chunks, leaves them as they were and keeps nothing in the end", () => {
    fc.assert(
      fc.property(lengths, chunkLengths, (lengths, chunkLengths) => {
        const { sink, reader } = createReader();
        const messages = messagesOf(lengths);
        let pushed = 0;
        for (const chunk of chunksOf(messages, chunkLengths)) {
          // Somewhere inside a larger buffer, as in a frame.
          const source = Buffer.concat([Buffer.alloc(3, 0xff), chunk, Buffer.alloc(2, 0xff)]);
          reader.push(source, 3, 3 + chunk.length);
          pushed += chunk.length;
          const delivered = sink.copies.reduce((sum, { length }) => sum + 5 + length, 0);
          assert.equal(reader.waitingBytes, pushed - delivered);
        }
        assert.deepEqual(sink.copies, messages);
        assert.deepEqual(sink.views, messages);
        assert.equal(sink.keptBytes, 0);
        assert.equal(reader.waitingBytes, 0);
      }),
      { numRuns: 300 },
    );
  });

  it("delivers nothing while it is paused, and everything in order when it goes on", () => {
    const pauses = fc.array(fc.boolean(), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(lengths, chunkLengths, pauses, pauses, (lengths, chunkLengths, inside, outside) => {
        const { sink, reader } = createReader();
        const messages = messagesOf(lengths);
        sink.onMessage = () => {
          assert.equal(reader.isPaused, false);
          reader.isPaused = inside[sink.copies.length % inside.length]!;
        };
        let turn = 0;
        for (const chunk of chunksOf(messages, chunkLengths)) {
          const before = sink.copies.length;
          const wasPaused = reader.isPaused;
          push(reader, Buffer.from(chunk));
          if (wasPaused) assert.equal(sink.copies.length, before);
          if (outside[turn++ % outside.length]) reader.resume();
        }
        while (reader.isPaused) reader.resume();
        assert.deepEqual(sink.views, messages);
        assert.deepEqual(sink.copies, messages);
        assert.equal(sink.keptBytes, 0);
      }),
      { numRuns: 300 },
    );
  });

  it("may be paused and resumed by the message it delivers", () => {
    const { sink, reader } = createReader();
    sink.onMessage = () => {
      reader.isPaused = true;
      reader.resume();
    };
    const messages = messagesOf([1, 0, 300, 2]);
    const bytes = Buffer.concat(messages.map(messageOf));
    push(reader, bytes.subarray(0, 100));
    push(reader, bytes.subarray(100));
    assert.deepEqual(sink.views, messages);
  });

  it("takes a message of the limit and refuses a longer one by its prefix, whatever follows", () => {
    const { sink, reader } = createReader();
    push(reader, messageOf(contentOf(BYTES_MAX)));
    push(reader, Buffer.concat([Buffer.from([0]), uint32(BYTES_MAX + 1), messageOf(contentOf(1))]));
    push(reader, messageOf(contentOf(2)));
    assert.deepEqual(sink.refused, [BYTES_MAX + 1]);
    assert.equal(sink.copies.length, 1);
    assert.equal(sink.keptBytes, 0);
  });

  it("refuses a declared length over the limit also when its prefix comes byte by byte", () => {
    const { sink, reader } = createReader();
    for (const byte of [0, 0xff, 0xff, 0xff, 0xff, 1, 2]) push(reader, Buffer.from([byte]));
    assert.deepEqual(sink.refused, [4_294_967_295]);
    assert.equal(sink.keptBytes, 0);
  });

  it("keeps memory for what has arrived, not for what was declared", () => {
    const { sink, reader } = createReader();
    push(reader, Buffer.concat([Buffer.from([0]), uint32(BYTES_MAX), contentOf(95)]));
    assert.ok(sink.keptBytes <= 256);
    for (let arrived = 100; arrived < BYTES_MAX - 100; arrived += 100) {
      push(reader, contentOf(100));
      assert.ok(sink.keptBytes <= Math.max(256, 2 * (arrived + 100)), `${sink.keptBytes} for ${arrived}`);
    }
    assert.ok(sink.keptBytesHighest <= BYTES_MAX + 5);
  });

  it("gives up a message that it may not keep", () => {
    const { sink, reader } = createReader();
    sink.keptBytesMax = 1_000;
    push(reader, messageOf(contentOf(2_000)).subarray(0, 900));
    assert.deepEqual(sink.refused, []);
    push(reader, contentOf(200));
    assert.equal(sink.refused.length, 1);
    assert.equal(sink.keptBytes, 0);
    push(reader, messageOf(contentOf(1)));
    assert.deepEqual(sink.copies, []);
  });

  it("says which messages are compressed", () => {
    const { sink, reader } = createReader();
    push(reader, Buffer.from([1, 0, 0, 0, 1, 9, 0, 0, 0, 0, 0]));
    assert.deepEqual(sink.compressed, [true, false]);
  });

  it("delivers and keeps nothing once it was stopped, by a message too", () => {
    const { sink, reader } = createReader();
    push(reader, messageOf(contentOf(50)).subarray(0, 20));
    assert.ok(sink.keptBytes > 0);
    sink.onMessage = () => reader.stop();
    push(reader, Buffer.concat([messageOf(contentOf(50)).subarray(20), messageOf(contentOf(3))]));
    push(reader, messageOf(contentOf(4)));
    assert.deepEqual(sink.views, [contentOf(50)]);
    assert.equal(sink.keptBytes, 0);
    assert.equal(reader.waitingBytes, 0);
  });
});
