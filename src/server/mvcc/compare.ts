import { type Compare, compareResult, compareTarget } from "../../codec/index.ts";
import { compare, EMPTY } from "../../lib/bytes.ts";
import type { EngineView, VersionedRecord } from "../storage/index.ts";

/** What a missing key compares as: all zero (semantics-kv-mvcc 5.3). */
const missing = { version: 0, createRevision: 0, modRevision: 0, value: EMPTY, lease: 0n };
type Comparable = Pick<VersionedRecord, keyof typeof missing>;

/** Whether the compare holds for every key of its range in the state at `revision`. */
export function holds(condition: Compare, engine: EngineView, revision: number): boolean {
  const { records } = engine.range({ start: condition.key, end: condition.rangeEnd }, revision, 0);
  if (records.length === 0) {
    // No comparand could stand for a missing value, so every compare with one fails.
    return condition.target !== compareTarget.value && holdsFor(condition, missing);
  }
  return records.every((record) => holdsFor(condition, record));
}

function holdsFor(condition: Compare, record: Comparable): boolean {
  const difference = compareTo(condition, record);
  switch (condition.result) {
    case compareResult.equal:
      return difference === 0;
    case compareResult.notEqual:
      return difference !== 0;
    case compareResult.greater:
      return difference > 0;
    case compareResult.less:
      return difference < 0;
    default:
      // etcd takes a result it does not know as true.
      return true;
  }
}

/**
 * Negative, zero or positive as the record's field is below, at or above the comparand. A comparand of another
 * kind than the target counts as zero or empty; an unknown target compares as equal.
 */
function compareTo({ target, union }: Compare, record: Comparable): number {
  switch (target) {
    case compareTarget.version:
      return record.version - (union.case === "version" ? union.value : 0);
    case compareTarget.create:
      return record.createRevision - (union.case === "createRevision" ? union.value : 0);
    case compareTarget.mod:
      return record.modRevision - (union.case === "modRevision" ? union.value : 0);
    case compareTarget.value:
      return compare(record.value, union.case === "value" ? union.value : EMPTY);
    case compareTarget.lease: {
      const comparand = union.case === "lease" ? union.value : 0n;
      return record.lease < comparand ? -1 : record.lease > comparand ? 1 : 0;
    }
    default:
      return 0;
  }
}
