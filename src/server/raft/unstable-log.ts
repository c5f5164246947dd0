import { assert } from "../../lib/assert.ts";
import { EntryRun } from "./entry-run.ts";
import type { RaftLogger } from "./raft-logger.ts";
import type { Entry, Snapshot } from "./types.ts";

/**
 * The end of the log that is not durable yet, or a snapshot that is not installed yet (raft-core-spec section 4).
 * What is here hides what storage has from `offset` on.
 */
export class UnstableLog {
  readonly #logger: RaftLogger;
  readonly #entries: EntryRun;
  snapshot: Snapshot | undefined;
  #isSnapshotInProgress = false;
  /** First index not handed to the caller for persisting. */
  #offsetInProgress: number;

  constructor(offset: number, logger: RaftLogger) {
    this.#logger = logger;
    this.#entries = new EntryRun(offset);
    this.#offsetInProgress = offset;
  }

  /** Index of the first entry, or of the one that would come first. */
  get offset(): number {
    return this.#entries.firstIndex;
  }

  get offsetInProgress(): number {
    return this.#offsetInProgress;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Undefined: nothing is unstable. */
  lastIndex(): number | undefined {
    if (this.#entries.length > 0) return this.#entries.endIndex - 1;
    return this.snapshot?.metadata.index;
  }

  term(index: number): number | undefined {
    if (index >= this.#entries.firstIndex) return this.#entries.at(index)?.term;
    const metadata = this.snapshot?.metadata;
    return metadata?.index === index ? metadata.term : undefined;
  }

  /** Entries not yet handed out for persisting. */
  nextEntries(): Entry[] {
    return this.#entries.slice(this.#offsetInProgress, this.#entries.endIndex, Number.POSITIVE_INFINITY);
  }

  hasNextEntries(): boolean {
    return this.#entries.endIndex > this.#offsetInProgress;
  }

  nextSnapshot(): Snapshot | undefined {
    return this.#isSnapshotInProgress ? undefined : this.snapshot;
  }

  /** All of it has been handed out. */
  acceptInProgress(): void {
    this.#offsetInProgress = this.#entries.endIndex;
    this.#isSnapshotInProgress = this.snapshot !== undefined;
  }

  /** The entries up to (term, index) are durable; ignored when the log has changed under them. */
  stableTo(term: number, index: number): void {
    const found = this.term(index);
    if (found === undefined) {
      this.#logger.detail(() => `entry at index ${index} missing from unstable log; ignoring`);
      return;
    }
    if (index < this.offset) {
      this.#logger.detail(() => `entry at index ${index} matched unstable snapshot; ignoring`);
      return;
    }
    if (found !== term) {
      this.#logger.detail(
        () =>
          `entry at (index,term)=(${index},${term}) mismatched with entry at (${index},${found}) in unstable log; ignoring`,
      );
      return;
    }
    this.#entries.dropThrough(index);
    this.#offsetInProgress = Math.max(this.#offsetInProgress, this.offset);
  }

  /** The snapshot at `index` is installed; ignored when another came after it. */
  stableSnapshotTo(index: number): void {
    if (this.snapshot?.metadata.index !== index) return;
    this.snapshot = undefined;
    this.#isSnapshotInProgress = false;
  }

  restore(snapshot: Snapshot): void {
    this.#entries.reset(snapshot.metadata.index + 1);
    this.#offsetInProgress = this.offset;
    this.snapshot = snapshot;
    this.#isSnapshotInProgress = false;
  }

  /** One entry, at the end. */
  push(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Adds entries, in place of those from the first one's index on. */
  truncateAndAppend(entries: readonly Entry[]): void {
    const from = entries[0]!.index;
    assert(from <= this.#entries.endIndex, () => `append at ${from} leaves a gap`);
    if (from <= this.offset && this.#entries.endIndex !== from) {
      this.#logger.info(() => `replace the unstable entries from index ${from}`);
      this.#entries.reset(from);
      this.#offsetInProgress = from;
    } else if (from < this.#entries.endIndex) {
      this.#logger.info(() => `truncate the unstable entries before index ${from}`);
      this.#entries.cutFrom(from);
      this.#offsetInProgress = Math.min(this.#offsetInProgress, from);
    }
    for (const entry of entries) this.#entries.push(entry);
  }

  slice(from: number, to: number, bytesMax: number): Entry[] {
    return this.#entries.slice(from, to, bytesMax);
  }
}
