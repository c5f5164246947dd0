import assert from "node:assert/strict";
import fc from "fast-check";
import { FrameReader } from "../../../../../src/server/api/wire/frame-reader.ts";
import {
  ConnectionError,
  FRAME_PAYLOAD_BYTES_MAX,
  http2Error,
  PREFACE,
} from "../../../../../src/server/api/wire/frames.ts";
import { contentOf, type Frame, frameOf } from "./frame-peer.ts";

function createReader(onFrame: (frame: Frame) => void = () => {}): { reader: FrameReader; frames: Frame[] } {
  const frames: Frame[] = [];
  const reader = new FrameReader({
    onFrame(type, flags, stream, source, start, end) {
      const frame = { type, flags, stream, payload: source.subarray(start, end) };
      frames.push(frame);
      onFrame(frame);
    },
  });
  return { reader, frames };
}

const encoded = (frames: readonly Frame[]): Buffer =>
  Buffer.concat([
    PREFACE,
    ...frames.map(({ type, flags, stream, payload }) => frameOf(type, flags, stream, payload)),
  ]);

const isError = (code: number) => (error: unknown) => error instanceof ConnectionError && error.code === code;

describe("FrameReader", () => {
  it("cuts the same frames out of every split of a stream in three", () => {
    const sent: Frame[] = [
      { type: 4, flags: 0, stream: 0, payload: Buffer.alloc(0) },
      { type: 1, flags: 0x25, stream: 2_147_483_647, payload: contentOf(7) },
      { type: 255, flags: 255, stream: 1, payload: contentOf(1) },
    ];
    const bytes = encoded(sent);
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        const { reader, frames } = createReader();
        reader.push(bytes.subarray(0, first));
        reader.push(bytes.subarray(first, second));
        reader.push(bytes.subarray(second));
        assert.deepEqual(frames, sent, `${first}, ${second}`);
      }
    }
  });

  it("cuts the same frames out of any chunks, and their payloads stay as they were", () => {
    const frame = fc.record<Frame>(
      {
        type: fc.nat(255),
        flags: fc.nat(255),
        stream: fc.nat(2_147_483_647),
        payload: fc.oneof(fc.nat(20), fc.nat(FRAME_PAYLOAD_BYTES_MAX)).map(contentOf),
      },
      { noNullPrototype: true },
    );
    const chunk = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 40_000 }));
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 12 }),
        fc.array(chunk, { minLength: 1, maxLength: 20 }),
        (sent, chunks) => {
          const bytes = encoded(sent);
          const { reader, frames } = createReader();
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const end = at + chunks[i % chunks.length]!;
            reader.push(Buffer.from(bytes.subarray(at, end)));
            at = end;
          }
          assert.deepEqual(frames, sent);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("hands on the identifier of a stream without its reserved bit", () => {
    const { reader, frames } = createReader();
    reader.push(Buffer.concat([PREFACE, frameOf(0, 0, 0x8000_0005)]));
    assert.equal(frames[0]?.stream, 5);
  });

  it("takes a frame of the largest size and refuses a larger one by its header alone", () => {
    const largest = frameOf(0, 0, 1, contentOf(FRAME_PAYLOAD_BYTES_MAX));
    const header = frameOf(0, 0, 1, contentOf(FRAME_PAYLOAD_BYTES_MAX + 1)).subarray(0, 9);
    for (const pieceBytes of [1, 5, 9]) {
      const { reader, frames } = createReader();
      reader.push(Buffer.concat([PREFACE, largest]));
      assert.equal(frames.length, 1);
      assert.throws(() => {
        for (let at = 0; at < header.length; at += pieceBytes)
          reader.push(header.subarray(at, at + pieceBytes));
      }, isError(http2Error.frameSizeError));
    }
  });

  it("refuses another preface at its first wrong byte", () => {
    for (let wrong = 0; wrong < PREFACE.length; wrong++) {
      const preface = Buffer.from(PREFACE);
      preface[wrong]! ^= 1;
      const { reader } = createReader();
      reader.push(preface.subarray(0, wrong));
      assert.throws(() => reader.push(preface.subarray(wrong, wrong + 1)), isError(http2Error.protocolError));
    }
  });

  it("looks at nothing once it was stopped, not even at the rest of a chunk", () => {
    const { reader, frames } = createReader(({ type }) => {
      if (type === 2) reader.stop();
    });
    reader.push(encoded([1, 2, 3].map((type) => ({ type, flags: 0, stream: 0, payload: contentOf(3) }))));
    reader.push(frameOf(4, 0, 0));
    assert.deepEqual(
      frames.map(({ type }) => type),
      [1, 2],
    );
  });

  it("lets what its sink throws through, and loses no frame before it", () => {
    const { reader, frames } = createReader(({ type }) => {
      if (type === 2) throw new ConnectionError(http2Error.internalError, "no");
    });
    const bytes = encoded([1, 2].map((type) => ({ type, flags: 0, stream: 0, payload: contentOf(3) })));
    assert.throws(() => reader.push(bytes), isError(http2Error.internalError));
    assert.equal(frames.length, 2);
  });
});
