import { EMPTY } from "../lib/bytes.ts";
import { DecodeError, grpcCode, RequestError, StatusError } from "../lib/errors.ts";
import { limits } from "../lib/limits.ts";
import { decoder, encoder } from "./codec.ts";
import { readResponseHeader, writeResponseHeader } from "./header-codec.ts";
import {
  readDeleteRangeRequest,
  readDeleteRangeResponse,
  readPutRequest,
  readPutResponse,
  readRangeRequest,
  readRangeResponse,
  writeDeleteRangeRequest,
  writeDeleteRangeResponse,
  writePutRequest,
  writePutResponse,
  writeRangeRequest,
  writeRangeResponse,
} from "./kv-codec.ts";
import type { Compare, RequestOp, ResponseOp, TxnRequest, TxnResponse } from "./messages.ts";
import { Reader } from "./wire-reader.ts";
import type { Writer } from "./wire-writer.ts";

const tooDeep = `transactions are nested deeper than ${limits.txnDepthMax} levels`;

function writeCompare(writer: Writer, message: Compare): void {
  const { union } = message;
  // range_end is field 64, so its tag takes two bytes.
  writer.bytes(0x202, message.rangeEnd);
  if (union.case === "lease") writer.presentBigInt64(0x40, union.value);
  else if (union.case === "value") writer.presentBytes(0x3a, union.value);
  else if (union.case === "modRevision") writer.presentInt64(0x30, union.value);
  else if (union.case === "createRevision") writer.presentInt64(0x28, union.value);
  else if (union.case === "version") writer.presentInt64(0x20, union.value);
  writer.bytes(0x1a, message.key);
  writer.int64(0x10, message.target);
  writer.int64(0x08, message.result);
}

function readCompare(reader: Reader): Compare {
  const message: Compare = {
    result: 0,
    target: 0,
    key: EMPTY,
    rangeEnd: EMPTY,
    union: { case: undefined },
  };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        message.result = reader.int32();
        break;
      case 0x10:
        message.target = reader.int32();
        break;
      case 0x1a:
        message.key = reader.bytes();
        break;
      case 0x20:
        message.union = { case: "version", value: reader.clampedInt64() };
        break;
      case 0x28:
        message.union = { case: "createRevision", value: reader.clampedInt64() };
        break;
      case 0x30:
        message.union = { case: "modRevision", value: reader.clampedInt64() };
        break;
      case 0x3a:
        message.union = { case: "value", value: reader.bytes() };
        break;
      case 0x40:
        message.union = { case: "lease", value: reader.bigInt64() };
        break;
      case 0x202:
        message.rangeEnd = reader.bytes();
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

function writeRequestOp(writer: Writer, op: RequestOp): void {
  if (op.case === "range") writer.message(0x0a, op.request, writeRangeRequest);
  else if (op.case === "put") writer.message(0x12, op.request, writePutRequest);
  else if (op.case === "deleteRange") writer.message(0x1a, op.request, writeDeleteRangeRequest);
  else if (op.case === "txn") writeNested(writer, 0x22, op.request, writeTxnRequest);
}

function readRequestOp(reader: Reader): RequestOp {
  let op: RequestOp = { case: undefined };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) op = { case: "range", request: reader.message(readRangeRequest) };
    else if (tag === 0x12) op = { case: "put", request: reader.message(readPutRequest) };
    else if (tag === 0x1a) op = { case: "deleteRange", request: reader.message(readDeleteRangeRequest) };
    else if (tag === 0x22) op = { case: "txn", request: readNested(reader, readTxnRequest) };
    else reader.skip(tag);
  }
  return op;
}

export function writeTxnRequest(writer: Writer, message: TxnRequest): void {
  writer.messages(0x1a, message.failure, writeRequestOp);
  writer.messages(0x12, message.success, writeRequestOp);
  writer.messages(0x0a, message.compare, writeCompare);
}

export function readTxnRequest(reader: Reader): TxnRequest {
  const message: TxnRequest = { compare: [], success: [], failure: [] };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        addBounded(reader, message.compare, readCompare);
        break;
      case 0x12:
        addBounded(reader, message.success, readRequestOp);
        break;
      case 0x1a:
        addBounded(reader, message.failure, readRequestOp);
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

function addBounded<T>(reader: Reader, list: T[], read: (reader: Reader) => T): void {
  if (list.length >= reader.opsMax) throw new RequestError("tooManyOps");
  list.push(reader.message(read));
}

export interface TxnDecodeOptions {
  /** How many compares or operations one list may have; a longer one is refused where it exceeds this. */
  readonly opsMax?: number;
}

export const encodeTxnRequest = encoder(writeTxnRequest);

/**
 * Throws DecodeError for malformed bytes and for nesting beyond limits.txnDepthMax; RequestError tooManyOps as soon
 * as a list, nested ones included, exceeds `opsMax`, so that a million operations cost no more than the first few.
 */
export function decodeTxnRequest(bytes: Uint8Array, options: TxnDecodeOptions = {}): TxnRequest {
  return readTxnRequest(new Reader(bytes, options.opsMax));
}

function writeResponseOp(writer: Writer, op: ResponseOp): void {
  if (op.case === "range") writer.message(0x0a, op.response, writeRangeResponse);
  else if (op.case === "put") writer.message(0x12, op.response, writePutResponse);
  else if (op.case === "deleteRange") writer.message(0x1a, op.response, writeDeleteRangeResponse);
  else writeNested(writer, 0x22, op.response, writeTxnResponse);
}

function readResponseOp(reader: Reader): ResponseOp {
  let op: ResponseOp | undefined;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) op = { case: "range", response: reader.message(readRangeResponse) };
    else if (tag === 0x12) op = { case: "put", response: reader.message(readPutResponse) };
    else if (tag === 0x1a) op = { case: "deleteRange", response: reader.message(readDeleteRangeResponse) };
    else if (tag === 0x22) op = { case: "txn", response: readNested(reader, readTxnResponse) };
    else reader.skip(tag);
  }
  if (op === undefined) throw new DecodeError("an operation's response is of no known kind");
  return op;
}

function writeTxnResponse(writer: Writer, message: TxnResponse): void {
  writer.messages(0x1a, message.responses, writeResponseOp);
  writer.bool(0x10, message.succeeded);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readTxnResponse(reader: Reader): TxnResponse {
  const message: TxnResponse = { header: undefined, succeeded: false, responses: [] };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x10) message.succeeded = reader.bool();
    else if (tag === 0x1a) message.responses.push(reader.message(readResponseOp));
    else reader.skip(tag);
  }
  return message;
}

export const encodeTxnResponse = encoder(writeTxnResponse);
export const decodeTxnResponse = decoder(readTxnResponse);

function writeNested<T>(
  writer: Writer,
  tag: number,
  value: T,
  write: (writer: Writer, value: T) => void,
): void {
  if (++writer.depth > limits.txnDepthMax) {
    throw new StatusError(grpcCode.invalidArgument, tooDeep);
  }
  writer.message(tag, value, write);
  writer.depth--;
}

function readNested<T>(reader: Reader, read: (reader: Reader) => T): T {
  if (++reader.depth > limits.txnDepthMax) throw new DecodeError(tooDeep);
  const message = reader.message(read);
  reader.depth--;
  return message;
}
