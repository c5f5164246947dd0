import assert from "node:assert/strict";
import { crc32 } from "../../../../src/lib/crc32.ts";
import { DecodeError } from "../../../../src/lib/errors.ts";
import { decodeFrame, encodeFrame, FRAME_HEADER_BYTES } from "../../../../src/server/peer/frame.ts";
import { messageType } from "../../../../src/server/raft/index.ts";
import { referenceCodec } from "../../codec/reference.ts";
import { message } from "./peer-world.ts";

const bounds = { messagesPerFrameMax: 10, entriesPerFrameMax: 10 };
const payloadOf = (frame: Buffer): Buffer => frame.subarray(FRAME_HEADER_BYTES);

describe("peer frame", () => {
  it("begins with the length and the checksum of what follows", () => {
    const frame = encodeFrame({ messages: [message(messageType.heartbeat, 1n, 2n)], ping: 3, pong: 0 });
    assert.equal(frame.readUInt32LE(0), frame.length - FRAME_HEADER_BYTES);
    assert.equal(frame.readUInt32LE(4), crc32(payloadOf(frame)));
  });

  it("gives back messages in their order, ping and pong", () => {
    const messages = [1, 2, 3].map((commit) => message(messageType.heartbeat, 1n, 2n, { commit }));
    const frame = encodeFrame({ messages, ping: 2 ** 40, pong: 7 });
    assert.deepEqual(decodeFrame(payloadOf(frame), bounds), { messages, ping: 2 ** 40, pong: 7 });
    const read = referenceCodec("metastorepb.PeerFrame").decode(payloadOf(frame)) as { messages: unknown[] };
    assert.equal(read.messages.length, 3);
  });

  it("holds no more messages and entries than it may: messagesPerFrameMax, entriesPerFrameMax", () => {
    const entry = { term: 1, index: 1, type: 0, data: Buffer.alloc(0) } as const;
    const app = message(messageType.app, 1n, 2n, { entries: [entry, entry, entry, entry, entry, entry] });
    const many = encodeFrame({
      messages: new Array(11).fill(message(messageType.vote, 1n, 2n)),
      ping: 0,
      pong: 0,
    });
    assert.throws(() => decodeFrame(payloadOf(many), bounds), /too many messages/);
    // The bound is for all messages of the frame together.
    const full = encodeFrame({ messages: [app, app], ping: 0, pong: 0 });
    assert.throws(() => decodeFrame(payloadOf(full), bounds), /too many entries/);
    assert.equal(decodeFrame(payloadOf(full), { ...bounds, entriesPerFrameMax: 12 }).messages.length, 2);
  });

  it("passes over what a newer version adds, and refuses damage with DecodeError", () => {
    assert.deepEqual(decodeFrame(Buffer.from("2a03010203", "hex"), bounds), {
      messages: [],
      ping: 0,
      pong: 0,
    });
    assert.throws(() => decodeFrame(Buffer.from("0aff01", "hex"), bounds), DecodeError);
  });

  it("that are written later do not change those written before", () => {
    const first = encodeFrame({ messages: [message(messageType.vote, 1n, 2n)], ping: 0, pong: 0 });
    const copy = Buffer.from(first);
    for (let i = 0; i < 2_000; i++)
      encodeFrame({ messages: [message(messageType.vote, 3n, 4n)], ping: i, pong: 0 });
    assert.ok(first.equals(copy));
  });
});
