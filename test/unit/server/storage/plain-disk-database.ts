import type { ByteString } from "../../../../src/lib/bytes.ts";
import { fromBytes, toBytes } from "../../../../src/lib/bytes.ts";
import { SortedMap } from "../../../../src/lib/sorted-map.ts";
import type {
  DiskDatabase,
  DiskIterator,
  DiskOperation,
  DiskPair,
  DiskRange,
} from "../../../../src/server/storage/disk-database.ts";

/** The law of DiskDatabase in the plainest way: all in memory, each call ends in a later turn. */
export class PlainDiskDatabase implements DiskDatabase {
  readonly #pairs = new SortedMap<Buffer>();
  readonly #wait: () => Promise<void>;
  openIterators = 0;
  writes = 0;

  constructor(wait: () => Promise<void> = async () => {}) {
    this.#wait = wait;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    await this.#wait();
    return keys.map((key) => this.#pairs.get(fromBytes(key)));
  }

  iterate({ start, end, isReverse = false, isKeysOnly = false }: DiskRange): DiskIterator {
    const found: DiskPair[] = [];
    const last = fromBytes(end);
    const cursor = this.#pairs.seek(fromBytes(start));
    for (; !cursor.isDone && cursor.key < last; cursor.advance()) {
      found.push({ key: toBytes(cursor.key), value: isKeysOnly ? Buffer.alloc(0) : cursor.value });
    }
    if (isReverse) found.reverse();
    this.openIterators++;
    return {
      next: async (countMax) => {
        await this.#wait();
        return found.splice(0, countMax);
      },
      close: async () => {
        await this.#wait();
        this.openIterators--;
      },
    };
  }

  async write(operations: readonly DiskOperation[]): Promise<void> {
    await this.#wait();
    this.writes++;
    for (const { key, value } of operations) {
      if (value === undefined) this.#pairs.delete(fromBytes(key));
      else this.#pairs.set(fromBytes(key), Buffer.from(value));
    }
  }

  async clear(start: Uint8Array, end: Uint8Array): Promise<void> {
    await this.#wait();
    const doomed: ByteString[] = [];
    const cursor = this.#pairs.seek(fromBytes(start));
    for (; !cursor.isDone && cursor.key < fromBytes(end); cursor.advance()) doomed.push(cursor.key);
    for (const key of doomed) this.#pairs.delete(key);
  }

  compact(): Promise<void> {
    return this.#wait();
  }

  sizeBytes(): number {
    return this.#pairs.size;
  }

  close(): Promise<void> {
    return this.#wait();
  }
}
