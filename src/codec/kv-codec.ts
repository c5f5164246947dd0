import { EMPTY } from "../lib/bytes.ts";
import { decoder, encoder } from "./codec.ts";
import {
  readHeaderOnlyResponse,
  readResponseHeader,
  writeHeaderOnlyResponse,
  writeResponseHeader,
} from "./header-codec.ts";
import { readKeyValue, writeKeyValue } from "./key-value-codec.ts";
import type {
  CompactionRequest,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RangeStreamResponse,
} from "./messages.ts";
import type { Reader } from "./wire-reader.ts";
import type { Writer } from "./wire-writer.ts";

export function writeRangeRequest(writer: Writer, message: RangeRequest): void {
  writer.int64(0x68, message.maxCreateRevision);
  writer.int64(0x60, message.minCreateRevision);
  writer.int64(0x58, message.maxModRevision);
  writer.int64(0x50, message.minModRevision);
  writer.bool(0x48, message.countOnly);
  writer.bool(0x40, message.keysOnly);
  writer.bool(0x38, message.serializable);
  writer.int64(0x30, message.sortTarget);
  writer.int64(0x28, message.sortOrder);
  writer.int64(0x20, message.revision);
  writer.int64(0x18, message.limit);
  writer.bytes(0x12, message.rangeEnd);
  writer.bytes(0x0a, message.key);
}

