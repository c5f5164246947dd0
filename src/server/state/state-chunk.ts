import {
  type AlarmMember,
  decoder,
  encoder,
  type Member,
  type Reader,
  readAlarmMember,
  readMember,
  type Writer,
  writeAlarmMember,
  writeMember,
} from "../../codec/index.ts";
import { EMPTY } from "../../lib/bytes.ts";
import type { LeaseRecord } from "../lease/index.ts";
import type { VersionedRecord } from "../storage/index.ts";

/** What a state snapshot says beside leases and records; the first chunk carries it. */
export interface StateMeta {
  readonly currentRevision: number;
  readonly compactRevision: number;
  readonly finishedCompactRevision: number;
  readonly leaseTimeMs: number;
  readonly alarms: readonly AlarmMember[];
  readonly members: readonly Member[];
  /** Ids of members that were removed. */
  readonly removed: readonly bigint[];
}

/** One chunk of a state snapshot (proto/metastore.proto, StateChunk). */
export interface StateChunk {
  readonly meta: StateMeta | undefined;
  readonly leases: readonly LeaseRecord[];
  readonly records: readonly VersionedRecord[];
}

export const encodeStateChunk = encoder((writer: Writer, chunk: StateChunk) => {
  writer.messages(0x1a, chunk.records, writeRecord);
  writer.messages(0x12, chunk.leases, writeLease);
  writer.message(0x0a, chunk.meta, writeMeta);
});

/** Throws DecodeError. */
export const decodeStateChunk = decoder((reader: Reader): StateChunk => {
  let meta: StateMeta | undefined;
  const leases: LeaseRecord[] = [];
  const records: VersionedRecord[] = [];
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        meta = reader.message(readMeta);
        break;
      case 0x12:
        leases.push(reader.message(readLease));
        break;
      case 0x1a:
        records.push(reader.message(readRecord));
        break;
      default:
        reader.skip(tag);
    }
  }
  return { meta, leases, records };
});

function writeMeta(writer: Writer, meta: StateMeta): void {
  writer.packedBigInt64(
    0x3a,
    meta.removed.map((id) => BigInt.asIntN(64, id)),
  );
  writer.messages(0x32, meta.members, writeMember);
  writer.messages(0x2a, meta.alarms, writeAlarmMember);
  writer.int64(0x20, meta.leaseTimeMs);
  writer.int64(0x18, meta.finishedCompactRevision);
  writer.int64(0x10, meta.compactRevision);
  writer.int64(0x08, meta.currentRevision);
}

function readMeta(reader: Reader): StateMeta {
  const meta = {
    currentRevision: 0,
    compactRevision: 0,
    finishedCompactRevision: 0,
    leaseTimeMs: 0,
    alarms: [] as AlarmMember[],
    members: [] as Member[],
    removed: [] as bigint[],
  };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        meta.currentRevision = reader.int64();
        break;
      case 0x10:
        meta.compactRevision = reader.int64();
        break;
      case 0x18:
        meta.finishedCompactRevision = reader.int64();
        break;
      case 0x20:
        meta.leaseTimeMs = reader.int64();
        break;
      case 0x2a:
        meta.alarms.push(reader.message(readAlarmMember));
        break;
      case 0x32:
        meta.members.push(reader.message(readMember));
        break;
      case 0x38:
        meta.removed.push(reader.bigUint64());
        break;
      case 0x3a:
        reader.packed(meta.removed, readUint64);
        break;
      default:
        reader.skip(tag);
    }
  }
  return meta;
}

function readUint64(reader: Reader): bigint {
  return reader.bigUint64();
}

function writeLease(writer: Writer, lease: LeaseRecord): void {
  // A floating lease leaves its deadline out; a deadline of 0 is written, so the two stay apart.
  if (lease.deadlineMs !== undefined) writer.presentInt64(0x18, lease.deadlineMs);
  writer.int64(0x10, lease.ttlSeconds);
  writer.bigInt64(0x08, lease.id);
}

function readLease(reader: Reader): LeaseRecord {
  const lease = { id: 0n, ttlSeconds: 0, deadlineMs: undefined as number | undefined };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x08:
        lease.id = reader.bigInt64();
        break;
      case 0x10:
        lease.ttlSeconds = reader.int64();
        break;
      case 0x18:
        lease.deadlineMs = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return lease;
}

function writeRecord(writer: Writer, record: VersionedRecord): void {
  writer.bool(0x40, record.tombstone);
  writer.bigInt64(0x38, record.lease);
  writer.bytes(0x32, record.value);
  writer.int64(0x28, record.version);
  writer.int64(0x20, record.createRevision);
  writer.int64(0x18, record.sub);
  writer.int64(0x10, record.modRevision);
  writer.bytes(0x0a, record.key);
}

function readRecord(reader: Reader): VersionedRecord {
  let key = EMPTY;
  let modRevision = 0;
  let sub = 0;
  let createRevision = 0;
  let version = 0;
  let value = EMPTY;
  let lease = 0n;
  let tombstone = false;
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        key = reader.bytes();
        break;
      case 0x10:
        modRevision = reader.int64();
        break;
      case 0x18:
        sub = reader.int64();
        break;
      case 0x20:
        createRevision = reader.int64();
        break;
      case 0x28:
        version = reader.int64();
        break;
      case 0x32:
        value = reader.bytes();
        break;
      case 0x38:
        lease = reader.bigInt64();
        break;
      case 0x40:
        tombstone = reader.bool();
        break;
      default:
        reader.skip(tag);
    }
  }
  return { key, modRevision, sub, createRevision, version, value, lease, tombstone };
}
