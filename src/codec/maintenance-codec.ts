import { decoder, encoder } from "./codec.ts";
import {
  readHeaderOnlyResponse,
  readResponseHeader,
  writeHeaderOnlyResponse,
  writeResponseHeader,
} from "./header-codec.ts";
import type {
  AlarmMember,
  AlarmRequest,
  AlarmResponse,
  HashKvRequest,
  HashKvResponse,
  HashResponse,
  MoveLeaderRequest,
  SnapshotResponse,
  StatusResponse,
} from "./messages.ts";
import type { Reader } from "./wire-reader.ts";
import type { Writer } from "./wire-writer.ts";

export function writeAlarmRequest(writer: Writer, message: AlarmRequest): void {
  writer.int64(0x18, message.alarm);
  writer.bigUint64(0x10, message.memberId);
  writer.int64(0x08, message.action);
}

export function readAlarmRequest(reader: Reader): AlarmRequest {
  const message: AlarmRequest = { action: 0, memberId: 0n, alarm: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.action = reader.int32();
    else if (tag === 0x10) message.memberId = reader.bigUint64();
    else if (tag === 0x18) message.alarm = reader.int32();
    else reader.skip(tag);
  }
  return message;
}

export const encodeAlarmRequest = encoder(writeAlarmRequest);
export const decodeAlarmRequest = decoder(readAlarmRequest);

export function writeAlarmMember(writer: Writer, message: AlarmMember): void {
  writer.int64(0x10, message.alarm);
  writer.bigUint64(0x08, message.memberId);
}

export function readAlarmMember(reader: Reader): AlarmMember {
  const message: AlarmMember = { memberId: 0n, alarm: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.memberId = reader.bigUint64();
    else if (tag === 0x10) message.alarm = reader.int32();
    else reader.skip(tag);
  }
  return message;
}

export const encodeAlarmMember = encoder(writeAlarmMember);
export const decodeAlarmMember = decoder(readAlarmMember);

function writeAlarmResponse(writer: Writer, message: AlarmResponse): void {
  writer.messages(0x12, message.alarms, writeAlarmMember);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readAlarmResponse(reader: Reader): AlarmResponse {
  const message: AlarmResponse = { header: undefined, alarms: [] };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x12) message.alarms.push(reader.message(readAlarmMember));
    else reader.skip(tag);
  }
  return message;
}

export const encodeAlarmResponse = encoder(writeAlarmResponse);
export const decodeAlarmResponse = decoder(readAlarmResponse);

