import { StorageFailure } from "../../lib/errors.ts";
import type { Entry, HardState, SnapshotMetadata } from "../raft/index.ts";
import type { RecordSink } from "./wal-record.ts";
import { damagedSegment } from "./wal-segment.ts";

/** A snapshot mark and the segment it was read from. */
export interface PlacedMark {
  readonly metadata: SnapshotMetadata;
  readonly segmentSequence: number;
}

/**
 * Rebuilds the log from its records: a later entry replaces the one of the same index and all behind it, a
 * snapshot mark replaces what it covers, and a gap is damage.
 */
export class LogReplay implements RecordSink {
  /** The entries behind index `base`. */
  entries: Entry[] = [];
  state: HardState;
  marks: PlacedMark[] = [];
  #base: number;
  /** The first segment is not the log's first: entries before it were released. */
  readonly #isContinuation: boolean;
  #path = "";
  #segmentSequence = 0;

  constructor(firstIndex: number, state: HardState, isContinuation: boolean) {
    this.#base = firstIndex - 1;
    this.state = state;
    this.#isContinuation = isContinuation;
  }

  get lastIndex(): number {
    return this.#base + this.entries.length;
  }

  get newestMark(): SnapshotMetadata | undefined {
    return this.marks.at(-1)?.metadata;
  }

  /** Names the segment that the next records come from. */
  enter(path: string, segmentSequence: number): void {
    this.#path = path;
    this.#segmentSequence = segmentSequence;
  }

  hardState(state: HardState): void {
    this.state = state;
  }

  entry(entry: Entry): void {
    const position = entry.index - this.#base - 1;
    if (position === this.entries.length) {
      this.entries.push(entry);
      return;
    }
    if (position > this.entries.length) {
      throw damagedSegment(this.#path, `entry ${entry.index} follows entry ${this.lastIndex}`);
    }
    if (position >= 0) {
      this.entries.length = position;
      this.entries.push(entry);
      return;
    }
    const mark = this.newestMark;
    if (!this.#isContinuation || (mark !== undefined && entry.index <= mark.index)) {
      throw damagedSegment(this.#path, `entry ${entry.index} follows a snapshot at ${this.#base}`);
    }
    this.#base = entry.index - 1;
    this.entries = [entry];
  }

  snapshotMark(metadata: SnapshotMetadata): void {
    const previous = this.newestMark;
    if (previous !== undefined && metadata.index < previous.index) {
      throw damagedSegment(this.#path, `snapshot mark ${metadata.index} follows mark ${previous.index}`);
    }
    this.marks.push({ metadata, segmentSequence: this.#segmentSequence });
    const covered = metadata.index - this.#base;
    if (covered <= 0) return;
    const atMark = this.entries[covered - 1];
    // Raft keeps the entries behind a snapshot only when the log agrees with it at its index.
    this.entries = atMark?.term === metadata.term ? this.entries.slice(covered) : [];
    this.#base = metadata.index;
  }

  /** Checks what can only be seen at the end. `path` names the log. */
  finish(path: string): void {
    const markIndex = this.newestMark?.index ?? 0;
    if (markIndex < this.#base) {
      throw new StorageFailure(
        `${path}: the log starts behind entry ${this.#base}, and its newest snapshot mark is at ${markIndex}`,
        "Segment files were removed. Restore the data directory from a backup.",
      );
    }
    if (this.state.commit > this.lastIndex) {
      throw new StorageFailure(
        `${path}: entries up to ${this.state.commit} were committed, and the log ends at ${this.lastIndex}`,
        "The end of the log is missing. Restore the data directory from a backup.",
      );
    }
  }
}
