/**
 * The ordered byte store on disk under the disk engine: all it needs of RocksDB, so that the binding can be exchanged
 * (docs/adr/0001-rocksdb-binding.md) and the simulator can bring one that loses power (test/sim/disk-database.ts).
 * Keys are compared byte by byte. Rejections are StorageFailure; after a failed write the database takes no other.
 *
 * Law (test/suites/disk-database-suite.ts):
 *  D1 a write is whole or not at all, also over a crash; writes happen in the order of the calls.
 *  D2 a read sees every write that was resolved before the call; getMany may also see later ones.
 *  D3 an iterator sees exactly the writes that had happened when iterate() was called, of one that was under way all or
 *     nothing: what is written later never changes what it gives.
 *  D4 once a write with `isSynced` is resolved, it and all before it survive a loss of power. Of the others, a crash
 *     leaves those of a prefix.
 *  D5 damage that a read meets is reported, never passed over.
 */
export interface DiskDatabase {
  /** The values in the order of `keys`. */
  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]>;
  iterate(range: DiskRange): DiskIterator;
  write(operations: readonly DiskOperation[], options: { readonly isSynced: boolean }): Promise<void>;
  /** Removes all keys from `start` up to, not including, `end`; for many keys. Not in one piece: a crash leaves some. */
  clear(start: Uint8Array, end: Uint8Array): Promise<void>;
  /** Rewrites the range, so that what was removed gives its space back. */
  compact(start: Uint8Array, end: Uint8Array): Promise<void>;
  /** Bytes that the files take. */
  sizeBytes(): number;
  /** Waits for what is under way; iterators that are open are closed. */
  close(): Promise<void>;
}

export interface DiskRange {
  readonly start: Uint8Array;
  /** Not included. */
  readonly end: Uint8Array;
  /** From the last key to the first. */
  readonly isReverse?: boolean;
  /** Values are left out (empty): for counting. */
  readonly isKeysOnly?: boolean;
}

export interface DiskIterator {
  /** At most `countMax` more pairs in order, fewer when about `sizeBytesMax` are reached; empty at the end. One call at a time. */
  next(countMax: number, sizeBytesMax?: number): Promise<DiskPair[]>;
  /** Never rejects: need not be waited for. */
  close(): Promise<void>;
}

export interface DiskPair {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** `value` undefined: the key is removed. */
export interface DiskOperation {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export interface DiskDatabaseOptions {
  readonly path: string;
  /** Blocks of files kept in memory. */
  readonly cacheSizeBytes: number;
  /** Writes gathered in memory before they become a file; there may be two or three of these at a time. */
  readonly writeBufferSizeBytes: number;
}