export function readRangeRequest(reader: Reader): RangeRequest {
  const message: RangeRequest = {
    key: EMPTY,
    rangeEnd: EMPTY,
    limit: 0,
    revision: 0,
    sortOrder: 0,
    sortTarget: 0,
    serializable: false,
    keysOnly: false,
    countOnly: false,
    minModRevision: 0,
    maxModRevision: 0,
    minCreateRevision: 0,
    maxCreateRevision: 0,
  };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        message.key = reader.bytes();
        break;
      case 0x12:
        message.rangeEnd = reader.bytes();
        break;
      case 0x18:
        message.limit = reader.clampedInt64();
        break;
      case 0x20:
        message.revision = reader.clampedInt64();
        break;
      case 0x28:
        message.sortOrder = reader.int32();
        break;
      case 0x30:
        message.sortTarget = reader.int32();
        break;
      case 0x38:
        message.serializable = reader.bool();
        break;
      case 0x40:
        message.keysOnly = reader.bool();
        break;
      case 0x48:
        message.countOnly = reader.bool();
        break;
      case 0x50:
        message.minModRevision = reader.clampedInt64();
        break;
      case 0x58:
        message.maxModRevision = reader.clampedInt64();
        break;
      case 0x60:
        message.minCreateRevision = reader.clampedInt64();
        break;
      case 0x68:
        message.maxCreateRevision = reader.clampedInt64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

export const encodeRangeRequest = encoder(writeRangeRequest);
export const decodeRangeRequest = decoder(readRangeRequest);

export function writeRangeResponse(writer: Writer, message: RangeResponse): void {
  writer.int64(0x20, message.count);
  writer.bool(0x18, message.more);
  writer.messages(0x12, message.kvs, writeKeyValue);
  writer.message(0x0a, message.header, writeResponseHeader);
}

export function readRangeResponse(reader: Reader): RangeResponse {
  const message: RangeResponse = { header: undefined, kvs: [], more: false, count: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        message.header = reader.message(readResponseHeader);
        break;
      case 0x12:
        message.kvs.push(reader.message(readKeyValue));
        break;
      case 0x18:
        message.more = reader.bool();
        break;
      case 0x20:
        message.count = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

export const encodeRangeResponse = encoder(writeRangeResponse);
export const decodeRangeResponse = decoder(readRangeResponse);

function writeRangeStreamResponse(writer: Writer, message: RangeStreamResponse): void {
  writer.message(0x0a, message.rangeResponse, writeRangeResponse);
}

function readRangeStreamResponse(reader: Reader): RangeStreamResponse {
  const message: RangeStreamResponse = {
    rangeResponse: { header: undefined, kvs: [], more: false, count: 0 },
  };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.rangeResponse = reader.message(readRangeResponse);
    else reader.skip(tag);
  }
  return message;
}

export const encodeRangeStreamResponse = encoder(writeRangeStreamResponse);
export const decodeRangeStreamResponse = decoder(readRangeStreamResponse);

export function writePutRequest(writer: Writer, message: PutRequest): void {
  writer.bool(0x30, message.ignoreLease);
  writer.bool(0x28, message.ignoreValue);
  writer.bool(0x20, message.prevKv);
  writer.bigInt64(0x18, message.lease);
  writer.bytes(0x12, message.value);
  writer.bytes(0x0a, message.key);
}

export function readPutRequest(reader: Reader): PutRequest {
  const message: PutRequest = {
    key: EMPTY,
    value: EMPTY,
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        message.key = reader.bytes();
        break;
      case 0x12:
        message.value = reader.bytes();
        break;
      case 0x18:
        message.lease = reader.bigInt64();
        break;
      case 0x20:
        message.prevKv = reader.bool();
        break;
      case 0x28:
        message.ignoreValue = reader.bool();
        break;
      case 0x30:
        message.ignoreLease = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

export const encodePutRequest = encoder(writePutRequest);
export const decodePutRequest = decoder(readPutRequest);

export function writePutResponse(writer: Writer, message: PutResponse): void {
  writer.message(0x12, message.prevKv, writeKeyValue);
  writer.message(0x0a, message.header, writeResponseHeader);
}

export function readPutResponse(reader: Reader): PutResponse {
  const message: PutResponse = { header: undefined, prevKv: undefined };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x12) message.prevKv = reader.message(readKeyValue);
    else reader.skip(tag);
  }
  return message;
}

export const encodePutResponse = encoder(writePutResponse);
export const decodePutResponse = decoder(readPutResponse);

export function writeDeleteRangeRequest(writer: Writer, message: DeleteRangeRequest): void {
  writer.bool(0x18, message.prevKv);
  writer.bytes(0x12, message.rangeEnd);
  writer.bytes(0x0a, message.key);
}

export function readDeleteRangeRequest(reader: Reader): DeleteRangeRequest {
  const message: DeleteRangeRequest = { key: EMPTY, rangeEnd: EMPTY, prevKv: false };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.key = reader.bytes();
    else if (tag === 0x12) message.rangeEnd = reader.bytes();
    else if (tag === 0x18) message.prevKv = reader.bool();
    else reader.skip(tag);
  }
  return message;
}

export const encodeDeleteRangeRequest = encoder(writeDeleteRangeRequest);
export const decodeDeleteRangeRequest = decoder(readDeleteRangeRequest);

export function writeDeleteRangeResponse(writer: Writer, message: DeleteRangeResponse): void {
  writer.messages(0x1a, message.prevKvs, writeKeyValue);
  writer.int64(0x10, message.deleted);
  writer.message(0x0a, message.header, writeResponseHeader);
}

export function readDeleteRangeResponse(reader: Reader): DeleteRangeResponse {
  const message: DeleteRangeResponse = { header: undefined, deleted: 0, prevKvs: [] };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x10) message.deleted = reader.int64();
    else if (tag === 0x1a) message.prevKvs.push(reader.message(readKeyValue));
    else reader.skip(tag);
  }
  return message;
}

export const encodeDeleteRangeResponse = encoder(writeDeleteRangeResponse);
export const decodeDeleteRangeResponse = decoder(readDeleteRangeResponse);

export function writeCompactionRequest(writer: Writer, message: CompactionRequest): void {
  writer.bool(0x10, message.physical);
  writer.int64(0x08, message.revision);
}

export function readCompactionRequest(reader: Reader): CompactionRequest {
  const message: CompactionRequest = { revision: 0, physical: false };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.revision = reader.clampedInt64();
    else if (tag === 0x10) message.physical = reader.bool();
    else reader.skip(tag);
  }
  return message;
}

export const encodeCompactionRequest = encoder(writeCompactionRequest);
export const decodeCompactionRequest = decoder(readCompactionRequest);

export const encodeCompactionResponse = encoder(writeHeaderOnlyResponse);
export const decodeCompactionResponse = decoder(readHeaderOnlyResponse);
