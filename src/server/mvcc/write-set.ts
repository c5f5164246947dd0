import type { RequestOp, TxnRequest } from "../../codec/index.ts";
import { type ByteString, compare, EMPTY, OPEN_END } from "../../lib/bytes.ts";
import { RequestError } from "../../lib/errors.ts";

/**
 * Throws duplicateKey when a transaction could write a key twice: etcd's rule, for the success and the failure
 * list apart (semantics-kv-mvcc 5.1.4). Two things are as in etcd rather than as one would expect: deletes may
 * overlap, and a delete with an open end forbids no put (the rule takes its end "\0" literally). Only a put that
 * keeps the old value or lease is refused beside such a delete: after it there would be nothing to keep (etcd
 * stops with a panic there).
 */
export function assertNoDuplicates(request: TxnRequest): void {
  collect(request.success);
  collect(request.failure);
}

/** What a list of operations may write. */
interface WriteSet {
  /** Keys put, and whether the put keeps the old value or lease. */
  puts: Map<ByteString, boolean>;
  deletes: DeletedKeys;
}

/**
 * Depth is bounded by validation before. Sets go up by adding the smaller to the larger, so that a deep
 * transaction does not copy its keys at each level.
 */
function collect(operations: readonly RequestOp[]): WriteSet {
  const all: WriteSet = { puts: new Map(), deletes: new DeletedKeys() };
  for (const operation of operations) {
    if (operation.case === "deleteRange") all.deletes.add(operation.request.key, operation.request.rangeEnd);
  }
  for (const operation of operations) {
    if (operation.case !== "txn") continue;
    const success = collect(operation.request.success);
    const failure = collect(operation.request.failure);
    assertApart(all, success.puts);
    assertApart(all, failure.puts);
    // The branches exclude each other: the same key in both is no duplicate.
    all.puts = union(all.puts, union(success.puts, failure.puts));
    all.deletes = all.deletes.union(success.deletes).union(failure.deletes);
  }
  for (const operation of operations) {
    if (operation.case !== "put") continue;
    const { key, ignoreValue, ignoreLease } = operation.request;
    const isKeeping = ignoreValue || ignoreLease;
    if (all.puts.has(key) || all.deletes.forbids(key, isKeeping)) throw new RequestError("duplicateKey");
    all.puts.set(key, isKeeping);
  }
  return all;
}

function assertApart(all: WriteSet, puts: ReadonlyMap<ByteString, boolean>): void {
  const [fewer, more] = all.puts.size < puts.size ? [all.puts, puts] : [puts, all.puts];
  for (const key of fewer.keys()) if (more.has(key)) throw new RequestError("duplicateKey");
  if (all.deletes.isEmpty) return;
  for (const [key, isKeeping] of puts) {
    if (all.deletes.forbids(key, isKeeping)) throw new RequestError("duplicateKey");
  }
}

/** The union, made in the larger of the two maps. */
function union(left: Map<ByteString, boolean>, right: Map<ByteString, boolean>): Map<ByteString, boolean> {
  const [smaller, larger] = left.size < right.size ? [left, right] : [right, left];
  for (const [key, isKeeping] of smaller) larger.set(key, isKeeping || larger.get(key) === true);
  return larger;
}

interface Interval {
  readonly start: ByteString;
  readonly end: ByteString;
}

/** A set of keys and key intervals. */
class DeletedKeys {
  #points = new Set<ByteString>();
  #intervals: Interval[] = [];
  /** The intervals are sorted and apart from each other. */
  #isOrdered = true;
  /** The lowest start of a delete with an open end. */
  #openStart: ByteString | undefined = undefined;

  get isEmpty(): boolean {
    return this.#points.size === 0 && this.#intervals.length === 0 && this.#openStart === undefined;
  }

  add(start: ByteString, end: ByteString): void {
    if (end === EMPTY) {
      this.#points.add(start);
    } else if (end === OPEN_END) {
      if (this.#openStart === undefined || start < this.#openStart) this.#openStart = start;
    } else if (start < end) {
      this.#intervals.push({ start, end });
      this.#isOrdered = false;
    }
  }

  /** The union, made in the larger of the two. */
  union(other: DeletedKeys): DeletedKeys {
    const [smaller, larger] =
      this.#points.size + this.#intervals.length < other.#points.size + other.#intervals.length
        ? [this, other]
        : [other, this];
    for (const key of smaller.#points) larger.#points.add(key);
    for (const { start, end } of smaller.#intervals) larger.add(start, end);
    if (smaller.#openStart !== undefined) larger.add(smaller.#openStart, OPEN_END);
    return larger;
  }

  /** Whether a put of `key` may not stand beside these deletes. */
  forbids(key: ByteString, isKeeping: boolean): boolean {
    if (this.#points.has(key)) return true;
    if (isKeeping && this.#openStart !== undefined && key >= this.#openStart) return true;
    return this.#isInInterval(key);
  }

  #isInInterval(key: ByteString): boolean {
    if (!this.#isOrdered) this.#order();
    let low = 0;
    let high = this.#intervals.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#intervals[middle] as Interval).end <= key) low = middle + 1;
      else high = middle;
    }
    const interval = this.#intervals[low];
    return interval !== undefined && interval.start <= key;
  }

  #order(): void {
    this.#intervals.sort((left, right) => compare(left.start, right.start));
    const apart: Interval[] = [];
    for (const interval of this.#intervals) {
      const last = apart.at(-1);
      if (last === undefined || last.end < interval.start) apart.push(interval);
      else if (last.end < interval.end) apart[apart.length - 1] = { start: last.start, end: interval.end };
    }
    this.#intervals = apart;
    this.#isOrdered = true;
  }
}
