import { crc32 } from "../../lib/crc32.ts";
import { StorageFailure } from "../../lib/errors.ts";
import type { HardState } from "../raft/index.ts";
import { readUint64, sectorBytes, writeUint64 } from "./wal-layout.ts";

/** Version of the segment layout. A newer one is refused; magic, version and checksum keep their places for ever. */
export const segmentFormatVersion = 1;
/** The header fills one disk sector; frames follow it. */
export const segmentHeaderBytes = sectorBytes;

const MAGIC = Buffer.from("MSTORWAL", "latin1");
const CHECKSUM_AT = segmentHeaderBytes - 4;

/** The first 512 bytes of a segment file. */
export interface SegmentHeader {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Position of the segment in the log: 0, 1, 2, ... */
  readonly sequence: number;
  /** Index of the entry that would come next when the segment was started. */
  readonly firstIndex: number;
  /** Size of the whole file. It is created with this size and never has another. */
  readonly sizeBytes: number;
  /** Drawn once for a log, so that nobody can place bytes in a value that pass for a frame. */
  readonly salt: number;
  /** Sequence of the next data frame, and the chain value it goes on from. */
  readonly frameSequence: number;
  readonly chain: number;
  /** As of the start of the segment, so that older segments can go. */
  readonly hardState: HardState;
}

/** A segment file as its name tells it. */
export interface SegmentName {
  readonly name: string;
  readonly sequence: number;
  readonly firstIndex: number;
}

/** Where checksums of frame headers in this segment begin: frames of other segments and logs do not pass. */
export function segmentSeed(header: Buffer): number {
  return header.readUInt32LE(CHECKSUM_AT);
}

/** `<sequence>-<first index>.wal`, 16 hexadecimal digits each, so that names sort as the log runs. */
export function segmentName(sequence: number, firstIndex: number): string {
  return `${hex(sequence)}-${hex(firstIndex)}.wal`;
}

/** Undefined when it is not the name of a segment. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/.exec(name);
  if (match === null) return undefined;
  return { name, sequence: Number.parseInt(match[1]!, 16), firstIndex: Number.parseInt(match[2]!, 16) };
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(segmentFormatVersion, 8);
  bytes.writeUInt32LE(header.salt, 12);
  bytes.writeBigUInt64LE(header.clusterId, 16);
  bytes.writeBigUInt64LE(header.memberId, 24);
  writeUint64(bytes, 32, header.sequence);
  writeUint64(bytes, 40, header.firstIndex);
  writeUint64(bytes, 48, header.sizeBytes);
  writeUint64(bytes, 56, header.frameSequence);
  bytes.writeUInt32LE(header.chain, 64);
  writeUint64(bytes, 72, header.hardState.term);
  bytes.writeBigUInt64LE(header.hardState.vote, 80);
  writeUint64(bytes, 88, header.hardState.commit);
  bytes.writeUInt32LE(crc32(bytes, 0, 0, CHECKSUM_AT), CHECKSUM_AT);
  return bytes;
}

/** Throws StorageFailure when the bytes are no whole header of this version. `path` is for its message. */
export function decodeSegmentHeader(bytes: Buffer, path: string): SegmentHeader {
  if (bytes.length < segmentHeaderBytes) {
    throw damagedSegment(
      path,
      `it has ${bytes.length} bytes, a segment header alone has ${segmentHeaderBytes}`,
    );
  }
  if (bytes.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) {
    throw damagedSegment(path, "at byte 0: it does not begin with the mark of a log segment");
  }
  const version = bytes.readUInt32LE(8);
  const isWhole = crc32(bytes, 0, 0, CHECKSUM_AT) === bytes.readUInt32LE(CHECKSUM_AT);
  if (isWhole && version > segmentFormatVersion) {
    throw new StorageFailure(
      `${path} has log format ${version}, this MetaStore reads up to ${segmentFormatVersion}`,
      "The data was written by a newer MetaStore: start that version or a later one.",
    );
  }
  if (!isWhole) throw damagedSegment(path, "at byte 0: the checksum of the segment header does not match");
  return {
    salt: bytes.readUInt32LE(12),
    clusterId: bytes.readBigUInt64LE(16),
    memberId: bytes.readBigUInt64LE(24),
    sequence: readUint64(bytes, 32),
    firstIndex: readUint64(bytes, 40),
    sizeBytes: readUint64(bytes, 48),
    frameSequence: readUint64(bytes, 56),
    chain: bytes.readUInt32LE(64),
    hardState: {
      term: readUint64(bytes, 72),
      vote: bytes.readBigUInt64LE(80),
      commit: readUint64(bytes, 88),
    },
  };
}

/** The refusal to read a damaged log. */
export function damagedSegment(path: string, what: string, options?: ErrorOptions): StorageFailure {
  return new StorageFailure(
    `the log is damaged: ${path}: ${what}`,
    "Acknowledged writes may be in the damaged part, so it is not repaired. Check the disk, restore the data " +
      "directory from a backup, or remove the member and add it again with an empty directory.",
    options,
  );
}

function hex(value: number): string {
  return value.toString(16).padStart(16, "0");
}
