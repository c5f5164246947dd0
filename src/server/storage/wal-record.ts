import { DecodeError } from "../../lib/errors.ts";
import type { ConfState, Entry, EntryType, HardState, SnapshotMetadata } from "../raft/index.ts";
import { readUint64, writeUint64 } from "./wal-layout.ts";

/**
 * What a frame of the write-ahead log carries: records, one after the other, little-endian (DESIGN.md, "Records").
 *   hard state     kind u32 = 1, term u64, vote u64, commit u64
 *   run of entries kind u32 = 2, count u32, first index u64, term u64; per entry: size << 2 | type u32, data
 *   snapshot mark  kind u32 = 3, autoLeave u32, index u64, term u64; four lists of ids: count u32, ids u64
 */
const recordKind = { hardState: 1, entries: 2, snapshotMark: 3 } as const;

const HARD_STATE_BYTES = 28;
const RUN_HEADER_BYTES = 24;
const ENTRY_HEADER_BYTES = 4;
const MARK_HEADER_BYTES = 24;
const ID_LISTS = ["voters", "learners", "votersOutgoing", "learnersNext"] as const;

/** Most bytes of data in one entry: the size has 30 bits. */
export const entryDataBytesMax = 0x3fff_ffff;

/** Receives decoded records in the order they were written. */
export interface RecordSink {
  hardState(state: HardState): void;
  /** `entry.data` is a view of the decoded buffer. */
  entry(entry: Entry): void;
  snapshotMark(metadata: SnapshotMetadata): void;
}

export function hardStateRecordBytes(): number {
  return HARD_STATE_BYTES;
}

/** Bytes that encodeEntries will use. */
export function entriesRecordBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  let previous: Entry | undefined;
  for (const entry of entries) {
    if (previous === undefined || !continuesRun(previous, entry)) bytes += RUN_HEADER_BYTES;
    bytes += ENTRY_HEADER_BYTES + entry.data.length;
    previous = entry;
  }
  return bytes;
}

export function snapshotMarkRecordBytes({ confState }: SnapshotMetadata): number {
  return ID_LISTS.reduce((bytes, list) => bytes + 4 + confState[list].length * 8, MARK_HEADER_BYTES);
}

/** Writes the record at `at`; returns where the next one goes. */
export function encodeHardState(target: Buffer, at: number, state: HardState): number {
  target.writeUInt32LE(recordKind.hardState, at);
  writeUint64(target, at + 4, state.term);
  target.writeBigUInt64LE(state.vote, at + 12);
  writeUint64(target, at + 20, state.commit);
  return at + HARD_STATE_BYTES;
}

/** Writes the entries as runs of one term and consecutive indexes; returns where the next record goes. */
export function encodeEntries(target: Buffer, at: number, entries: readonly Entry[]): number {
  let previous: Entry | undefined;
  let countAt = 0;
  let count = 0;
  for (const entry of entries) {
    if (previous === undefined || !continuesRun(previous, entry)) {
      if (previous !== undefined) target.writeUInt32LE(count, countAt);
      target.writeUInt32LE(recordKind.entries, at);
      countAt = at + 4;
      count = 0;
      writeUint64(target, at + 8, entry.index);
      writeUint64(target, at + 16, entry.term);
      at += RUN_HEADER_BYTES;
    }
    target.writeUInt32LE(entry.data.length * 4 + entry.type, at);
    target.set(entry.data, at + ENTRY_HEADER_BYTES);
    at += ENTRY_HEADER_BYTES + entry.data.length;
    count++;
    previous = entry;
  }
  if (previous !== undefined) target.writeUInt32LE(count, countAt);
  return at;
}

