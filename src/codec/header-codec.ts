import { decoder, encoder } from "./codec.ts";
import type { EmptyMessage, HeaderOnlyResponse, ResponseHeader } from "./messages.ts";
import type { Reader } from "./wire-reader.ts";
import type { Writer } from "./wire-writer.ts";

/** etcdserverpb.ResponseHeader; all zeros is a present message of no bytes (a nested transaction's header). */
export function writeResponseHeader(writer: Writer, header: ResponseHeader): void {
  writer.int64(0x20, header.raftTerm);
  writer.int64(0x18, header.revision);
  writer.bigUint64(0x10, header.memberId);
  writer.bigUint64(0x08, header.clusterId);
}

export function readResponseHeader(reader: Reader): ResponseHeader {
  const header: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        header.clusterId = reader.bigUint64();
        break;
      case 0x10:
        header.memberId = reader.bigUint64();
        break;
      case 0x18:
        header.revision = reader.int64();
        break;
      case 0x20:
        header.raftTerm = reader.uint64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return header;
}

/** Any response whose only field is `header = 1`. */
export function writeHeaderOnlyResponse(writer: Writer, message: HeaderOnlyResponse): void {
  writer.message(0x0a, message.header, writeResponseHeader);
}

export function readHeaderOnlyResponse(reader: Reader): HeaderOnlyResponse {
  const message: HeaderOnlyResponse = { header: undefined };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else reader.skip(tag);
  }
  return message;
}

export const encodeHeaderOnlyResponse = encoder(writeHeaderOnlyResponse);
export const decodeHeaderOnlyResponse = decoder(readHeaderOnlyResponse);

function writeEmptyMessage(_writer: Writer, _message: EmptyMessage): void {}

export function readEmptyMessage(reader: Reader): EmptyMessage {
  while (reader.hasMore) reader.skip(reader.tag());
  return {};
}

export const encodeEmptyMessage = encoder(writeEmptyMessage);
export const decodeEmptyMessage = decoder(readEmptyMessage);
