import { crc32 } from "../../lib/crc32.ts";
import { digestBytes } from "../../lib/digest.ts";
import { DecodeError, StorageFailure } from "../../lib/errors.ts";
import type { SnapshotMetadata } from "../raft/index.ts";
import { readUint64, writeUint64 } from "./wal-layout.ts";
import { decodeRecords, encodeSnapshotMark, snapshotMarkRecordBytes } from "./wal-record.ts";

/**
 * The pieces of a snapshot file (DESIGN.md, "Snapshot file"), little-endian:
 *   header  magic 8, version u32, header bytes u32, cluster id u64, member id u64, snapshot mark record, checksum u32
 *   chunk   bytes u32, checksum u32, data; the checksum goes on from the one before it over bytes and data
 *   footer  zero u32, checksum u32, chunk count u64, data bytes u64, digest: see snapshotFormat
 */

/** The version in the header, which tells what the SHA-256 at the end is of. */
export const snapshotFormat = {
  /** All bytes before it: backups, in which etcdctl looks for that. */
  digestOfAll: 1,
  /** All but the data of chunks, which the checksums guard: what a member writes all the time for itself. */
  digestOfFrames: 2,
} as const;
export type SnapshotFormat = (typeof snapshotFormat)[keyof typeof snapshotFormat];
const FORMAT_VERSION_MAX = snapshotFormat.digestOfFrames;
export const chunkHeaderBytes = 8;
export const footerBytes = 24 + digestBytes;
/** Where the digest stands in the footer. */
export const footerDigestAt = 24;
/** Magic, version and header size: enough to know how much to read, at the same place in all versions. */
export const preambleBytes = 16;

const MAGIC = Buffer.from("MSTOSNAP", "latin1");
const FIXED_BYTES = preambleBytes + 16;
const HEADER_BYTES_MAX = 1 << 20;

export interface SnapshotHeader {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly metadata: SnapshotMetadata;
}

export function encodeSnapshotHeader(
  { clusterId, memberId, metadata }: SnapshotHeader,
  format: SnapshotFormat,
): Buffer {
  const bytes = Buffer.alloc(FIXED_BYTES + snapshotMarkRecordBytes(metadata) + 4);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(format, 8);
  bytes.writeUInt32LE(bytes.length, 12);
  bytes.writeBigUInt64LE(clusterId, 16);
  bytes.writeBigUInt64LE(memberId, 24);
  const end = encodeSnapshotMark(bytes, FIXED_BYTES, metadata);
  bytes.writeUInt32LE(crc32(bytes, 0, 0, end), end);
  return bytes;
}

/** Size of the header that the first 16 bytes announce. Throws StorageFailure; `path` is for its message. */
export function snapshotHeaderBytes(preamble: Buffer, path: string): number {
  if (preamble.length < preambleBytes || preamble.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) {
    throw damagedSnapshot(path, "it does not begin as a snapshot");
  }
  const version = preamble.readUInt32LE(8);
  if (version > FORMAT_VERSION_MAX) {
    throw new StorageFailure(
      `${path} has snapshot format ${version}, this MetaStore reads up to ${FORMAT_VERSION_MAX}`,
      "The data was written by a newer MetaStore (start that version or a later one), or the file is damaged.",
    );
  }
  const bytes = preamble.readUInt32LE(12);
  if (bytes < FIXED_BYTES + 4 || bytes > HEADER_BYTES_MAX) {
    throw damagedSnapshot(path, `its header claims ${bytes} bytes`);
  }
  return bytes;
}

/** Of a preamble that snapshotHeaderBytes has passed. */
export function snapshotFormatOf(preamble: Buffer): SnapshotFormat {
  return preamble.readUInt32LE(8) === snapshotFormat.digestOfFrames
    ? snapshotFormat.digestOfFrames
    : snapshotFormat.digestOfAll;
}

/** Throws StorageFailure when the header is not whole. */
export function decodeSnapshotHeader(bytes: Buffer, path: string): SnapshotHeader {
  const end = bytes.length - 4;
  if (bytes.readUInt32LE(end) !== headerChecksum(bytes)) {
    throw damagedSnapshot(path, "the checksum of its header does not match");
  }
  let metadata: SnapshotMetadata | undefined;
  const refuse = (): never => {
    throw new DecodeError("a snapshot header holds one snapshot mark");
  };
  const sink = {
    snapshotMark: (decoded: SnapshotMetadata) => {
      metadata = decoded;
    },
    hardState: refuse,
    entry: refuse,
  };
  try {
    decodeRecords(bytes, FIXED_BYTES, end, sink);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw damagedSnapshot(path, error.message, { cause: error });
  }
  if (metadata === undefined) throw damagedSnapshot(path, "its header is empty");
  return { clusterId: bytes.readBigUInt64LE(16), memberId: bytes.readBigUInt64LE(24), metadata };
}

/** The checksum that ends a header, and that the chunks go on from. */
export function headerChecksum(header: Buffer): number {
  return crc32(header, 0, 0, header.length - 4);
}

/** The header of a chunk, or for no data the beginning of the footer; its checksum is at byte 4. */
export function encodeChunkHeader(data: Uint8Array, checksum: number): Buffer {
  const bytes = Buffer.alloc(chunkHeaderBytes);
  bytes.writeUInt32LE(data.length, 0);
  bytes.writeUInt32LE(crc32(data, crc32(bytes, checksum, 0, 4)), 4);
  return bytes;
}

/** The footer without its digest. */
export function encodeFooter(checksum: number, chunkCount: number, dataBytes: number): Buffer {
  const bytes = Buffer.alloc(footerDigestAt);
  encodeChunkHeader(new Uint8Array(0), checksum).copy(bytes);
  writeUint64(bytes, 8, chunkCount);
  writeUint64(bytes, 16, dataBytes);
  return bytes;
}

/** The counts that a footer states. */
export function decodeFooterCounts(footer: Buffer): { chunkCount: number; dataBytes: number } {
  return { chunkCount: readUint64(footer, 8), dataBytes: readUint64(footer, 16) };
}

export function damagedSnapshot(path: string, what: string, options?: ErrorOptions): StorageFailure {
  return new StorageFailure(
    `the snapshot is damaged: ${path}: ${what}`,
    "The log relies on this snapshot. Check the disk, restore the data directory from a backup, or remove the " +
      "member and add it again with an empty directory.",
    options,
  );
}
