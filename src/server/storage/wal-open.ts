import { assert } from "../../lib/assert.ts";
import { StorageFailure } from "../../lib/errors.ts";
import { writeFully } from "../../lib/file-operations.ts";
import type { FsFile } from "../../lib/fs.ts";
import { secretUint32 } from "../../lib/secret.ts";
import { type Entry, emptyHardState, type HardState, type SnapshotMetadata } from "../raft/index.ts";
import { SegmentPreparer } from "./segment-preparer.ts";
import { type ActiveSegment, createSegment, type SegmentIdentity, SegmentWriter } from "./segment-writer.ts";
import { Wal } from "./wal.ts";
import { walFailure } from "./wal-failure.ts";
import { encodeMarker, frameType } from "./wal-frame.ts";
import { sectorBytes } from "./wal-layout.ts";
import { type RecoveredLog, recoverLog, zeroTorn } from "./wal-recovery.ts";
import { parseSegmentName } from "./wal-segment.ts";
import type { WalOptions } from "./wal-types.ts";

/** The log as it was found. */
export interface OpenedWal {
  readonly wal: Wal;
  /** All zero when none was ever written. */
  readonly hardState: HardState;
  /** Entries behind the snapshot mark, or all; their data are views of the files as read. */
  readonly entries: readonly Entry[];
  /** The newest snapshot that the log counts on; its file must exist. */
  readonly snapshotMark: SnapshotMetadata | undefined;
  /** What was cut off: the rest of a write that was never acknowledged. */
  readonly repaired: string | undefined;
}

const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;
const SEGMENT_BYTES_MIN = 4096;

/**
 * Creates the first segment of a log in an empty directory; the log is opened by openWal. `salt` is for tests that
 * must repeat. Throws StorageFailure.
 */
export async function createWal(options: WalOptions, salt = secretUint32()): Promise<void> {
  const identity = identityOf(options, salt);
  const preparer = new SegmentPreparer(options.fs, options.log, options.directory, identity.segmentBytes);
  const start = { sequence: 0, firstIndex: 1, frameSequence: 1, chain: 0, hardState: emptyHardState };
  try {
    const names = await options.fs.readDirectory(options.directory);
    if (names.some((name) => parseSegmentName(name) !== undefined)) {
      throw new StorageFailure(`${options.directory} already holds a log`, "Start with another --data-dir.");
    }
    const segment = await createSegment(identity, preparer, start, 0);
    await segment.file.close();
  } catch (error) {
    throw walFailure(error, options.directory);
  }
}

/**
 * Reads, checks and repairs the log, and makes what was read durable before anyone relies on it. Throws
 * StorageFailure when the log is damaged, incomplete, another member's or of a newer format.
 */
export async function openWal(options: WalOptions): Promise<OpenedWal> {
  const recovered = await recoverLog(options);
  const { replay, scan, header, segments } = recovered;
  const last = segments.at(-1)!;
  const identity = identityOf(options, header.salt);
  const preparer = new SegmentPreparer(options.fs, options.log, options.directory, identity.segmentBytes);
  const { sizeBytes } = header;
  let writer: SegmentWriter;
  try {
    const file = await options.fs.open(last.path, { access: "write", durable: true });
    await settle(options, recovered, file);
    const active: ActiveSegment = { ...last, file, sizeBytes, seed: recovered.seed };
    writer = new SegmentWriter(identity, preparer, active, { ...scan, offset: scan.endOffset });
    await writer.writeMarker();
  } catch (error) {
    throw walFailure(error, options.directory);
  }
  const repaired = repairOf(recovered, last.path);
  if (repaired !== undefined) options.log.warn(repaired);
  const marks = replay.marks.map(({ metadata, segmentSequence }) => ({
    index: metadata.index,
    segmentSequence,
  }));
  const { state: hardState, lastIndex, entries, newestMark: snapshotMark } = replay;
  const wal = new Wal(options, writer, preparer, { segments: [...segments], hardState, lastIndex, marks });
  return { wal, hardState, entries, snapshotMark, repaired };
}

/**
 * What was read may still sit in the page cache only, when the last process was killed in a write: it is made
 * durable now. The rest of a torn write is zeroed, and an end mark that a crash kept from being written is set.
 */
async function settle(options: WalOptions, recovered: RecoveredLog, file: FsFile): Promise<void> {
  await zeroTorn(file, recovered.scan);
  await file.sync();
  await options.fs.syncDirectory(options.directory);
  const { unended } = recovered;
  if (unended === undefined) return;
  const before = await options.fs.open(unended.path, { access: "write", durable: true });
  try {
    await writeFully(before, [encodeMarker(frameType.end, unended.sequence, unended.seed)], unended.offset);
  } finally {
    await before.close();
  }
}

function repairOf({ scan }: RecoveredLog, path: string): string | undefined {
  if (scan.torn === undefined) return undefined;
  return `${path}: cut off bytes ${scan.endOffset} to ${scan.torn.end}: ${scan.torn.reason}`;
}

function identityOf(options: WalOptions, salt: number): SegmentIdentity {
  const { fs, directory, clusterId, memberId, segmentBytes = DEFAULT_SEGMENT_BYTES } = options;
  assert(
    segmentBytes >= SEGMENT_BYTES_MIN && segmentBytes % sectorBytes === 0,
    `segmentBytes is ${segmentBytes}`,
  );
  return { fs, directory, clusterId, memberId, salt, segmentBytes };
}
