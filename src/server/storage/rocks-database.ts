import { join } from "node:path";
import { assert } from "../../lib/assert.ts";
import { StorageFailure, UsageError } from "../../lib/errors.ts";
import { DirectoryLocked, type Fs, type FsLock, NodeFs } from "../../lib/fs.ts";
import type {
  DiskDatabase,
  DiskDatabaseOptions,
  DiskIterator,
  DiskOperation,
  DiskPair,
  DiskRange,
} from "./disk-database.ts";
import { lowerCompactionPriority } from "./rocks-threads.ts";

/** The binding: an optional dependency, of exactly this version (docs/adr/0001-rocksdb-binding.md). */
export const rocksPackage = { name: "rocksdb-native", version: "3.18.1" } as const;

/** What we use of rocksdb-native, which brings no types. */
export interface RocksSession {
  read(options: { capacity: number; autoDestroy: boolean }): RocksReadBatch;
  write(options: { capacity: number }): RocksWriteBatch;
  iterator(range: RocksRange, options: RocksIteratorOptions): RocksStream;
  /** Taken before the call returns. */
  snapshot(): RocksSession;
  close(): Promise<void>;
}

export interface Rocks extends RocksSession {
  ready(): Promise<void>;
  flush(): Promise<void>;
  compactRange(start: Uint8Array, end: Uint8Array): Promise<void>;
  getProperty(name: string): Promise<string>;
}

export interface RocksReadBatch {
  get(key: Uint8Array): Promise<Buffer | null>;
  flush(): Promise<void>;
}

export interface RocksWriteBatch {
  tryPut(key: Uint8Array, value: Uint8Array): void;
  tryDelete(key: Uint8Array): void;
  tryDeleteRange(start: Uint8Array, end: Uint8Array): void;
  flush(): Promise<void>;
  destroy(): void;
}

export interface RocksRange {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt: Uint8Array;
}

export interface RocksIteratorOptions {
  readonly reverse: boolean;
  readonly values: boolean;
  readonly limit: number;
  /** Pairs that one native read fetches. */
  readonly capacity: number;
}

/** A readable stream of pairs, which fetches the next ones when those at hand have been read. */
export interface RocksStream {
  /** Null: there is none at hand. */
  read(): { key: Buffer; value: Buffer | null } | null;
  destroy(): void;
  on(event: "readable", listener: () => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "close", listener: () => void): void;
}

export type RocksConstructor = new (path: string, options: Record<string, unknown>) => Rocks;

const lockName = "metastore.lock";
const EMPTY = Buffer.alloc(0);
/** Two threads are what flushes and compactions of one column family use at a time. */
const BACKGROUND_JOBS_MAX = 2;
/** Files that RocksDB keeps open; sockets need descriptors too. At 64 MiB a file this is 16 GiB. */
const OPEN_FILES_MAX = 256;
/** Pairs that one native read fetches: each keeps the main thread for some microseconds. */
const PAGE_PAIRS_MAX = 1_024;
/**
 * Where bytes are limited: few while the size of a pair is unknown, then by the size of the last ones. The binding counts
 * pairs, not bytes: more of them would be too many when large values follow small ones.
 */
const FIRST_PAGE_PAIRS = 16;
const SIZED_PAGE_PAIRS_MAX = 128;
const PAGE_SIZE_BYTES = 1 << 20;

/**
 * Opens the RocksDB in the directory `path`, which is made when there is none. RocksDB's own log is never read: over a
 * loss of power it may have holes, and damage in it goes unreported. A synced write is made durable by writing the
 * table in memory to a file; what was not synced when the process ended is gone, which the law allows (D4).
 */
