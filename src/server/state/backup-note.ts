import { decoder, encoder, type Reader, type Writer } from "../../codec/index.ts";

/** What a backup says about itself, in a chunk of its own at the end; a snapshot on a member's disk has none. */
export interface BackupNote {
  /** The level of the data's meaning, as etcd counts it. */
  readonly storageVersion: string;
  /** The version of MetaStore that made it. */
  readonly productVersion: string;
  /** When, by the clock of the member: milliseconds since 1970. */
  readonly takenAtMs: number;
  readonly memberName: string;
}

/** etcdctl takes a backup for whole when its size without the digest is a multiple of this. */
export const backupAlignmentBytes = 512;

const noteTag = 0x22;
const paddingTag = 0x7a;

interface PaddedNote extends BackupNote {
  readonly padding: Uint8Array;
}

const encodePadded = encoder((writer: Writer, note: PaddedNote) => {
  writer.message(noteTag, note, writeNote);
});

/**
 * The note as an encoded StateChunk (proto/metastore.proto), padded so that `sizeBytes`, the size of the backup
 * without it and without the digest, and it are a multiple of backupAlignmentBytes together.
 */
export function encodeBackupNote(note: BackupNote, sizeBytes: number): Buffer {
  for (let paddingBytes = 0; ; paddingBytes++) {
    const chunk = encodePadded({ ...note, padding: new Uint8Array(paddingBytes) });
    if ((sizeBytes + chunk.length) % backupAlignmentBytes === 0) return chunk;
  }
}

/** The note in an encoded StateChunk; undefined in any other chunk. Throws DecodeError. */
export const decodeBackupNote = decoder((reader: Reader): BackupNote | undefined => {
  let note: BackupNote | undefined;
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === noteTag) note = reader.message(readNote);
    else reader.skip(tag);
  }
  return note;
});

function writeNote(writer: Writer, note: PaddedNote): void {
  writer.rawBytes(paddingTag, note.padding);
  writer.text(0x22, note.memberName);
  writer.int64(0x18, note.takenAtMs);
  writer.text(0x12, note.productVersion);
  writer.text(0x0a, note.storageVersion);
}

function readNote(reader: Reader): BackupNote {
  const note = { storageVersion: "", productVersion: "", takenAtMs: 0, memberName: "" };
  while (reader.hasMore) {
    const tag = reader.tag();
    if (tag === 0x0a) note.storageVersion = reader.text();
    else if (tag === 0x12) note.productVersion = reader.text();
    else if (tag === 0x18) note.takenAtMs = reader.int64();
    else if (tag === 0x22) note.memberName = reader.text();
    else reader.skip(tag);
  }
  return note;
}
