import { join } from "node:path";
import { writeFully } from "../../lib/file-operations.ts";
import type { Fs, FsFile } from "../../lib/fs.ts";
import type { HardState } from "../raft/index.ts";
import type { SegmentPreparer } from "./segment-preparer.ts";
import { dataFrameBytes, encodeMarker, frameHeaderBytes, frameType, slotBytes } from "./wal-frame.ts";
import type { FrameBuilder } from "./wal-frame-builder.ts";
import { sectorBytes } from "./wal-layout.ts";
import type { LiveSegment } from "./wal-recovery.ts";
import { encodeSegmentHeader, segmentHeaderBytes, segmentName, segmentSeed } from "./wal-segment.ts";

/** What every segment of one log has in common. */
export interface SegmentIdentity {
  readonly fs: Fs;
  readonly directory: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly salt: number;
  readonly segmentBytes: number;
}

/** Where the log goes on: what a new segment's header states. */
export interface SegmentStart {
  readonly sequence: number;
  readonly firstIndex: number;
  readonly frameSequence: number;
  readonly chain: number;
  readonly hardState: HardState;
}

/** The segment being written; its file makes each write durable. */
export interface ActiveSegment extends LiveSegment {
  readonly file: FsFile;
  readonly sizeBytes: number;
  readonly seed: number;
}

/** The end of the log inside the active segment. */
export interface WritePosition {
  readonly offset: number;
  readonly frameSequence: number;
  readonly chain: number;
  readonly isVouched: boolean;
}

/**
 * Creates a segment whose first frame will have up to `bodyBytes` bytes of records: zeros and header durable first,
 * then its name, so that a segment that can be seen is whole.
 */
export async function createSegment(
  identity: SegmentIdentity,
  preparer: SegmentPreparer,
  start: SegmentStart,
  bodyBytes: number,
): Promise<ActiveSegment> {
  const { fs, directory, clusterId, memberId, salt, segmentBytes } = identity;
  const needed = segmentHeaderBytes + dataFrameBytes(bodyBytes) + slotBytes;
  const sizeBytes = Math.max(segmentBytes, Math.ceil(needed / sectorBytes) * sectorBytes);
  const header = encodeSegmentHeader({ ...start, clusterId, memberId, salt, sizeBytes });
  const path = join(directory, segmentName(start.sequence, start.firstIndex));
  const prepared = await preparer.take(sizeBytes);
  try {
    await writeFully(prepared.file, [header], 0);
    await fs.rename(prepared.path, path);
    await fs.syncDirectory(directory);
  } catch (error) {
    await prepared.file.close();
    throw error;
  }
  const { sequence, firstIndex } = start;
  return { path, sequence, firstIndex, file: prepared.file, sizeBytes, seed: segmentSeed(header) };
}

/** Writes frames at the end of the log and moves on to a next segment; the caller has one call in flight at a time. */
export class SegmentWriter {
  readonly #identity: SegmentIdentity;
  readonly #preparer: SegmentPreparer;
  #active: ActiveSegment;
  #offset: number;
  #frameSequence: number;
  #chain: number;
  #isVouched: boolean;

  constructor(
    identity: SegmentIdentity,
    preparer: SegmentPreparer,
    active: ActiveSegment,
    position: WritePosition,
  ) {
    this.#identity = identity;
    this.#preparer = preparer;
    this.#active = active;
    this.#offset = position.offset;
    this.#frameSequence = position.frameSequence;
    this.#chain = position.chain;
    this.#isVouched = position.isVouched;
  }

  get active(): LiveSegment {
    return this.#active;
  }

  /** Whether a marker stands behind the last data frame, or could not. */
  get isVouched(): boolean {
    return this.#isVouched || !this.#hasRoom(frameHeaderBytes);
  }

  /** Whether a frame with `bodyBytes` bytes of records fits in the active segment. */
  fits(bodyBytes: number): boolean {
    return this.#hasRoom(dataFrameBytes(bodyBytes));
  }

  /** Writes the frame, which must fit; `done` gets its size in bytes once it is durable. */
  writeFrame(frame: FrameBuilder, done: (error: Error | undefined, bytes: number) => void): void {
    const { bytes, chain } = frame.seal(this.#frameSequence, this.#offset, this.#chain, this.#active.seed);
    this.#active.file.write([bytes], this.#offset, (error) => {
      if (error === undefined) {
        this.#offset += bytes.length;
        this.#frameSequence++;
        this.#chain = chain;
        this.#isVouched = false;
        if (this.#offset > this.#active.sizeBytes / 2) this.#preparer.begin();
      }
      done(error, bytes.length);
    });
  }

  /** States that all frames so far are durable. Nothing to do when that stands there already. */
  async writeMarker(): Promise<void> {
    if (this.isVouched) return;
    await this.#writeMarker(frameType.marker);
    this.#offset += frameHeaderBytes;
    this.#isVouched = true;
  }

  /**
   * Goes on in a new segment with room for `bodyBytes`. The end mark in the old one is written once the new one is
   * durable: from then on a missing newest segment is noticed.
   */
  async cut(bodyBytes: number, firstIndex: number, hardState: HardState): Promise<void> {
    const old = this.#active;
    const start: SegmentStart = {
      sequence: old.sequence + 1,
      firstIndex,
      frameSequence: this.#frameSequence,
      chain: this.#chain,
      hardState,
    };
    const next = await createSegment(this.#identity, this.#preparer, start, bodyBytes);
    await this.#writeMarker(frameType.end);
    await old.file.close();
    this.#active = next;
    this.#offset = segmentHeaderBytes;
    this.#isVouched = true;
  }

  close(): Promise<void> {
    return this.#active.file.close();
  }

  #writeMarker(type: 2 | 3): Promise<void> {
    const marker = encodeMarker(type, this.#frameSequence - 1, this.#active.seed);
    return writeFully(this.#active.file, [marker], this.#offset);
  }

  /** Every segment keeps a slot for its end mark. */
  #hasRoom(bytes: number): boolean {
    return this.#offset + bytes + slotBytes <= this.#active.sizeBytes;
  }
}
