import { EMPTY } from "../lib/bytes.ts";
import { DecodeError } from "../lib/errors.ts";
import { decoder, encoder } from "./codec.ts";
import { type Event, type EventType, eventType, type KeyValue } from "./messages.ts";
import type { Reader } from "./wire-reader.ts";
import type { Writer } from "./wire-writer.ts";

/** mvccpb.KeyValue. */
export function writeKeyValue(writer: Writer, kv: KeyValue): void {
  writer.bigInt64(0x30, kv.lease);
  writer.bytes(0x2a, kv.value);
  writer.int64(0x20, kv.version);
  writer.int64(0x18, kv.modRevision);
  writer.int64(0x10, kv.createRevision);
  writer.bytes(0x0a, kv.key);
}

export function readKeyValue(reader: Reader): KeyValue {
  const kv = emptyKeyValue();
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        kv.key = reader.bytes();
        break;
      case 0x10:
        kv.createRevision = reader.int64();
        break;
      case 0x18:
        kv.modRevision = reader.int64();
        break;
      case 0x20:
        kv.version = reader.int64();
        break;
      case 0x2a:
        kv.value = reader.bytes();
        break;
      case 0x30:
        kv.lease = reader.bigInt64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return kv;
}

function emptyKeyValue(): KeyValue {
  return { key: EMPTY, createRevision: 0, modRevision: 0, version: 0, value: EMPTY, lease: 0n };
}

export const encodeKeyValue = encoder(writeKeyValue);
export const decodeKeyValue = decoder(readKeyValue);

/** mvccpb.Event. */
export function writeEvent(writer: Writer, event: Event): void {
  writer.message(0x1a, event.prevKv, writeKeyValue);
  writer.message(0x12, event.kv, writeKeyValue);
  writer.int64(0x08, event.type);
}

/** Throws DecodeError for a type that is neither put nor delete: a watcher could not act on it. */
export function readEvent(reader: Reader): Event {
  const event: Event = { type: eventType.put, kv: emptyKeyValue(), prevKv: undefined };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        event.type = readEventType(reader);
        break;
      case 0x12:
        event.kv = reader.message(readKeyValue);
        break;
      case 0x1a:
        event.prevKv = reader.message(readKeyValue);
        break;
      default:
        reader.skip(tag);
    }
  }
  return event;
}

function readEventType(reader: Reader): EventType {
  const type = reader.int32();
  if (type !== eventType.put && type !== eventType.delete) {
    throw new DecodeError(`an event has the unknown type ${type}`);
  }
  return type;
}

/** The bytes of one event, for encodeWatchResponse: encoded once, sent to every watcher that sees it. */
export const encodeEvent = encoder(writeEvent);
export const decodeEvent = decoder(readEvent);
