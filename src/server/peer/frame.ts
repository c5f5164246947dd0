import { Reader, Writer } from "../../codec/index.ts";
import { crc32 } from "../../lib/crc32.ts";
import { DecodeError } from "../../lib/errors.ts";
import type { Message } from "../raft/index.ts";
import { MessageReader, writeMessage } from "./message-codec.ts";

/** Length and CRC-32 of the payload, 4 bytes each, little-endian. */
export const FRAME_HEADER_BYTES = 8;

/** metastorepb.PeerFrame. */
export interface Frame {
  readonly messages: readonly Message[];
  /** A number to be given back; 0 when there is none. */
  readonly ping: number;
  readonly pong: number;
}

const writer = new Writer();

/** Makes a whole frame of the payload that `write` puts down, header included. */
export function encodeFramed(write: (writer: Writer) => void): Buffer {
  writer.begin();
  write(writer);
  writer.reserve(FRAME_HEADER_BYTES);
  const frame = writer.finish();
  frame.writeUInt32LE(frame.length - FRAME_HEADER_BYTES, 0);
  frame.writeUInt32LE(crc32(frame, 0, FRAME_HEADER_BYTES), 4);
  return frame;
}

export function encodeFrame(frame: Frame): Buffer {
  return encodeFramed((target) => {
    target.int64(0x18, frame.pong);
    target.int64(0x10, frame.ping);
    target.messages(0x0a, frame.messages, writeMessage);
  });
}

/** Throws DecodeError, also for more messages or entries than a frame may hold. */
export function decodeFrame(
  payload: Uint8Array,
  bounds: { readonly messagesPerFrameMax: number; readonly entriesPerFrameMax: number },
): Frame {
  const reader = new Reader(payload);
  const { read } = new MessageReader(bounds.entriesPerFrameMax);
  const messages: Message[] = [];
  let ping = 0;
  let pong = 0;
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        if (messages.length >= bounds.messagesPerFrameMax) {
          throw new DecodeError("a frame holds too many messages");
        }
        messages.push(reader.message(read));
        break;
      case 0x10:
        ping = reader.uint64();
        break;
      case 0x18:
        pong = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { messages, ping, pong };
}
