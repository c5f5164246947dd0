/** HTTP/2 on the wire (RFC 9113), by hand: what no client library would send can be sent. */
import {
  FRAME_HEADER_BYTES,
  frameFlag,
  frameType,
  http2Error,
  PREFACE,
  setting,
  writeFrameHeader,
} from "../../src/server/api/wire/frames.ts";

export { frameFlag, frameType, http2Error, PREFACE, setting };

export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  return Buffer.concat([frameHead(payload.length, type, flags, streamId), payload]);
}

/** The nine bytes before a payload that may never come. */
export function frameHead(length: number, type: number, flags: number, streamId: number): Buffer {
  const head = Buffer.alloc(FRAME_HEADER_BYTES);
  writeFrameHeader(head, 0, length, type, flags, streamId);
  return head;
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(pairs.length * 6);
  for (const [at, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, at * 6);
    payload.writeUInt32BE(value >>> 0, at * 6 + 2);
  }
  return frame(frameType.settings, 0, 0, payload);
}

export const settingsAck = frame(frameType.settings, frameFlag.ack, 0);

export function windowUpdate(streamId: number, increment: number): Buffer {
  return frame(frameType.windowUpdate, 0, streamId, uint32(increment));
}

export function reset(streamId: number, code: number): Buffer {
  return frame(frameType.rstStream, 0, streamId, uint32(code));
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** An HPACK integer behind `first`, whose low `bits` bits are its prefix. */
export function hpackInteger(first: number, bits: number, value: number): Buffer {
  const max = 2 ** bits - 1;
  if (value < max) return Buffer.from([first | value]);
  const bytes = [first | max];
  let rest = value - max;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([hpackInteger(0, 7, bytes.length), bytes]);
}

/** A literal field with a new name; `isIndexed` puts it into the peer's table. */
export function literal(name: string, value: string, isIndexed = false): Buffer {
  return Buffer.concat([Buffer.from([isIndexed ? 0x40 : 0x00]), hpackString(name), hpackString(value)]);
}

const METHOD_POST = 0x83;
const SCHEME_HTTP = 0x86;

/** The header block of a gRPC request; it leaves the peer's table as it is. */
export function requestBlock(path: string, more: readonly (readonly [string, string])[] = []): Buffer {
  return Buffer.concat([
    Buffer.from([METHOD_POST, SCHEME_HTTP]),
    literal(":path", path),
    literal(":authority", "test"),
    literal("content-type", "application/grpc"),
    literal("te", "trailers"),
    ...more.map(([name, value]) => literal(name, value)),
  ]);
}

/** The same request, put into the peer's table by `first` and taken from there by `again`, in few bytes. */
export function repeatedBlocks(path: string): { first: Buffer; again: Buffer } {
  const fields = [
    literal(":path", path, true),
    literal(":authority", "test", true),
    literal("content-type", "application/grpc", true),
    literal("te", "trailers", true),
  ];
  const pseudo = Buffer.from([METHOD_POST, SCHEME_HTTP]);
  // The latest entry is 62: the first of four is 65.
  return {
    first: Buffer.concat([pseudo, ...fields]),
    again: Buffer.concat([pseudo, Buffer.from([0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62])]),
  };
}

export function headers(streamId: number, block: Buffer, flags: number = frameFlag.endHeaders): Buffer {
  return frame(frameType.headers, flags, streamId, block);
}

export function data(streamId: number, payload: Buffer, isLast = false): Buffer {
  return frame(frameType.data, isLast ? frameFlag.endStream : 0, streamId, payload);
}

/** A gRPC message as the payload of DATA. */
export function grpcMessage(message: Buffer, flag = 0, claimedLength = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(claimedLength >>> 0, 1);
  return Buffer.concat([head, message]);
}

/** A whole unary call, or a stream's first message. */
export function call(streamId: number, path: string, message: Buffer, isLast = true): Buffer {
  return Buffer.concat([headers(streamId, requestBlock(path)), data(streamId, grpcMessage(message), isLast)]);
}

export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #unread: Buffer = Buffer.alloc(0);

  *read(chunk: Buffer): Generator<ReceivedFrame> {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    while (this.#unread.length >= 9) {
      const length = this.#unread.readUIntBE(0, 3);
      if (this.#unread.length < 9 + length) return;
      yield {
        type: this.#unread[3] ?? 0,
        flags: this.#unread[4] ?? 0,
        streamId: this.#unread.readUInt32BE(5) & 0x7fff_ffff,
        payload: this.#unread.subarray(9, 9 + length),
      };
      this.#unread = this.#unread.subarray(9 + length);
    }
  }
}
