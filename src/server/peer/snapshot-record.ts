import { Reader, type Writer } from "../../codec/index.ts";
import { DecodeError } from "../../lib/errors.ts";
import type { Message } from "../raft/index.ts";
import { encodeFramed } from "./frame.ts";
import { peerLimits } from "./limits.ts";
import { MessageReader, writeMessage } from "./message-codec.ts";

export interface SnapshotEnd {
  readonly chunks: number;
  readonly bytes: number;
  readonly sha256: Uint8Array;
}

/** metastorepb.SnapshotRecord: a message first, chunks in between, the end last. */
export type SnapshotRecord =
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "chunk"; readonly chunk: Uint8Array }
  | { readonly kind: "end"; readonly end: SnapshotEnd };

/** The record in a frame, header included. */
export function encodeSnapshotRecord(record: SnapshotRecord): Buffer {
  return encodeFramed((writer) => {
    switch (record.kind) {
      case "message":
        writer.message(0x0a, record.message, writeMessage);
        return;
      case "chunk":
        writer.rawBytes(0x12, record.chunk);
        return;
      case "end":
        writer.message(0x1a, record.end, writeEnd);
    }
  });
}

/** A chunk is a view of `payload`. Throws DecodeError, also for a record of no kind. */
export function decodeSnapshotRecord(payload: Uint8Array): SnapshotRecord {
  const reader = new Reader(payload);
  let record: SnapshotRecord | undefined;
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        record = {
          kind: "message",
          message: reader.message(new MessageReader(peerLimits.entriesPerFrameMax).read),
        };
        break;
      case 0x12:
        record = { kind: "chunk", chunk: reader.view() };
        break;
      case 0x1a:
        record = { kind: "end", end: reader.message(readEnd) };
        break;
      default:
        reader.skip(tag);
    }
  }
  if (record === undefined) throw new DecodeError("a snapshot record is of no known kind");
  return record;
}

function writeEnd(writer: Writer, end: SnapshotEnd): void {
  writer.rawBytes(0x1a, end.sha256);
  writer.int64(0x10, end.bytes);
  writer.int64(0x08, end.chunks);
}

function readEnd(reader: Reader): SnapshotEnd {
  const end = { chunks: 0, bytes: 0, sha256: Buffer.alloc(0) };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        end.chunks = reader.uint64();
        break;
      case 0x10:
        end.bytes = reader.uint64();
        break;
      case 0x1a:
        end.sha256 = reader.view() as Buffer<ArrayBuffer>;
        break;
      default:
        reader.skip(tag);
    }
  }
  return end;
}
