import type { ByteString } from "../../lib/bytes.ts";
import type { VersionedRecord } from "./engine.ts";

/** About what a record takes in memory beyond its key and value. */
const OVERHEAD_BYTES = 256;

/**
 * The newest records of keys in use, up to a size. In two generations: what was used since the younger began, and what
 * was used while the older did. When the younger has half of the size the older goes, at once. (To evict one by one from
 * the front of a Map costs a walk over all that was evicted before.)
 */
export class RecordCache {
  readonly #sizeBytesMax: number;
  #young = new Map<ByteString, VersionedRecord>();
  #old = new Map<ByteString, VersionedRecord>();
  #youngSizeBytes = 0;

  constructor(sizeBytesMax: number) {
    this.#sizeBytesMax = sizeBytesMax;
  }

  get(key: ByteString): VersionedRecord | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.#add(old);
    return old;
  }

  set(record: VersionedRecord): void {
    // One record must not push out all others.
    if (costOf(record) > this.#sizeBytesMax / 16) this.delete(record.key);
    else this.#add(record);
  }

  delete(key: ByteString): void {
    const young = this.#young.get(key);
    if (young !== undefined) {
      this.#young.delete(key);
      this.#youngSizeBytes -= costOf(young);
    }
    this.#old.delete(key);
  }

  #add(record: VersionedRecord): void {
    const previous = this.#young.get(record.key);
    if (previous !== undefined) this.#youngSizeBytes -= costOf(previous);
    this.#young.set(record.key, record);
    this.#youngSizeBytes += costOf(record);
    if (this.#youngSizeBytes <= this.#sizeBytesMax / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngSizeBytes = 0;
  }
}

function costOf({ key, value }: VersionedRecord): number {
  return key.length + value.length + OVERHEAD_BYTES;
}
