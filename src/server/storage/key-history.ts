import type { VersionedRecord } from "./engine.ts";

/** As many are kept in an array of just their size: one that grows has room for sixteen more, for each key. */
const FEW_RECORDS = 8;

/**
 * The records of one key, oldest first; the newest one apart, because most keys have only one and most reads
 * want only that.
 */
export class KeyHistory {
  #latest: VersionedRecord;
  #older: VersionedRecord[] | undefined = undefined;

  constructor(first: VersionedRecord) {
    this.#latest = first;
  }

  get latest(): VersionedRecord {
    return this.#latest;
  }

  push(record: VersionedRecord): void {
    if (this.#older === undefined) this.#older = [this.#latest];
    else if (this.#older.length < FEW_RECORDS) this.#older = [...this.#older, this.#latest];
    else this.#older.push(this.#latest);
    this.#latest = record;
  }

  /** The newest record with modRevision <= revision, tombstones included. */
  newest(revision: number): VersionedRecord | undefined {
    if (this.#latest.modRevision <= revision) return this.#latest;
    if (this.#older === undefined) return undefined;
    return this.#older[countUpTo(this.#older, revision) - 1];
  }

  /** Whether a compaction at `revision` keeps the record, which is one of these, or was before another compaction. */
  keeps(record: VersionedRecord, revision: number): boolean {
    if (record.modRevision > revision) return true;
    return !isDroppedTombstone(record, revision) && this.newest(revision) === record;
  }

  /**
   * Forgets what a compaction at `revision` removes: what is older than the newest record up to it, and that one
   * too when it is a tombstone below `revision`. False when nothing is left.
   */
  compact(revision: number): boolean {
    if (this.#latest.modRevision <= revision) {
      this.#older = undefined;
      return !isDroppedTombstone(this.#latest, revision);
    }
    if (this.#older === undefined) return true;
    const newestIndex = countUpTo(this.#older, revision) - 1;
    if (newestIndex < 0) return true;
    const newest = this.#older[newestIndex] as VersionedRecord;
    const dropCount = isDroppedTombstone(newest, revision) ? newestIndex + 1 : newestIndex;
    if (dropCount === this.#older.length) this.#older = undefined;
    else if (dropCount > 0) this.#older = this.#older.slice(dropCount);
    return true;
  }
}

function isDroppedTombstone(record: VersionedRecord, revision: number): boolean {
  return record.tombstone && record.modRevision < revision;
}

/** How many of the records, which are in ascending order, have modRevision <= revision. */
function countUpTo(records: readonly VersionedRecord[], revision: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((records[middle] as VersionedRecord).modRevision <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
