import {
  type KeyValue,
  type RangeRequest,
  type RangeResponse,
  sortOrder,
  sortTarget,
} from "../../codec/index.ts";
import { compare, EMPTY } from "../../lib/bytes.ts";
import type { EngineView, KeyInterval, VersionedRecord } from "../storage/index.ts";
import { headerAt } from "./revision.ts";

type RecordOrder = (left: VersionedRecord, right: VersionedRecord) => number;

const orders = new Map<number, RecordOrder>([
  [sortTarget.key, (left, right) => compare(left.key, right.key)],
  [sortTarget.version, (left, right) => left.version - right.version],
  [sortTarget.create, (left, right) => left.createRevision - right.createRevision],
  [sortTarget.mod, (left, right) => left.modRevision - right.modRevision],
  [sortTarget.value, (left, right) => compare(left.value, right.value)],
]);

/**
 * Answers a Range in the order of semantics-kv-mvcc 3.4: fetch, filter, sort, limit, blank. `currentRevision` is
 * where revision 0 reads and what the header says. The revision asked for has been checked (assertReadable).
 */
export function readRange(engine: EngineView, request: RangeRequest, currentRevision: number): RangeResponse {
  const interval: KeyInterval = { start: request.key, end: request.rangeEnd };
  const revision = request.revision <= 0 ? currentRevision : request.revision;
  const header = headerAt(currentRevision);
  if (request.countOnly) {
    return { header, kvs: [], more: false, count: engine.count(interval, revision) };
  }
  const fetched = engine.range(interval, revision, fetchLimit(request));
  let records = fetched.records;
  if (hasFilter(request)) records = records.filter((record) => passesFilters(record, request));
  if (isSorted(request)) records.sort(orderOf(request));
  const more = request.limit > 0 && records.length > request.limit;
  if (more) records = records.slice(0, request.limit);
  return { header, kvs: shaped(records, request), more, count: fetched.count };
}

/**
 * How many records to fetch, 0 = all. etcd looks at the order only: with a sort target but no order the limit cuts
 * by key before the sort.
 */
export function fetchLimit(request: RangeRequest): number {
  const isInKeyOrder =
    request.sortOrder === sortOrder.none ||
    (request.sortOrder === sortOrder.ascend && request.sortTarget === sortTarget.key);
  return request.limit > 0 && isInKeyOrder && !hasFilter(request) ? request.limit + 1 : 0;
}

function hasFilter(request: RangeRequest): boolean {
  return (
    request.maxModRevision !== 0 ||
    request.minModRevision !== 0 ||
    request.maxCreateRevision !== 0 ||
    request.minCreateRevision !== 0
  );
}

function passesFilters(record: VersionedRecord, request: RangeRequest): boolean {
  return (
    (request.maxModRevision === 0 || record.modRevision <= request.maxModRevision) &&
    (request.minModRevision === 0 || record.modRevision >= request.minModRevision) &&
    (request.maxCreateRevision === 0 || record.createRevision <= request.maxCreateRevision) &&
    (request.minCreateRevision === 0 || record.createRevision >= request.minCreateRevision)
  );
}

/** Whether the records, which come in key order, have to be put in another one. */
function isSorted(request: RangeRequest): boolean {
  return request.sortTarget !== sortTarget.key || request.sortOrder === sortOrder.descend;
}

function orderOf(request: RangeRequest): RecordOrder {
  const ascending = orders.get(request.sortTarget) as RecordOrder;
  return request.sortOrder === sortOrder.descend ? (left, right) => ascending(right, left) : ascending;
}

function shaped(records: VersionedRecord[], request: RangeRequest): KeyValue[] {
  if (!request.keysOnly) return records;
  // etcd answers keys_only from its index, which knows no leases, unless it had to read the values for the sort.
  if (request.sortTarget === sortTarget.value) return records.map((record) => ({ ...record, value: EMPTY }));
  return records.map((record) => ({ ...record, value: EMPTY, lease: 0n }));
}
