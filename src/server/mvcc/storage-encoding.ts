import type { VersionedRecord } from "../storage/index.ts";

/** Field tags of mvccpb.KeyValue (proto/kv.proto). */
const tag = { key: 0x0a, createRevision: 0x10, modRevision: 0x18, version: 0x20, value: 0x2a, lease: 0x30 };
const UNDERSCORE = 0x5f;
const TOMBSTONE_MARK = 0x74;
/** Storage key, tags, lengths and numbers together never need more. */
const FIXED_BYTES_MAX = 96;

/**
 * Upper bound of what encodeRecord writes for the record.
 */
export function encodedBytesMax(record: VersionedRecord): number {
  return FIXED_BYTES_MAX + record.key.length + record.value.length;
}

/**
 * Writes the record at `offset` as etcd stores it (semantics-kv-mvcc 8): the key of 17 bytes, 18 for a tombstone,
 * then KeyValue in field order with zero fields left out. Returns the offset after it.
 */
export function encodeRecord(record: VersionedRecord, into: Buffer, offset: number): number {
  let at = writeRevisionPart(record.modRevision, into, offset);
  into[at++] = UNDERSCORE;
  at = writeRevisionPart(record.sub, into, at);
  if (record.tombstone) into[at++] = TOMBSTONE_MARK;

  at = writeBytes(tag.key, record.key, into, at);
  if (record.tombstone) return at;
  at = writeNumber(tag.createRevision, record.createRevision, into, at);
  at = writeNumber(tag.modRevision, record.modRevision, into, at);
  at = writeNumber(tag.version, record.version, into, at);
  at = writeBytes(tag.value, record.value, into, at);
  return writeLease(record.lease, into, at);
}

function writeRevisionPart(number: number, into: Buffer, at: number): number {
  into.writeUInt32BE(Math.floor(number / 0x1_0000_0000), at);
  return into.writeUInt32BE(number % 0x1_0000_0000, at + 4);
}

function writeBytes(fieldTag: number, bytes: string, into: Buffer, at: number): number {
  if (bytes.length === 0) return at;
  into[at] = fieldTag;
  at = writeVarint(bytes.length, into, at + 1);
  return at + into.write(bytes, at, "latin1");
}

function writeNumber(fieldTag: number, number: number, into: Buffer, at: number): number {
  if (number === 0) return at;
  into[at] = fieldTag;
  return writeVarint(number, into, at + 1);
}

function writeVarint(number: number, into: Buffer, at: number): number {
  let rest = number;
  while (rest >= 0x80) {
    into[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  into[at++] = rest;
  return at;
}

function writeLease(lease: bigint, into: Buffer, at: number): number {
  if (lease === 0n) return at;
  into[at++] = tag.lease;
  // A negative int64 goes on the wire as its two's complement of 64 bits.
  let rest = BigInt.asUintN(64, lease);
  while (rest >= 0x80n) {
    into[at++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  into[at++] = Number(rest);
  return at;
}