export async function openRocksDatabase(
  options: DiskDatabaseOptions,
  load: () => Promise<RocksConstructor> = loadRocks,
): Promise<DiskDatabase> {
  const { path } = options;
  const RocksDB = await loadOrRefuse(load);
  const fs = new NodeFs();
  const lock = await lockDirectory(fs, path);
  try {
    await removeLogs(fs, path);
    const rocks = new RocksDB(path, {
      writeBufferSize: options.writeBufferSizeBytes,
      maxBackgroundJobs: BACKGROUND_JOBS_MAX,
      maxOpenFiles: OPEN_FILES_MAX,
      // The cache of blocks is RocksDB's own of 32 MiB: the binding can switch it off, not size it.
      blockCache: options.cacheSizeBytes > 0,
    });
    await rocks.ready();
    await lowerCompactionPriority(fs);
    const database = new RocksDatabase(rocks, path, lock);
    await database.measure();
    return database;
  } catch (error) {
    await lock.release();
    throw new StorageFailure(
      `the database in ${path} cannot be opened: ${reasonOf(error)}`,
      "Check the disk and the permissions. If it is damaged, restore the data directory from a backup, or remove the member and add it again.",
      { cause: error },
    );
  }
}

/** Throws UsageError where the module cannot be loaded. */
export async function assertRocksModule(): Promise<void> {
  await loadOrRefuse(loadRocks);
}

async function loadRocks(): Promise<RocksConstructor> {
  // A name that is no literal: TypeScript looks for no types.
  const module: { readonly default: RocksConstructor } = await import(rocksPackage.name as string);
  return module.default;
}

async function loadOrRefuse(load: () => Promise<RocksConstructor>): Promise<RocksConstructor> {
  try {
    return await load();
  } catch (error) {
    throw new UsageError(
      `--storage rocksdb needs the module ${rocksPackage.name}, which cannot be loaded: ${reasonOf(error)}`,
      `Install it beside MetaStore: npm install ${rocksPackage.name}@${rocksPackage.version}. --storage memory needs no module.`,
    );
  }
}

async function lockDirectory(fs: Fs, path: string): Promise<FsLock> {
  try {
    await fs.createDirectory(path);
    return await fs.lock(join(path, lockName));
  } catch (error) {
    if (error instanceof DirectoryLocked) {
      throw new UsageError(
        `the database in ${path} is in use by process ${error.pid}`,
        "Stop that process, or start with another --data-dir.",
      );
    }
    throw new StorageFailure(
      `the directory ${path} of the database cannot be used: ${reasonOf(error)}`,
      "Check that the path is a directory, its permissions, the disk and the space on it.",
      { cause: error },
    );
  }
}

/** Removes RocksDB's logs of changes, and the old ones of its messages, which it would keep by the thousand. */
async function removeLogs(fs: Fs, path: string): Promise<void> {
  for (const name of await fs.readDirectory(path)) {
    if (/^\d+\.log$|^LOG\.old\.\d+$/.test(name)) await fs.unlink(join(path, name));
  }
}

class RocksDatabase implements DiskDatabase {
  readonly #rocks: Rocks;
  readonly #path: string;
  readonly #lock: FsLock;
  #isClosed = false;
  readonly #iterators = new Set<RocksIterator>();
  /** The first failed write: every later one is refused with it. */
  #failure: StorageFailure | undefined;
  /** Resolves when the writes so far have happened: the binding's threads would take them in any order. */
  #written: Promise<void> = Promise.resolve();
  /** Resolves when the flush under way has ended. */
  #flushed: Promise<void> = Promise.resolve();
  /** The flush that begins when the one under way has ended. */
  #nextFlush: Promise<void> | undefined;
  /** Whether something was written since the last flush began. */
  #isUnflushed = false;
  #filesSizeBytes = 0;
  #sizeBytesSinceMeasured = 0;
  #measuring: Promise<void> | undefined;

