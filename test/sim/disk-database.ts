import { assert } from "../../src/lib/assert.ts";
import { type ByteString, fromBytes, toBytes } from "../../src/lib/bytes.ts";
import { createDeferred } from "../../src/lib/deferred.ts";
import { StorageFailure } from "../../src/lib/errors.ts";
import { createPrng, type Prng } from "../../src/lib/prng.ts";
import { SortedMap } from "../../src/lib/sorted-map.ts";
import type {
  DiskDatabase,
  DiskIterator,
  DiskOperation,
  DiskPair,
  DiskRange,
} from "../../src/server/storage/disk-database.ts";
import type { CrashMode } from "./disk.ts";

/** A clear happens in pieces of so many keys, between which a crash may come. */
const CLEAR_PIECE_KEYS = 3;

export interface SimDiskDatabaseOptions {
  readonly seed: number;
  /** The operation (write, clear, compact), counted from 1, that begins and never ends; nothing happens after it. */
  readonly crashAt?: number;
  /** The operation that fails; no later one is taken. */
  readonly failAt?: number;
  /** How long an operation takes; without it each is done on a later turn of the microtask queue. */
  readonly delay?: (operation: string) => Promise<void>;
}

type Change = readonly (readonly [key: ByteString, value: Buffer | undefined])[];
type Content = SortedMap<Buffer>;

/**
 * The ordered store in memory, as bad as its law allows: writes happen at the beginning or at the end of their time,
 * reads see what they need not see, and a crash leaves of what was not synced a first part. The same seed and calls
 * give the same course.
 */
export class SimDiskDatabase implements DiskDatabase {
  /** Operations that change something, so far. */
  operations = 0;
  readonly #options: SimDiskDatabaseOptions;
  readonly #prng: Prng;
  readonly #content: Content;
  /** What a loss of power leaves at least, and the writes since, in order. */
  readonly #durable: Content;
  #pending: Change[] = [];
  /** Bytes of all that was written and not yet compacted away. */
  #sizeBytes = 0;
  #written: Promise<void> = Promise.resolve();
  #failure: StorageFailure | undefined;
  #failNext = false;
  #isCrashed = false;
  #isClosed = false;
  readonly #crash = createDeferred<void>();

  constructor(options: SimDiskDatabaseOptions, content: Content = new SortedMap()) {
    this.#options = options;
    this.#prng = createPrng(options.seed);
    this.#content = content;
    this.#durable = copyOf(content);
    this.#sizeBytes = sizeBytesOf(content);
  }

