import { join } from "node:path";
import { DecodeError, StorageFailure } from "../../lib/errors.ts";
import { lastNonZero, readWhole, writeZeros } from "../../lib/file-operations.ts";
import type { Fs, FsFile } from "../../lib/fs.ts";
import type { Log } from "../../lib/log.ts";
import { slotBytes } from "./wal-frame.ts";
import { LogReplay } from "./wal-replay.ts";
import { type SegmentScan, scanSegment } from "./wal-scan.ts";
import {
  damagedSegment,
  decodeSegmentHeader,
  parseSegmentName,
  type SegmentHeader,
  type SegmentName,
  segmentHeaderBytes,
  segmentSeed,
} from "./wal-segment.ts";

/** A segment as the running log knows it. */
export interface LiveSegment {
  readonly path: string;
  readonly sequence: number;
  readonly firstIndex: number;
}

/** What was found on disk, oldest segment first; the last one has been scanned into `scan`. */
export interface RecoveredLog {
  readonly segments: readonly LiveSegment[];
  readonly header: SegmentHeader;
  readonly seed: number;
  readonly scan: SegmentScan;
  readonly replay: LogReplay;
  /** The segment before the last when its end is not marked: where the mark belongs. */
  readonly unended: UnendedSegment | undefined;
}

export interface UnendedSegment {
  readonly path: string;
  readonly offset: number;
  readonly seed: number;
  readonly sequence: number;
}

export interface RecoveryOptions {
  readonly fs: Fs;
  readonly log: Log;
  readonly directory: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

interface ReadSegment {
  readonly path: string;
  readonly header: SegmentHeader;
  readonly seed: number;
  readonly scan: SegmentScan;
}

/** Reads and checks all segments; changes nothing but to remove drafts. Throws StorageFailure. */
export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog> {
  const names = await listSegments(options);
  const segments: LiveSegment[] = [];
  let replay: LogReplay | undefined;
  let previous: ReadSegment | undefined;
  let unended: UnendedSegment | undefined;
  for (const name of names) {
    const path = join(options.directory, name.name);
    const isLast = name === names.at(-1);
    const bytes = await reading(path, readWhole(options.fs, path));
    const header = decodeHeader(bytes, path);
    checkIdentity(header, name, bytes.length, path, options);
    if (previous !== undefined) checkContinues(header, previous.header, previous.scan, path);
    replay ??= new LogReplay(header.firstIndex, header.hardState, header.sequence > 0);
    replay.enter(path, header.sequence);
    const scan = scanSegment(withoutUnusedEnd(bytes), header, path, isLast, replay);
    unended = unendedBefore(previous, isLast);
    segments.push({ path, sequence: header.sequence, firstIndex: header.firstIndex });
    previous = { header, seed: segmentSeed(bytes), scan, path };
  }
  if (replay === undefined || previous === undefined) {
    throw new StorageFailure(
      `${options.directory} holds no log segment`,
      "The log of this member is gone. Restore the data directory from a backup, or remove the member and add it " +
        "again with an empty directory.",
    );
  }
  if (previous.scan.isEnded) {
    throw new StorageFailure(
      `${options.directory}: the segment after ${previous.path} is missing`,
      "The newest part of the log is gone. Restore the data directory from a backup.",
    );
  }
  replay.finish(options.directory);
  const { header, seed, scan } = previous;
  return { segments, header, seed, scan, replay, unended };
}

/**
 * Overwrites the rest of an unfinished write, so that nothing can ever take it for a frame. The header slot goes
 * last: until then it shows that what stands behind it is torn, should this be interrupted too.
 */
export async function zeroTorn(file: FsFile, { endOffset, torn }: SegmentScan): Promise<void> {
  if (torn === undefined) return;
  const slotEnd = Math.min(endOffset + slotBytes, torn.end);
  await writeZeros(file, slotEnd, torn.end);
  await writeZeros(file, endOffset, slotEnd);
}

async function listSegments({ fs, directory, log }: RecoveryOptions): Promise<SegmentName[]> {
  const names: SegmentName[] = [];
  for (const name of await reading(directory, fs.readDirectory(directory))) {
    const segment = parseSegmentName(name);
    if (segment !== undefined) names.push(segment);
    else if (name.endsWith(".tmp")) await reading(directory, fs.unlink(join(directory, name)));
    else log.warn("a file that does not belong in the log directory is left alone", { directory, name });
  }
  names.sort((left, right) => left.sequence - right.sequence);
  for (let i = 1; i < names.length; i++) {
    const expected = names[i - 1]!.sequence + 1;
    if (names[i]!.sequence === expected) continue;
    throw new StorageFailure(
      `${directory}: segment ${expected} of the log is missing or doubled (found ${names[i]!.name})`,
      "Put the missing segment file back, or restore the data directory from a backup.",
    );
  }
  return names;
}

async function reading<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new StorageFailure(
      `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
      "Check the disk and the permissions of the data directory.",
      { cause: error },
    );
  }
}

function decodeHeader(bytes: Buffer, path: string): SegmentHeader {
  try {
    return decodeSegmentHeader(bytes, path);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw damagedSegment(path, `segment header: ${error.message}`, { cause: error });
  }
}

function checkIdentity(
  header: SegmentHeader,
  name: SegmentName,
  sizeBytes: number,
  path: string,
  { clusterId, memberId }: RecoveryOptions,
): void {
  if (header.clusterId !== clusterId || header.memberId !== memberId) {
    throw new StorageFailure(
      `${path} belongs to member ${header.memberId.toString(16)} of cluster ${header.clusterId.toString(16)}, ` +
        `not to member ${memberId.toString(16)} of cluster ${clusterId.toString(16)}`,
      "The data directories of two members were swapped or mixed: give each member its own.",
    );
  }
  if (header.sequence !== name.sequence || header.firstIndex !== name.firstIndex) {
    throw damagedSegment(
      path,
      `its header says segment ${header.sequence} from entry ${header.firstIndex}, its name does not`,
    );
  }
  if (sizeBytes < header.sizeBytes) {
    throw damagedSegment(path, `the segment is truncated: ${sizeBytes} of ${header.sizeBytes} bytes`);
  }
  if (sizeBytes > header.sizeBytes) {
    throw damagedSegment(path, `the segment has grown: ${sizeBytes} bytes instead of ${header.sizeBytes}`);
  }
}

function checkContinues(header: SegmentHeader, before: SegmentHeader, scan: SegmentScan, path: string): void {
  if (header.salt !== before.salt) {
    throw damagedSegment(path, "it comes from another log than the segment before it");
  }
  if (header.frameSequence === scan.frameSequence && header.chain === scan.chain) return;
  throw damagedSegment(
    path,
    `it continues after frame ${header.frameSequence - 1}, the segment before it ends with frame ` +
      `${scan.frameSequence - 1} or with another content`,
  );
}

/** A crash between the creation of a segment and the end mark in the one before leaves the mark to be written. */
function unendedBefore(previous: ReadSegment | undefined, isLast: boolean): UnendedSegment | undefined {
  if (!isLast || previous === undefined || previous.scan.isEnded) return undefined;
  const { scan, seed, path } = previous;
  return { path, seed, offset: scan.endOffset, sequence: scan.frameSequence - 1 };
}

/**
 * Entries keep views of the segment they were read from. Where most of it is the zeros of unused space, a copy of
 * the used part lets the rest go.
 */
function withoutUnusedEnd(bytes: Buffer): Buffer {
  const used = lastNonZero(bytes, segmentHeaderBytes, bytes.length) + 1;
  return used > bytes.length / 2 ? bytes : Buffer.from(bytes.subarray(0, used));
}
