import type { ByteString } from "../../lib/bytes.ts";
import type { VersionedRecord } from "./engine.ts";

/** About what a record takes in memory beyond its key and value. */
const OVERHEAD_BYTES = 256;

/** The newest records of keys in use, those used last, up to a size. */
export class RecordCache {
  readonly #sizeBytesMax: number;
  /** In order of use: a Map keeps the order of insertion. */
  readonly #records = new Map<ByteString, VersionedRecord>();
  #sizeBytes = 0;

  constructor(sizeBytesMax: number) {
    this.#sizeBytesMax = sizeBytesMax;
  }

  get(key: ByteString): VersionedRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    this.#records.delete(key);
    this.#records.set(key, record);
    return record;
  }

  set(record: VersionedRecord): void {
    const { key } = record;
    const previous = this.#records.get(key);
    if (previous !== undefined) {
      this.#records.delete(key);
      this.#sizeBytes -= costOf(previous);
    }
    const cost = costOf(record);
    // One record must not push out all others.
    if (cost > this.#sizeBytesMax / 16) return;
    this.#records.set(key, record);
    this.#sizeBytes += cost;
    if (this.#sizeBytes > this.#sizeBytesMax) this.#evict();
  }

  delete(key: ByteString): void {
    const record = this.#records.get(key);
    if (record === undefined) return;
    this.#records.delete(key);
    this.#sizeBytes -= costOf(record);
  }

  #evict(): void {
    for (const [key, record] of this.#records) {
      if (this.#sizeBytes <= this.#sizeBytesMax) return;
      this.#records.delete(key);
      this.#sizeBytes -= costOf(record);
    }
  }
}

function costOf({ key, value }: VersionedRecord): number {
  return key.length + value.length + OVERHEAD_BYTES;
}