  constructor(rocks: Rocks, path: string, lock: FsLock) {
    this.#rocks = rocks;
    this.#path = path;
    this.#lock = lock;
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    this.#checkOpen();
    if (keys.length === 0) return [];
    const batch = this.#rocks.read({ capacity: keys.length, autoDestroy: true });
    const gets = keys.map((key) => batch.get(key));
    try {
      const [values] = await Promise.all([Promise.all(gets), batch.flush()]);
      return values.map((value) => value ?? undefined);
    } catch (error) {
      throw readFailure(this.#path, error);
    }
  }

  iterate(range: DiskRange): DiskIterator {
    this.#checkOpen();
    const iterator = new RocksIterator(this.#rocks.snapshot(), this.#path, range, () =>
      this.#iterators.delete(iterator),
    );
    this.#iterators.add(iterator);
    return iterator;
  }

  /** The bytes must stay as they are until it is resolved: they are copied when those before have been written. */
  write(operations: readonly DiskOperation[], options: { readonly isSynced: boolean }): Promise<void> {
    const written = this.#enqueue((batch) => {
      for (const { key, value } of operations) {
        assert(key.length > 0, "a key is not empty");
        if (value === undefined) batch.tryDelete(key);
        else batch.tryPut(key, value);
        this.#sizeBytesSinceMeasured += key.length + (value?.length ?? 0);
      }
    }, operations.length);
    return options.isSynced ? written.then(() => this.#flush()) : written;
  }

  async clear(start: Uint8Array, end: Uint8Array): Promise<void> {
    if (Buffer.compare(start, end) >= 0) return;
    // One mark for the whole range, however many keys.
    await this.#enqueue((batch) => batch.tryDeleteRange(start, end), 1);
  }

  async compact(start: Uint8Array, end: Uint8Array): Promise<void> {
    this.#checkOpen();
    await this.#written;
    // The binding takes a Buffer in the second place for options: it compacts up to the last key.
    await this.#guard(() => this.#rocks.compactRange(start, end));
    await this.measure();
  }

  sizeBytes(): number {
    if (!this.#isClosed) void this.measure();
    return this.#filesSizeBytes + this.#sizeBytesSinceMeasured;
  }

  /** Asks RocksDB for the size, which it tells only later: sizeBytes() answers from the last time. */
  measure(): Promise<void> {
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  async close(): Promise<void> {
    this.#checkOpen();
    this.#isClosed = true;
    await this.#written;
    try {
      if (this.#isUnflushed && this.#failure === undefined) await this.#flush();
    } finally {
      await this.#flushed;
      await this.#measuring;
      await Promise.all([...this.#iterators].map((iterator) => iterator.close()));
      await this.#rocks.close();
      await this.#lock.release();
    }
  }

  async #measure(): Promise<void> {
    const before = this.#sizeBytesSinceMeasured;
    try {
      const files = Number(await this.#rocks.getProperty("rocksdb.total-sst-files-size"));
      // The log holds what the tables in memory hold.
      const log = Number(await this.#rocks.getProperty("rocksdb.size-all-mem-tables"));
      this.#filesSizeBytes = files + log;
      this.#sizeBytesSinceMeasured -= before;
    } catch {
      // The figure of the last time stays.
    }
  }

  #enqueue(fill: (batch: RocksWriteBatch) => void, capacity: number): Promise<void> {
    this.#checkOpen();
    const written = this.#written.then(() => this.#guard(() => this.#apply(fill, capacity)));
    this.#written = written.catch(() => undefined);
    return written;
  }

  async #apply(fill: (batch: RocksWriteBatch) => void, capacity: number): Promise<void> {
    if (capacity === 0) return;
    const batch = this.#rocks.write({ capacity });
    this.#isUnflushed = true;
    try {
      fill(batch);
      await batch.flush();
    } finally {
      batch.destroy();
    }
  }

  /** Makes durable what has been written; one flush for all that ask while another is under way. */
  #flush(): Promise<void> {
    this.#nextFlush ??= this.#startFlush();
    return this.#nextFlush;
  }

  #startFlush(): Promise<void> {
    const flushed = this.#flushed.then(() => {
      this.#nextFlush = undefined;
      this.#isUnflushed = false;
      return this.#guard(() => this.#rocks.flush());
    });
    this.#flushed = flushed.catch(() => undefined);
    return flushed;
  }

