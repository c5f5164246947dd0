import { EMPTY } from "../lib/bytes.ts";
import { decoder, encoder } from "./codec.ts";
import { readEmptyMessage, readResponseHeader, writeResponseHeader } from "./header-codec.ts";
import { readEvent, writeEvent } from "./key-value-codec.ts";
import type { Event, WatchCreateRequest, WatchRequest, WatchResponse } from "./messages.ts";
import type { Reader } from "./wire-reader.ts";
import type { Writer } from "./wire-writer.ts";

function writeWatchCreateRequest(writer: Writer, message: WatchCreateRequest): void {
  writer.bool(0x40, message.fragment);
  writer.int64(0x38, message.watchId);
  writer.bool(0x30, message.prevKv);
  writer.packedInt64(0x2a, message.filters);
  writer.bool(0x20, message.progressNotify);
  writer.int64(0x18, message.startRevision);
  writer.bytes(0x12, message.rangeEnd);
  writer.bytes(0x0a, message.key);
}

function readFilter(reader: Reader): number {
  return reader.int32();
}

function readWatchCreateRequest(reader: Reader): WatchCreateRequest {
  const message: WatchCreateRequest = {
    key: EMPTY,
    rangeEnd: EMPTY,
    startRevision: 0,
    progressNotify: false,
    filters: [],
    prevKv: false,
    watchId: 0,
    fragment: false,
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
        message.startRevision = reader.clampedInt64();
        break;
      case 0x20:
        message.progressNotify = reader.bool();
        break;
      case 0x28:
        // A list of numbers may come unpacked, and in both forms at once.
        message.filters.push(readFilter(reader));
        break;
      case 0x2a:
        reader.packed(message.filters, readFilter);
        break;
      case 0x30:
        message.prevKv = reader.bool();
        break;
      case 0x38:
        message.watchId = reader.int64();
        break;
      case 0x40:
        message.fragment = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

function writeWatchCancelRequest(writer: Writer, watchId: number): void {
  writer.int64(0x08, watchId);
}

function readWatchCancelRequest(reader: Reader): number {
  let watchId = 0;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) watchId = reader.int64();
    else reader.skip(tag);
  }
  return watchId;
}

function writeWatchRequest(writer: Writer, message: WatchRequest): void {
  if (message.case === "create") writer.message(0x0a, message.request, writeWatchCreateRequest);
  else if (message.case === "cancel") writer.message(0x12, message.watchId, writeWatchCancelRequest);
  else if (message.case === "progress") writer.presentBytes(0x1a, EMPTY);
}

function readWatchRequest(reader: Reader): WatchRequest {
  let message: WatchRequest = { case: undefined };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) {
      message = { case: "create", request: reader.message(readWatchCreateRequest) };
    } else if (tag === 0x12) {
      message = { case: "cancel", watchId: reader.message(readWatchCancelRequest) };
    } else if (tag === 0x1a) {
      reader.message(readEmptyMessage);
      message = { case: "progress" };
    } else {
      reader.skip(tag);
    }
  }
  return message;
}

export const encodeWatchRequest = encoder(writeWatchRequest);
export const decodeWatchRequest = decoder(readWatchRequest);

/** Every field but the events, which are the highest field and so come first in the Writer's order. */
function writeWatchResponseFields(writer: Writer, message: WatchResponseFields): void {
  writer.bool(0x38, message.fragment);
  writer.text(0x32, message.cancelReason);
  writer.int64(0x28, message.compactRevision);
  writer.bool(0x20, message.canceled);
  writer.bool(0x18, message.created);
  writer.int64(0x10, message.watchId);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readWatchResponse(reader: Reader): WatchResponse {
  const message: WatchResponse = {
    header: undefined,
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: "",
    fragment: false,
    events: [],
  };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        message.header = reader.message(readResponseHeader);
        break;
      case 0x10:
        message.watchId = reader.int64();
        break;
      case 0x18:
        message.created = reader.bool();
        break;
      case 0x20:
        message.canceled = reader.bool();
        break;
      case 0x28:
        message.compactRevision = reader.int64();
        break;
      case 0x32:
        message.cancelReason = reader.text();
        break;
      case 0x38:
        message.fragment = reader.bool();
        break;
      case 0x5a:
        message.events.push(reader.message(readEvent));
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

/** A watch response whose events may be given elsewhere. */
export type WatchResponseFields = Omit<WatchResponse, "events"> & { events?: readonly Event[] };

interface WatchResponseParts {
  readonly fields: WatchResponseFields;
  readonly encodedEvents: readonly Uint8Array[] | undefined;
}

const encodeParts = encoder((writer: Writer, { fields, encodedEvents }: WatchResponseParts) => {
  if (encodedEvents !== undefined) writer.encodedMessages(0x5a, encodedEvents);
  else if (fields.events !== undefined) writer.messages(0x5a, fields.events, writeEvent);
  writeWatchResponseFields(writer, fields);
});

/** Encodes a watch response. `encodedEvents`, made by encodeEvent, stand in for the events of `message`. */
export function encodeWatchResponse(
  message: WatchResponseFields,
  encodedEvents?: readonly Uint8Array[],
): Buffer {
  return encodeParts({ fields: message, encodedEvents });
}

export const decodeWatchResponse = decoder(readWatchResponse);
