import type { Entry, HardState, SnapshotMetadata } from "../raft/index.ts";
import { dataFrameBytes, frameHeaderBytes, sealFrame } from "./wal-frame.ts";
import {
  encodeEntries,
  encodeHardState,
  encodeSnapshotMark,
  entriesRecordBytes,
  hardStateRecordBytes,
  snapshotMarkRecordBytes,
} from "./wal-record.ts";

const INITIAL_BYTES = 16 * 1024;
/** Larger buffers are not kept for the next frame. */
const KEPT_BYTES_MAX = 1 << 20;

/** A data frame that grows, batch by batch, while the one before it is being written. */
export class FrameBuilder {
  /** Called, in order, once the frame is durable. */
  readonly callbacks: (() => void)[] = [];
  readonly marks: SnapshotMetadata[] = [];
  entryCount = 0;
  /** Index of the last entry of the log once this frame is in it; undefined when the frame does not change it. */
  lastIndex: number | undefined;
  lastHardState: HardState | undefined;
  #buffer: Buffer;
  #end = frameHeaderBytes;

  constructor(buffer: Buffer | undefined) {
    this.#buffer = buffer ?? Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  get bodyBytes(): number {
    return this.#end - frameHeaderBytes;
  }

  hardState(state: HardState): void {
    this.#reserve(hardStateRecordBytes());
    this.#end = encodeHardState(this.#buffer, this.#end, state);
    this.lastHardState = state;
  }

  entries(entries: readonly Entry[], recordBytes = entriesRecordBytes(entries)): void {
    this.#reserve(recordBytes);
    this.#end = encodeEntries(this.#buffer, this.#end, entries);
    this.entryCount += entries.length;
    this.lastIndex = entries.at(-1)?.index ?? this.lastIndex;
  }

  snapshotMark(metadata: SnapshotMetadata): void {
    this.#reserve(snapshotMarkRecordBytes(metadata));
    this.#end = encodeSnapshotMark(this.#buffer, this.#end, metadata);
    this.marks.push(metadata);
  }

  /** The bytes to write at file position `position`, and the chain value after them. */
  seal(sequence: number, position: number, chain: number, seed: number): { bytes: Buffer; chain: number } {
    const size = dataFrameBytes(this.bodyBytes);
    this.#reserve(size - this.#end);
    const bytes = this.#buffer.subarray(0, size);
    bytes.fill(0, this.#end);
    return { bytes, chain: sealFrame(bytes, this.bodyBytes, sequence, position, chain, seed) };
  }

  /** The buffer, for the builder of a later frame, when it is worth keeping. */
  reusable(): Buffer | undefined {
    return this.#buffer.length <= KEPT_BYTES_MAX ? this.#buffer : undefined;
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#end);
    this.#buffer = grown;
  }
}