  async #guard(change: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await change();
    } catch (error) {
      this.#failure ??= new StorageFailure(
        `writing to the database in ${this.#path} failed: ${reasonOf(error)}`,
        "Check the disk and the space on it, then start again: what had been acknowledged is in the log.",
        { cause: error },
      );
      throw this.#failure;
    }
  }

  #checkOpen(): void {
    assert(!this.#isClosed, "the database is closed");
  }
}

class RocksIterator implements DiskIterator {
  readonly #snapshot: RocksSession;
  readonly #path: string;
  readonly #range: DiskRange;
  readonly #onClosed: () => void;
  #closing: Promise<void> | undefined;
  /** Read and not yet given. */
  #ahead: DiskPair[] = [];
  #lastKey: Buffer | undefined;
  #pagePairs: number;
  #isAtEnd: boolean;
  /** Behind the first page, where bytes are limited. */
  #stream: PairStream | undefined;
  /** Resolves when the native iterators that are not needed any more are closed. */
  #left: Promise<void> = Promise.resolve();

  constructor(snapshot: RocksSession, path: string, range: DiskRange, onClosed: () => void) {
    this.#snapshot = snapshot;
    this.#path = path;
    this.#range = range;
    this.#onClosed = onClosed;
    this.#pagePairs = range.isKeysOnly === true ? PAGE_PAIRS_MAX : FIRST_PAGE_PAIRS;
    // RocksDB takes an empty bound for none.
    this.#isAtEnd = Buffer.compare(range.start, range.end) >= 0;
  }

  async next(countMax: number, sizeBytesMax = Number.POSITIVE_INFINITY): Promise<DiskPair[]> {
    let pairs: DiskPair[] = [];
    let sizeBytes = 0;
    while (pairs.length < countMax && sizeBytes < sizeBytesMax) {
      if (this.#ahead.length === 0) {
        if (this.#isAtEnd) break;
        const count = countMax - pairs.length;
        const isSized = sizeBytesMax !== Number.POSITIVE_INFINITY;
        this.#ahead = await (isSized ? this.#readSizedPage(count) : this.#readPage(count));
      }
      let taken = 0;
      while (taken < this.#ahead.length && pairs.length + taken < countMax && sizeBytes < sizeBytesMax) {
        sizeBytes += sizeBytesOf(this.#ahead[taken++]!);
      }
      const page = this.#ahead.splice(0, taken);
      pairs = pairs.length === 0 ? page : pairs.concat(page);
    }
    return pairs;
  }

  close(): Promise<void> {
    // What cannot be given back was only read from: it ends with the process.
    this.#closing ??= this.#close().then(this.#onClosed, this.#onClosed);
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isAtEnd = true;
    this.#ahead = [];
    if (this.#stream !== undefined) this.#leave(this.#stream);
    await this.#left;
    await this.#snapshot.close();
  }

  /** So many pairs, in as few native reads as there can be: whoever asks takes them all. */
  #readPage(countMax: number): Promise<DiskPair[]> {
    return this.#taken(async () => {
      const ahead = this.#stream;
      this.#stream = undefined;
      if (ahead !== undefined) this.#leave(ahead);
      return this.#readOnce(Math.min(PAGE_PAIRS_MAX, countMax));
    });
  }

