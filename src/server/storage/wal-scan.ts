import { DecodeError } from "../../lib/errors.ts";
import { isZero, lastNonZero } from "../../lib/file-operations.ts";
import {
  applyMask,
  chainOf,
  dataFrameBytes,
  decodeFrameHeader,
  type FrameHeader,
  frameHeaderBytes,
  frameTrailerBytes,
  frameType,
  isTrailer,
  slotBytes,
} from "./wal-frame.ts";
import { sectorBytes } from "./wal-layout.ts";
import { decodeRecords, type RecordSink } from "./wal-record.ts";
import { damagedSegment, type SegmentHeader, segmentHeaderBytes, segmentSeed } from "./wal-segment.ts";

/** Where a segment's whole frames end, and how. */
export interface SegmentScan {
  /** File position of the next frame. */
  readonly endOffset: number;
  /** Sequence and chain value for the next data frame. */
  readonly frameSequence: number;
  readonly chain: number;
  /** No data frame follows the last marker. */
  readonly isVouched: boolean;
  /** The segment was ended because a next one follows. */
  readonly isEnded: boolean;
  /** The end of an unfinished write: to be zeroed from endOffset up to this position (exclusive). */
  readonly torn: { readonly end: number; readonly reason: string } | undefined;
}

/**
 * Reads the frames of a whole segment and hands their records to `sink`. What a crash in mid-write leaves at the
 * end of the last segment is reported as torn; every other deviation throws StorageFailure (DESIGN.md, "Torn or
 * damaged"). `bytes` is the segment, or its beginning when the rest is zero; it is unmasked in place, and entries
 * keep views of it.
 */
export function scanSegment(
  bytes: Buffer,
  header: SegmentHeader,
  path: string,
  isLast: boolean,
  sink: RecordSink,
): SegmentScan {
  const seed = segmentSeed(bytes);
  const dataEnd = lastNonZero(bytes, segmentHeaderBytes, bytes.length) + 1;
  let { frameSequence, chain } = header;
  let at = segmentHeaderBytes;
  let isVouched = true;
  let isEnded = false;
  let torn: SegmentScan["torn"];
  while (at < dataEnd) {
    if (isEnded) throw damagedSegment(path, `at byte ${at}: the segment has ended, but more bytes follow`);
    const frame = decodeFrameHeader(bytes, at, seed);
    if (frame === undefined) {
      torn = { end: dataEnd, reason: tornHeader(bytes, at, dataEnd, seed, path, isLast) };
      break;
    }
    checkSequence(frame, frameSequence, at, path);
    if (frame.type !== frameType.data) {
      isVouched = true;
      isEnded = frame.type === frameType.end;
      at += frameHeaderBytes;
      continue;
    }
    const end = at + dataFrameBytes(frame.bodyBytes);
    if (end + slotBytes > header.sizeBytes) {
      throw damagedSegment(path, `at byte ${at}: a frame of ${end - at} bytes exceeds the segment`);
    }
    const isWrittenToItsEnd = end <= dataEnd;
    const next = isWrittenToItsEnd ? chainOf(bytes, at, end, chain) : 0;
    if (!isWrittenToItsEnd || !isTrailer(bytes, end, next)) {
      torn = { end: dataEnd, reason: tornBody(bytes, at, end, dataEnd, seed, path, isLast) };
      break;
    }
    if (frame.mask !== 0) applyMask(bytes, at, end, frame.mask);
    decodeBody(bytes, at, frame, path, sink);
    chain = next;
    frameSequence++;
    isVouched = false;
    at = end;
  }
  return { endOffset: at, frameSequence, chain, isVouched, isEnded, torn };
}

function decodeBody(bytes: Buffer, at: number, frame: FrameHeader, path: string, sink: RecordSink): void {
  const start = at + frameHeaderBytes;
  try {
    decodeRecords(bytes, start, start + frame.bodyBytes, sink);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw damagedSegment(path, `at byte ${at}: frame ${frame.sequence}: ${error.message}`, { cause: error });
  }
}

function checkSequence(frame: FrameHeader, next: number, at: number, path: string): void {
  const expected = frame.type === frameType.data ? next : next - 1;
  if (frame.sequence === expected) return;
  throw damagedSegment(path, `at byte ${at}: frame ${frame.sequence} stands where ${expected} belongs`);
}

/** Why the bytes at `at`, which are no frame header, are the rest of an unfinished write; throws otherwise. */
function tornHeader(
  bytes: Buffer,
  at: number,
  dataEnd: number,
  seed: number,
  path: string,
  isLast: boolean,
): string {
  const what = `at byte ${at}: there is no valid frame header`;
  const slotEnd = at + slotBytes;
  // A whole data frame has a non-zero end beyond its header. So this is a marker, which carries nothing, or a write
  // that was cut off in its first bytes. Before the last segment it can only be the end mark of a segment that was
  // left last: the header of the next one tells whether a frame is missing here.
  if (dataEnd <= slotEnd) return "a frame header that was not written whole";
  refuseIfProvenDurable(bytes, at, dataEnd, seed, path, isLast, what);
  if (isZero(bytes, at, slotEnd)) return "a write whose first sector is missing";
  throw damagedSegment(path, `${what}, and the write was not cut short`);
}

/** The same for a data frame in [at, end) whose header is valid and whose body or trailer is not. */
function tornBody(
  bytes: Buffer,
  at: number,
  end: number,
  dataEnd: number,
  seed: number,
  path: string,
  isLast: boolean,
): string {
  const what = `at byte ${at}: the checksum of a frame of ${end - at} bytes does not match`;
  refuseIfProvenDurable(bytes, at, dataEnd, seed, path, isLast, what);
  if (end > dataEnd || bytes[end - 1] === 0)
    return `a frame of ${end - at} bytes that was not written to its end`;
  const first = at - (at % sectorBytes) + sectorBytes;
  for (let sector = first; sector + sectorBytes <= end - frameTrailerBytes; sector += sectorBytes) {
    if (isZero(bytes, sector, sector + sectorBytes)) {
      return `a frame of ${end - at} bytes whose sector at byte ${sector} was not written`;
    }
  }
  throw damagedSegment(path, `${what}, and the write was not cut short`);
}

/**
 * One write is in flight at a time, so any frame after `at` proves that what stood at `at` was durable, and an
 * end or a later segment proves it for the whole segment.
 */
function refuseIfProvenDurable(
  bytes: Buffer,
  at: number,
  dataEnd: number,
  seed: number,
  path: string,
  isLast: boolean,
  what: string,
): void {
  if (!isLast) throw damagedSegment(path, `${what}, and a later segment proves that it was written`);
  for (let slot = at + slotBytes; slot < dataEnd; slot += slotBytes) {
    if (decodeFrameHeader(bytes, slot, seed) === undefined) continue;
    throw damagedSegment(path, `${what}, and the frame at byte ${slot} proves that it was written`);
  }
}