/** Writes the record at `at`; returns where the next one goes. */
export function encodeSnapshotMark(target: Buffer, at: number, metadata: SnapshotMetadata): number {
  const { confState } = metadata;
  target.writeUInt32LE(recordKind.snapshotMark, at);
  target.writeUInt32LE(confState.autoLeave ? 1 : 0, at + 4);
  writeUint64(target, at + 8, metadata.index);
  writeUint64(target, at + 16, metadata.term);
  at += MARK_HEADER_BYTES;
  for (const list of ID_LISTS) {
    target.writeUInt32LE(confState[list].length, at);
    at += 4;
    for (const id of confState[list]) {
      target.writeBigUInt64LE(id, at);
      at += 8;
    }
  }
  return at;
}

/** Decodes the records in [start, end). Throws DecodeError on anything that the encoders do not write. */
export function decodeRecords(source: Buffer, start: number, end: number, sink: RecordSink): void {
  let at = start;
  while (at < end) {
    const kind = readUint32(source, at, end);
    if (kind === recordKind.entries) at = decodeRun(source, at, end, sink);
    else if (kind === recordKind.hardState) at = decodeHardState(source, at, end, sink);
    else if (kind === recordKind.snapshotMark) at = decodeSnapshotMark(source, at, end, sink);
    else throw new DecodeError(`unknown record kind ${kind} at byte ${at}`);
  }
}

function continuesRun(previous: Entry, entry: Entry): boolean {
  return entry.index === previous.index + 1 && entry.term === previous.term;
}

function readUint32(source: Buffer, at: number, end: number): number {
  need(at, 4, end);
  return source.readUInt32LE(at);
}

function need(at: number, bytes: number, end: number): void {
  if (at + bytes > end) throw new DecodeError(`record of ${bytes} bytes at byte ${at} exceeds ${end}`);
}

function decodeHardState(source: Buffer, at: number, end: number, sink: RecordSink): number {
  need(at, HARD_STATE_BYTES, end);
  const vote = source.readBigUInt64LE(at + 12);
  sink.hardState({ term: readUint64(source, at + 4), vote, commit: readUint64(source, at + 20) });
  return at + HARD_STATE_BYTES;
}

function decodeRun(source: Buffer, at: number, end: number, sink: RecordSink): number {
  need(at, RUN_HEADER_BYTES, end);
  const count = source.readUInt32LE(at + 4);
  const firstIndex = readUint64(source, at + 8);
  const term = readUint64(source, at + 16);
  at += RUN_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const word = readUint32(source, at, end);
    const type = entryTypeOf(word & 3, at);
    const dataAt = at + ENTRY_HEADER_BYTES;
    const size = word >>> 2;
    need(dataAt, size, end);
    at = dataAt + size;
    sink.entry({ term, index: firstIndex + i, type, data: source.subarray(dataAt, at) });
  }
  return at;
}

function entryTypeOf(value: number, at: number): EntryType {
  if (value === 0 || value === 1 || value === 2) return value;
  throw new DecodeError(`unknown entry type ${value} at byte ${at}`);
}

function decodeSnapshotMark(source: Buffer, at: number, end: number, sink: RecordSink): number {
  need(at, MARK_HEADER_BYTES, end);
  const autoLeave = source.readUInt32LE(at + 4);
  if (autoLeave > 1) throw new DecodeError(`autoLeave is ${autoLeave} at byte ${at + 4}`);
  const index = readUint64(source, at + 8);
  const term = readUint64(source, at + 16);
  const lists: bigint[][] = [];
  at += MARK_HEADER_BYTES;
  for (const _ of ID_LISTS) {
    const count = readUint32(source, at, end);
    at += 4;
    need(at, count * 8, end);
    const ids: bigint[] = [];
    for (let i = 0; i < count; i++) ids.push(source.readBigUInt64LE(at + i * 8));
    lists.push(ids);
    at += count * 8;
  }
  const [voters, learners, votersOutgoing, learnersNext] = lists as [bigint[], bigint[], bigint[], bigint[]];
  const confState: ConfState = {
    voters,
    learners,
    votersOutgoing,
    learnersNext,
    autoLeave: autoLeave === 1,
  };
  sink.snapshotMark({ confState, index, term });
  return at;
}