  /** The first page is no larger than is asked for, as most ranges end there; then one native iterator reads ahead. */
  #readSizedPage(countMax: number): Promise<DiskPair[]> {
    return this.#taken(async () => {
      const isFirst = this.#lastKey === undefined;
      const page = await (isFirst ? this.#readOnce(Math.min(this.#pagePairs, countMax)) : this.#readOn());
      if (page.length > 0) this.#fit(page);
      return page;
    });
  }

  async #taken(read: () => Promise<DiskPair[]>): Promise<DiskPair[]> {
    try {
      const page = await read();
      this.#isAtEnd ||= page.length === 0;
      this.#lastKey = page.at(-1)?.key ?? this.#lastKey;
      return page;
    } catch (error) {
      throw readFailure(this.#path, error);
    }
  }

  async #readOnce(count: number): Promise<DiskPair[]> {
    const stream = this.#open(count, count + 1);
    try {
      const page = await stream.next();
      this.#isAtEnd = page.length < count;
      return page;
    } finally {
      this.#leave(stream);
    }
  }

  #leave(stream: PairStream): void {
    stream.close();
    this.#left = this.#left.then(() => stream.closed);
  }

  /** The next ones of one native iterator, which fetches those behind them meanwhile. */
  #readOn(): Promise<DiskPair[]> {
    this.#stream ??= this.#open(Number.POSITIVE_INFINITY, this.#pagePairs);
    return this.#stream.next();
  }

  /** How much a native read fetches is set when its iterator is made: another one where sizes have changed much. */
  #fit(page: readonly DiskPair[]): void {
    const sizeBytes = page.reduce((sum, pair) => sum + sizeBytesOf(pair), 0);
    const fitting = Math.floor((PAGE_SIZE_BYTES * page.length) / sizeBytes);
    const pairsMax = this.#range.isKeysOnly === true ? PAGE_PAIRS_MAX : SIZED_PAGE_PAIRS_MAX;
    const pairs = Math.min(pairsMax, Math.max(1, fitting));
    const isNear = pairs > this.#pagePairs / 4 && pairs < this.#pagePairs * 4;
    if (this.#stream !== undefined && isNear) return;
    this.#pagePairs = pairs;
    if (this.#stream !== undefined) this.#leave(this.#stream);
    this.#stream = undefined;
  }

  /** One more than the limit: a native read that is not full tells the binding that it was the last. */
  #open(limit: number, capacity: number): PairStream {
    const { isReverse = false, isKeysOnly = false } = this.#range;
    const options = { reverse: isReverse, values: !isKeysOnly, limit, capacity };
    return new PairStream(this.#snapshot.iterator(this.#rest(), options));
  }

  #rest(): RocksRange {
    const { start, end, isReverse } = this.#range;
    if (this.#lastKey === undefined) return { gte: start, lt: end };
    return isReverse === true ? { gte: start, lt: this.#lastKey } : { gt: this.#lastKey, lt: end };
  }
}

/** The pairs of a native iterator, as many at a time as one native read has brought. */
class PairStream {
  readonly #stream: RocksStream;
  /** Never rejects. */
  readonly closed: Promise<void>;
  #isClosed = false;
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(stream: RocksStream) {
    this.#stream = stream;
    stream.on("readable", () => this.#wake());
    stream.on("error", (error) => {
      this.#failure = error;
    });
    this.closed = new Promise((resolve) => {
      stream.on("close", () => {
        this.#isClosed = true;
        this.#wake();
        resolve();
      });
    });
  }

  /** Empty at the end. The next call waits for this one. Rejects with what RocksDB says. */
  async next(): Promise<DiskPair[]> {
    const pairs: DiskPair[] = [];
    for (;;) {
      for (let pair = this.#stream.read(); pair !== null; pair = this.#stream.read()) {
        pairs.push({ key: pair.key, value: pair.value ?? EMPTY });
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (pairs.length > 0 || this.#isClosed) return pairs;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#stream.destroy();
  }
}

function sizeBytesOf(pair: DiskPair): number {
  return pair.key.length + pair.value.length;
}

function readFailure(path: string, error: unknown): StorageFailure {
  return new StorageFailure(
    `reading the database in ${path} failed: ${reasonOf(error)}`,
    "Check the disk. If the database is damaged, restore the data directory from a backup, or remove the member and add it again.",
    { cause: error },
  );
}

/** The innermost message: the binding wraps what RocksDB says. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
