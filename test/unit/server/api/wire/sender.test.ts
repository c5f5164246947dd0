import assert from "node:assert/strict";
import { frameFlag, frameType, setting } from "../../../../../src/server/api/wire/frames.ts";
import { HpackDecoder } from "../../../../../src/server/api/wire/hpack-decoder.ts";
import { Output } from "../../../../../src/server/api/wire/output.ts";
import { Sender, SendState, usual } from "../../../../../src/server/api/wire/sender.ts";
import { contentOf, PeerSocket } from "./frame-peer.ts";

class State extends SendState {
  readonly taken: number[] = [];
  ends = 0;

  override onTaken(messageBytes: number): void {
    this.taken.push(messageBytes);
  }

  override onSendEnded(): void {
    this.ends++;
  }
}

function createSender() {
  const socket = new PeerSocket();
  const output = new Output(socket);
  const sender = new Sender(output, () => {});
  /** Type, flags and payload of what was written since the last call. */
  const written = (): { type: number; flags: number; payload: Buffer }[] => {
    output.flush();
    const bytes = Buffer.concat(socket.written.splice(0));
    const frames: { type: number; flags: number; payload: Buffer }[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      frames.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, payload: bytes.subarray(at + 9, end) });
      at = end;
    }
    return frames;
  };
  return { sender, socket, output, written };
}

describe("Sender", () => {
  it("cuts a header block that is larger than a frame into CONTINUATION frames", () => {
    const { sender, written } = createSender();
    const state = new State(1, 65_535);
    const fields = [":status", "200", "x", "~\\".repeat(30_000), "y", "z"];
    sender.end(state, fields);
    const frames = written();
    assert.ok(frames.length > 1);
    assert.deepEqual(
      frames.map(({ type, flags }) => [type, flags]),
      frames.map((_frame, i) => [
        i === 0 ? frameType.headers : frameType.continuation,
        (i === 0 ? frameFlag.endStream : 0) | (i === frames.length - 1 ? frameFlag.endHeaders : 0),
      ]),
    );
    for (const { payload } of frames) assert.ok(payload.length <= 16_384);
    const block = Buffer.concat(frames.map(({ payload }) => payload));
    const decoder = new HpackDecoder({ tableBytesMax: 4_096, listBytesMax: 100_000, fieldsMax: 10 });
    assert.deepEqual(decoder.decode(block, 0, block.length).fields, fields);
    assert.equal(state.ends, 1);
  });

  it("writes frames of 16,384 bytes at most, whatever the peer allows", () => {
    const { sender, written } = createSender();
    const bytes = 8 * 16_384 + 1;
    const state = new State(1, bytes + 5);
    assert.equal(sender.applySetting(setting.maxFrameSize, 16_777_215, [state]), true);
    assert.equal(sender.addConnectionWindow(bytes), true);
    sender.headers(state, usual);
    sender.message(state, contentOf(bytes));
    sender.pump();
    const data = written().filter(({ type }) => type === frameType.data);
    assert.equal(
      data.reduce((sum, { payload }) => sum + payload.length, 0),
      bytes + 5,
    );
    assert.deepEqual(Math.max(...data.map(({ payload }) => payload.length)), 16_384);
  });

  it("writes nothing on a stream that has ended or was reset", () => {
    const { sender, written } = createSender();
    const ended = new State(1, 65_535);
    const reset = new State(3, 0);
    sender.headers(ended, usual);
    sender.end(ended, usual);
    sender.headers(reset, usual);
    sender.message(reset, contentOf(10));
    sender.end(reset, usual);
    sender.reset(reset, 3, 8);
    assert.equal(written().length, 4);
    for (const state of [ended, reset]) {
      sender.headers(state, usual);
      assert.equal(sender.message(state, contentOf(1)), true);
      assert.equal(sender.data(state, contentOf(1)), true);
      sender.answer(state, contentOf(1));
      sender.end(state, usual);
      sender.end(state, "data");
      sender.addStreamWindow(state, 1_000);
    }
    assert.deepEqual(written(), []);
    assert.equal(ended.ends, 1);
    assert.equal(reset.ends, 0);
    assert.equal(sender.queuedBytes, 0);
  });

  it("tells of each message that had to wait, once it has gone whole, and ends behind the last", () => {
    const { sender, written } = createSender();
    const state = new State(1, 15);
    assert.equal(sender.message(state, contentOf(10)), true);
    assert.equal(sender.message(state, contentOf(20)), false);
    assert.equal(sender.message(state, contentOf(0)), false);
    sender.end(state, usual);
    assert.equal(sender.queuedBytes, 30);
    assert.equal(sender.addStreamWindow(state, 24), true);
    assert.deepEqual(state.taken, []);
    sender.addStreamWindow(state, 5);
    assert.deepEqual(state.taken, [20]);
    assert.equal(state.ends, 0);
    sender.addStreamWindow(state, 1);
    assert.deepEqual(state.taken, [20, 0]);
    assert.equal(state.ends, 1);
    assert.equal(sender.queuedBytes, 0);
    assert.deepEqual(
      written().map(({ payload, type }) => (type === frameType.data ? payload.length : "end")),
      [15, 24, 5, 1, "end"],
    );
  });

  it("writes an answer in the same way in one go and in parts", () => {
    for (const bytes of [0, 1, 4_096, 4_097, 16_379, 16_380, 40_000]) {
      const { sender, written } = createSender();
      const state = new State(1, 65_535);
      sender.answer(state, contentOf(bytes));
      sender.pump();
      const frames = written();
      const [first, last] = [frames[0]!, frames.at(-1)!];
      assert.deepEqual([first.type, first.flags], [frameType.headers, frameFlag.endHeaders]);
      assert.deepEqual(
        [last.type, last.flags],
        [frameType.headers, frameFlag.endHeaders | frameFlag.endStream],
      );
      const body = Buffer.concat(frames.slice(1, -1).map(({ payload }) => payload));
      assert.equal(body.readUInt32BE(1), bytes);
      assert.ok(body.subarray(5).equals(contentOf(bytes)));
      assert.equal(state.ends, 1);
    }
  });

  it("holds back what a socket that is full does not take, and goes on when it has room", () => {
    const { sender, socket, output, written } = createSender();
    socket.isStuck = true;
    const state = new State(1, 2_147_483_647);
    sender.addConnectionWindow(100_000_000);
    let sent = 0;
    while (sender.message(state, contentOf(16_000))) sent++;
    assert.ok(sent >= 65 && sent <= 67, `${sent}`);
    output.flush();
    sender.pump();
    assert.equal(sender.queuedBytes, 16_005);
    socket.release();
    sender.pump();
    assert.equal(sender.queuedBytes, 0);
    assert.equal(written().length, sent + 1);
  });

  it("is told of windows that overflow", () => {
    const { sender } = createSender();
    const state = new State(1, 65_535);
    assert.equal(sender.addStreamWindow(state, 2_147_483_647 - 65_535), true);
    assert.equal(sender.addStreamWindow(state, 1), false);
    assert.equal(sender.addConnectionWindow(2_147_483_647 - 65_535), true);
    assert.equal(sender.addConnectionWindow(1), false);
    const other = new State(3, 2_147_483_647);
    assert.equal(sender.applySetting(setting.initialWindowSize, 65_536, [other]), false);
  });
});
