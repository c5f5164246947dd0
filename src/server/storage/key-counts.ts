import { assert } from "../../lib/assert.ts";
import { type ByteString, EMPTY, OPEN_END } from "../../lib/bytes.ts";

/** A bucket that holds more keys than this is to be split into ones of half as many. */
const BUCKET_KEYS_MAX = 512;

interface Bucket {
  readonly start: ByteString;
  count: number;
  /** What happened while its keys are read for a split. */
  since: { readonly key: ByteString; readonly change: number }[] | undefined;
}

/** A part of the key space, [start, end), end "" = open, whose keys have to be counted one by one. */
export interface Uncounted {
  readonly start: ByteString;
  readonly end: ByteString;
}

/**
 * How many keys are alive in any interval, without visiting them: the key space in buckets of some hundreds of keys
 * with a count each. Counting an interval leaves at most the two buckets at its ends to be looked into.
 */
export class KeyCounts {
  /** Ascending by start; the first starts at "". */
  #buckets: Bucket[] = [{ start: EMPTY, count: 0, since: undefined }];
  /** Not as they were last taken by takeChanges(). */
  readonly #changed = new Set<Bucket>();
  /** To be split, if they are still too full then. */
  readonly #full = new Set<Bucket>();
  #total = 0;

  /** All keys. */
  get total(): number {
    return this.#total;
  }

  load(buckets: readonly { readonly start: ByteString; readonly count: number }[]): void {
    this.#buckets = buckets.map(({ start, count }) => ({ start, count, since: undefined }));
    if (this.#buckets[0]?.start !== EMPTY) {
      const first: Bucket = { start: EMPTY, count: 0, since: undefined };
      this.#buckets.unshift(first);
      this.#changed.add(first);
    }
    for (const bucket of this.#buckets) if (bucket.count > BUCKET_KEYS_MAX) this.#full.add(bucket);
    this.#total = this.#buckets.reduce((sum, { count }) => sum + count, 0);
  }

  /** A key has come alive (1) or died (-1). */
  change(key: ByteString, change: 1 | -1): void {
    const bucket = this.#buckets[this.#indexOf(key)] as Bucket;
    this.#count(bucket, change);
    bucket.since?.push({ key, change });
    this.#total += change;
    assert(bucket.count >= 0, "a key dies once");
  }

  /** The keys of whole buckets inside [start, end), and the parts that are left to count. */
  count(start: ByteString, end: ByteString): { readonly count: number; readonly rest: readonly Uncounted[] } {
    const from = start === OPEN_END ? EMPTY : start;
    const first = this.#indexOf(from);
    const isOpen = end === OPEN_END;
    if (!isOpen && end <= from) return { count: 0, rest: [] };
    const last = isOpen ? this.#buckets.length : this.#indexOf(end);
    const rest: Uncounted[] = [];
    const isFirstWhole = (this.#buckets[first] as Bucket).start === from;
    if (!isOpen && first === last) return { count: 0, rest: [{ start: from, end }] };
    if (!isFirstWhole) rest.push({ start: from, end: this.#startAt(first + 1) });
    let count = 0;
    for (let i = isFirstWhole ? first : first + 1; i < last; i++) count += (this.#buckets[i] as Bucket).count;
    if (!isOpen) {
      const begin = (this.#buckets[last] as Bucket).start;
      if (begin !== end) rest.push({ start: begin, end });
    }
    return { count, rest };
  }

  /** Counts that have changed since the last call. */
  takeChanges(): { readonly start: ByteString; readonly count: number }[] {
    const changes = [...this.#changed].map(({ start, count }) => ({ start, count }));
    this.#changed.clear();
    return changes;
  }

  /** A bucket to split, marked so that endSplit() can follow what happens meanwhile; undefined when none is too full. */
  beginSplit(): Uncounted | undefined {
    for (const bucket of this.#full) {
      this.#full.delete(bucket);
      if (bucket.count <= BUCKET_KEYS_MAX) continue;
      bucket.since = [];
      return { start: bucket.start, end: this.#startAt(this.#indexOf(bucket.start) + 1) };
    }
    return undefined;
  }

  /** `keys`: those that were alive in the bucket at beginSplit(), ascending. */
  endSplit({ start }: Uncounted, keys: readonly ByteString[]): void {
    const index = this.#indexOf(start);
    const bucket = this.#buckets[index] as Bucket;
    assert(bucket.start === start && bucket.since !== undefined, "a split ends where it began");
    const parts: Bucket[] = [];
    const step = BUCKET_KEYS_MAX / 2;
    for (let i = 0; i < keys.length; i += step) {
      const begin = i === 0 ? start : (keys[i] as ByteString);
      const count = Math.min(step, keys.length - i);
      parts.push({ start: begin, count, since: undefined });
    }
    const { since, count } = bucket;
    if (parts.length === 0) parts.push({ start, count: 0, since: undefined });
    this.#buckets.splice(index, 1, ...parts);
    this.#changed.delete(bucket);
    for (const part of parts) this.#count(part, 0);
    for (const { key, change } of since) this.#count(this.#buckets[this.#indexOf(key)] as Bucket, change);
    const counted = parts.reduce((sum, part) => sum + part.count, 0);
    assert(counted === count, `the bucket held ${count} keys and ${counted} were found`);
  }

  #count(bucket: Bucket, change: number): void {
    bucket.count += change;
    this.#changed.add(bucket);
    if (bucket.count > BUCKET_KEYS_MAX && bucket.since === undefined) this.#full.add(bucket);
  }

  #startAt(index: number): ByteString {
    return this.#buckets[index]?.start ?? EMPTY;
  }

  /** The bucket that holds `key`. */
  #indexOf(key: ByteString): number {
    let low = 0;
    let high = this.#buckets.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#buckets[middle] as Bucket).start <= key) low = middle;
      else high = middle;
    }
    return low;
  }
}