/** downgradeInfo (field 13) is not written while no downgrade can be under way, and passed over when read. */
function writeStatusResponse(writer: Writer, message: StatusResponse): void {
  writer.int64(0x60, message.dbSizeQuota);
  writer.text(0x5a, message.storageVersion);
  writer.bool(0x50, message.isLearner);
  writer.int64(0x48, message.dbSizeInUse);
  writer.texts(0x42, message.errors);
  writer.int64(0x38, message.raftAppliedIndex);
  writer.int64(0x30, message.raftTerm);
  writer.int64(0x28, message.raftIndex);
  writer.bigUint64(0x20, message.leader);
  writer.int64(0x18, message.dbSize);
  writer.text(0x12, message.version);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readStatusResponse(reader: Reader): StatusResponse {
  const message: StatusResponse = {
    header: undefined,
    version: "",
    dbSize: 0,
    leader: 0n,
    raftIndex: 0,
    raftTerm: 0,
    raftAppliedIndex: 0,
    errors: [],
    dbSizeInUse: 0,
    isLearner: false,
    storageVersion: "",
    dbSizeQuota: 0,
  };
  while (reader.hasMore) {
    const tag = reader.tag();
    switch (tag) {
      case 0x0a:
        message.header = reader.message(readResponseHeader);
        break;
      case 0x12:
        message.version = reader.text();
        break;
      case 0x18:
        message.dbSize = reader.int64();
        break;
      case 0x20:
        message.leader = reader.bigUint64();
        break;
      case 0x28:
        message.raftIndex = reader.uint64();
        break;
      case 0x30:
        message.raftTerm = reader.uint64();
        break;
      case 0x38:
        message.raftAppliedIndex = reader.uint64();
        break;
      case 0x42:
        message.errors.push(reader.text());
        break;
      case 0x48:
        message.dbSizeInUse = reader.int64();
        break;
      case 0x50:
        message.isLearner = reader.bool();
        break;
      case 0x5a:
        message.storageVersion = reader.text();
        break;
      case 0x60:
        message.dbSizeQuota = reader.int64();
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

export const encodeStatusResponse = encoder(writeStatusResponse);
export const decodeStatusResponse = decoder(readStatusResponse);

function writeHashResponse(writer: Writer, message: HashResponse): void {
  writer.int64(0x10, message.hash);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readHashResponse(reader: Reader): HashResponse {
  const message: HashResponse = { header: undefined, hash: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x10) message.hash = reader.uint32();
    else reader.skip(tag);
  }
  return message;
}

export const encodeHashResponse = encoder(writeHashResponse);
export const decodeHashResponse = decoder(readHashResponse);

function writeHashKvRequest(writer: Writer, message: HashKvRequest): void {
  writer.int64(0x08, message.revision);
}

function readHashKvRequest(reader: Reader): HashKvRequest {
  const message: HashKvRequest = { revision: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.revision = reader.clampedInt64();
    else reader.skip(tag);
  }
  return message;
}

export const encodeHashKvRequest = encoder(writeHashKvRequest);
export const decodeHashKvRequest = decoder(readHashKvRequest);

function writeHashKvResponse(writer: Writer, message: HashKvResponse): void {
  writer.int64(0x20, message.hashRevision);
  writer.int64(0x18, message.compactRevision);
  writer.int64(0x10, message.hash);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readHashKvResponse(reader: Reader): HashKvResponse {
  const message: HashKvResponse = { header: undefined, hash: 0, compactRevision: 0, hashRevision: 0 };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x10) message.hash = reader.uint32();
    else if (tag === 0x18) message.compactRevision = reader.int64();
    else if (tag === 0x20) message.hashRevision = reader.int64();
    else reader.skip(tag);
  }
  return message;
}

export const encodeHashKvResponse = encoder(writeHashKvResponse);
export const decodeHashKvResponse = decoder(readHashKvResponse);

function writeSnapshotResponse(writer: Writer, message: SnapshotResponse): void {
  writer.text(0x22, message.version);
  writer.rawBytes(0x1a, message.blob);
  writer.int64(0x10, message.remainingBytes);
  writer.message(0x0a, message.header, writeResponseHeader);
}

function readSnapshotResponse(reader: Reader): SnapshotResponse {
  const message: SnapshotResponse = {
    header: undefined,
    remainingBytes: 0,
    blob: Buffer.alloc(0),
    version: "",
  };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) message.header = reader.message(readResponseHeader);
    else if (tag === 0x10) message.remainingBytes = reader.uint64();
    else if (tag === 0x1a) message.blob = reader.view();
    else if (tag === 0x22) message.version = reader.text();
    else reader.skip(tag);
  }
  return message;
}

export const encodeSnapshotResponse = encoder(writeSnapshotResponse);
export const decodeSnapshotResponse = decoder(readSnapshotResponse);

export const encodeDefragmentResponse = encoder(writeHeaderOnlyResponse);
export const decodeDefragmentResponse = decoder(readHeaderOnlyResponse);

function writeMoveLeaderRequest(writer: Writer, message: MoveLeaderRequest): void {
  writer.bigUint64(0x08, message.targetId);
}

function readMoveLeaderRequest(reader: Reader): MoveLeaderRequest {
  const message: MoveLeaderRequest = { targetId: 0n };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x08) message.targetId = reader.bigUint64();
    else reader.skip(tag);
  }
  return message;
}

export const encodeMoveLeaderRequest = encoder(writeMoveLeaderRequest);
export const decodeMoveLeaderRequest = decoder(readMoveLeaderRequest);