  /** Resolves at the crash. */
  get crashed(): Promise<void> {
    return this.#crash.promise;
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  crash(): void {
    this.#isCrashed = true;
    this.#crash.resolve();
  }

  /** The next operation that changes something fails. */
  failNext(): void {
    this.#failNext = true;
  }

  /**
   * The database as the next process finds it, after a crash (now, unless there was one) or a close. "dropped" leaves
   * what was synced. The others leave a first part of the rest, chosen by the seed: also when only the process was
   * killed, as RocksDB's log is not read again (src/server/storage/rocks-database.ts).
   */
  reboot(mode: CrashMode, options: SimDiskDatabaseOptions): SimDiskDatabase {
    this.crash();
    const kept = mode === "dropped" ? 0 : this.#prng.below(this.#pending.length + 1);
    const content = copyOf(this.#durable);
    for (const change of this.#pending.slice(0, kept)) apply(content, change);
    return new SimDiskDatabase(options, content);
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    this.#checkOpen();
    const get = (): (Buffer | undefined)[] =>
      keys.map((key) => {
        const value = this.#content.get(fromBytes(key));
        return value && Buffer.from(value);
      });
    const early = this.#prng.below(2) === 0 ? get() : undefined;
    await this.#elapse("getMany");
    return early ?? get();
  }

  iterate(range: DiskRange): DiskIterator {
    this.#checkOpen();
    const pairs = pairsIn(this.#content, range);
    if (range.isReverse === true) pairs.reverse();
    let at = 0;
    const next = async (countMax: number, sizeBytesMax = Number.POSITIVE_INFINITY): Promise<DiskPair[]> => {
      await this.#elapse("next");
      const taken: DiskPair[] = [];
      let sizeBytes = 0;
      while (at < pairs.length && taken.length < countMax && sizeBytes < sizeBytesMax) {
        const [key, value] = pairs[at++]!;
        const pair = { key: toBytes(key), value: Buffer.from(range.isKeysOnly === true ? "" : value) };
        sizeBytes += pair.key.length + pair.value.length;
        taken.push(pair);
      }
      return taken;
    };
    return { next, close: () => this.#elapse("close of an iterator") };
  }

  write(operations: readonly DiskOperation[], options: { readonly isSynced: boolean }): Promise<void> {
    for (const { key } of operations) assert(key.length > 0, "a key is not empty");
    const change = (): Change[] => [
      operations.map(({ key, value }) => [fromBytes(key), value && Buffer.from(value)] as const),
    ];
    return this.#enqueue("write", change, () => {
      if (options.isSynced) this.#sync();
    });
  }

  clear(start: Uint8Array, end: Uint8Array): Promise<void> {
    const changes = (): Change[] => {
      const keys = pairsIn(this.#content, { start, end }).map(([key]) => [key, undefined] as const);
      const pieces: Change[] = [];
      for (let at = 0; at < keys.length; at += CLEAR_PIECE_KEYS) {
        pieces.push(keys.slice(at, at + CLEAR_PIECE_KEYS));
      }
      return pieces;
    };
    return this.#enqueue("clear", changes, () => undefined);
  }

  compact(_start: Uint8Array, _end: Uint8Array): Promise<void> {
    const done = (): void => {
      this.#sizeBytes = sizeBytesOf(this.#content);
    };
    return this.#enqueue("compact", () => [], done);
  }

  sizeBytes(): number {
    return this.#sizeBytes;
  }

  async close(): Promise<void> {
    this.#checkOpen();
    this.#isClosed = true;
    await this.#written;
    await this.#elapse("close");
    if (this.#failure === undefined) this.#sync();
  }

  /** One operation after the other, in the order of the calls. */
  #enqueue(operation: string, changes: () => Change[], done: () => void): Promise<void> {
    this.#checkOpen();
    const finished = this.#written.then(() => this.#perform(operation, changes, done));
    this.#written = finished.catch(() => undefined);
    return finished;
  }

  async #perform(operation: string, changes: () => Change[], done: () => void): Promise<void> {
    if (this.#isCrashed) return forever();
    if (this.#failure !== undefined) throw this.#failure;
    this.operations++;
    const isEarly = this.#prng.below(2) === 0;
    if (this.#failNext || this.#options.failAt === this.operations) {
      // What failed may have happened all the same.
      if (isEarly) this.#happen(changes());
      this.#failure = new StorageFailure(
        `writing to the simulated database failed: ${operation} ${this.operations}`,
        "Check the disk.",
      );
      throw this.#failure;
    }
    if (isEarly) this.#happen(changes());
    if (this.#options.crashAt === this.operations) {
      this.crash();
      return forever();
    }
    await this.#elapse(operation);
    if (!isEarly) this.#happen(changes());
    done();
  }

  #happen(changes: readonly Change[]): void {
    for (const change of changes) {
      apply(this.#content, change);
      this.#pending.push(change);
      for (const [key, value] of change) this.#sizeBytes += key.length + (value?.length ?? 0);
    }
  }

  #sync(): void {
    for (const change of this.#pending) apply(this.#durable, change);
    this.#pending = [];
  }

  /** Passes the time that an operation takes; never ends when the crash comes first. */
  async #elapse(operation: string): Promise<void> {
    await this.#options.delay?.(operation);
    if (this.#isCrashed) await forever();
  }

  #checkOpen(): void {
    assert(!this.#isClosed, "the database is closed");
  }
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}

function pairsIn(content: Content, range: DiskRange): [ByteString, Buffer][] {
  const end = fromBytes(range.end);
  const pairs: [ByteString, Buffer][] = [];
  for (
    const cursor = content.seek(fromBytes(range.start));
    !cursor.isDone && cursor.key < end;
    cursor.advance()
  ) {
    pairs.push([cursor.key, cursor.value]);
  }
  return pairs;
}

function apply(content: Content, change: Change): void {
  for (const [key, value] of change) {
    if (value === undefined) content.delete(key);
    else content.set(key, value);
  }
}

function copyOf(content: Content): Content {
  const copy: Content = new SortedMap();
  for (const cursor = content.seek("" as ByteString); !cursor.isDone; cursor.advance()) {
    copy.set(cursor.key, cursor.value);
  }
  return copy;
}

function sizeBytesOf(content: Content): number {
  let sizeBytes = 0;
  for (const cursor = content.seek("" as ByteString); !cursor.isDone; cursor.advance()) {
    sizeBytes += cursor.key.length + cursor.value.length;
  }
  return sizeBytes;
}
