import type { ByteString } from "../../lib/bytes.ts";
import { type ContentTotals, DiskContent, noTotals, type Seal } from "./disk-content.ts";
import type { DiskDatabase, DiskOperation } from "./disk-database.ts";
import {
  DiskLayout,
  type DiskRoot,
  decodeRoot,
  encodeRoot,
  generationStart,
  rootKey,
  type Space,
  space,
} from "./disk-layout.ts";
import type {
  Engine,
  EngineLoader,
  EngineReplacement,
  EngineStats,
  KeyInterval,
  RangeRead,
  RecordCursor,
  VersionedRecord,
} from "./engine.ts";

/**
 * Files are rewritten when compactions have removed this share of the records since the last time: all that is left is
 * written again each time, and automatic compaction removes a little five times a period.
 */
const REWRITE_SHARE = 0.3;
/** A rewrite that somebody asks for is done when they have grown by this share since the last one, or anything was removed. */
const GROWTH_SHARE = 0.1;
/** A replacement brings what it has gathered to the database in pieces of this size. */
const REPLACEMENT_PIECE_RECORDS = 8_192;
const FIRST_GENERATION = 1;

/** What is kept beside the records, in the same writes: the caller's own, by name. */
export interface SideChange {
  readonly name: Uint8Array;
  /** Undefined: removed. */
  readonly value: Uint8Array | undefined;
}

/** What goes with everything appended so far. */
export interface EngineSeal {
  readonly meta: Uint8Array;
  /** Since the last seal. */
  readonly changes: readonly SideChange[];
}

/** What a database held when it was opened. */
export interface RecoveredEngine {
  /** Of the last seal that became durable; undefined in a new database. */
  readonly meta: Buffer | undefined;
  readonly side: readonly { readonly name: Buffer; readonly value: Buffer }[];
  readonly attachments: readonly { readonly lease: bigint; readonly key: ByteString }[];
}

export interface DiskEngineOptions {
  readonly database: DiskDatabase;
  /** Newest records kept in memory; the database has a cache of its own. */
  readonly cacheSizeBytes: number;
  readonly yieldTurn: () => Promise<void>;
  /** A write failed, or what was read is damaged. Called once. */
  readonly onFailure: (error: Error) => void;
}

/**
 * The engine whose content is on disk, in memory only what is in use. Durability is not its business: the log is, and
 * what the database holds is some state of the past, whole, with the log index it belongs to in its seal.
 */
export class DiskEngine implements Engine {
  readonly loader: EngineLoader;
  readonly recovered: RecoveredEngine;
  readonly #options: DiskEngineOptions;
  #content: DiskContent;
  /** As it was last written, or found. */
  #meta: Uint8Array;
  #describe: (() => EngineSeal) | undefined;
  #removedSinceRewrite = 0;
  /** What the files took after the last rewrite. */
  #rewrittenBytes = 0;
  #rewriting: Promise<void> | undefined;
  #hasFailed = false;

  private constructor(
    options: DiskEngineOptions,
    root: DiskRoot | undefined,
    found: Omit<RecoveredEngine, "meta">,
  ) {
    this.#options = options;
    const meta = root === undefined ? undefined : Buffer.from(root.side, "base64");
    this.recovered = { meta, ...found };
    this.#meta = meta ?? new Uint8Array(0);
    this.#content = this.#contentOf(root?.generation ?? FIRST_GENERATION, root ?? noTotals);
    this.loader = {
      load: (wants) => this.#content.load(wants),
      view: (wants) => this.#content.view(wants),
    };
  }

  /** Throws StorageFailure when the database is damaged or of a newer format. */
  static async open(options: DiskEngineOptions): Promise<DiskEngine> {
    const { database } = options;
    const [bytes] = await database.getMany([rootKey]);
    const root = bytes === undefined ? undefined : decodeRoot(bytes);
    const generation = root?.generation ?? FIRST_GENERATION;
    // What a replacement that was not finished has left.
    await clearAll(database, generationStart(0), generationStart(root === undefined ? 0 : generation));
    await clearAll(database, generationStart(root === undefined ? 0 : generation + 1), rootKey);
    const layout = new DiskLayout(generation);
    const side = await readSpace(database, layout, space.side);
    const attachments = await readSpace(database, layout, space.attachments);
    const engine = new DiskEngine(options, root, {
      side: side.map(({ key, value }) => ({ name: layout.nameOf(key), value })),
      attachments: attachments.map(({ key }) => layout.attachmentOf(key)),
    });
    await engine.#content.open();
    return engine;
  }

  append(records: readonly VersionedRecord[]): void {
    this.#content.append(records);
  }

  latest(key: ByteString): VersionedRecord | undefined {
    return this.#content.latest(key);
  }

  at(key: ByteString, revision: number): VersionedRecord | undefined {
    return this.#content.at(key, revision);
  }

  newest(key: ByteString, revision: number): VersionedRecord | undefined {
    return this.#content.newest(key, revision);
  }

  range(interval: KeyInterval, revision: number, limit: number): RangeRead {
    return this.#content.range(interval, revision, limit);
  }

  count(interval: KeyInterval, revision: number): number {
    return this.#content.count(interval, revision);
  }

  records(fromRevision: number, toRevision: number): RecordCursor {
    return this.#content.records(fromRevision, toRevision);
  }

  async compactStep(revision: number, recordsMax: number): Promise<boolean> {
    const content = this.#content;
    const before = content.totals.records;
    const isFinished = await content.compactStep(revision, recordsMax);
    this.#removedSinceRewrite += Math.max(0, before - content.totals.records);
    if (isFinished && this.#removedSinceRewrite > REWRITE_SHARE * content.totals.records) this.#rewriteSoon();
    return isFinished;
  }

  stats(): EngineStats {
    const { records, sizeBytes, sizeInUseBytes } = this.#content.totals;
    return { liveKeys: this.#content.counts.total, records, sizeBytes, sizeInUseBytes };
  }

  /** Each call asks the database anew, in the background: not for the path of a write. */
  storedBytes(): number {
    return this.#options.database.sizeBytes();
  }

  /**
   * From now on `describe` is asked, between two commands, what goes with everything appended so far; all of it gets
   * into one write.
   */
  describeBy(describe: () => EngineSeal): void {
    this.#describe = describe;
  }

  /** What was appended goes to the database soon, in the background. */
  flushSoon(): void {
    this.#content.flushSoon();
  }

  /** Everything appended so far is durable when it resolves. */
  sync(): Promise<void> {
    return this.#content.flush(true);
  }

  /**
   * Rewrites the files, so that what was removed gives its space back; not when next to nothing would come of it.
   * Writes and reads go on meanwhile.
   */
  async defragment(): Promise<void> {
    await this.#content.flush(false);
    await this.#rewriting;
    const { database } = this.#options;
    const isGrown = database.sizeBytes() > (1 + GROWTH_SHARE) * this.#rewrittenBytes;
    if (isGrown || this.#removedSinceRewrite > 0) await this.#rewrite();
  }

  /** Writes what waits and closes the database. */
  async close(): Promise<void> {
    try {
      if (!this.#hasFailed) await this.#content.flush(true);
      await this.#content.close();
      await this.#rewriting?.catch(() => undefined);
    } finally {
      await this.#options.database.close();
    }
  }

  beginReplacement(): EngineReplacement {
    const { database } = this.#options;
    const generation = this.#content.layout.generation + 1;
    const next = this.#contentOf(generation, noTotals);
    let cleared: Promise<void> | undefined;
    let unwritten = 0;
    let isOver = false;
    return {
      append: async (records) => {
        cleared ??= clearAll(database, generationStart(generation), generationStart(generation + 1));
        await cleared;
        await next.load(records.map(({ key }) => ({ kind: "key", key, revision: undefined })));
        next.append(records);
        unwritten += records.length;
        if (unwritten < REPLACEMENT_PIECE_RECORDS) return;
        unwritten = 0;
        await next.flush(false);
      },
      prepare: () => next.flush(false),
      commit: () => {
        if (isOver) throw new Error("a replacement is committed once");
        isOver = true;
        const old = this.#content;
        this.#content = next;
        void old
          .retire()
          .then(() => clearAll(database, generationStart(old.layout.generation), generationStart(generation)))
          .catch((error: unknown) => this.#fail(error as Error));
      },
    };
  }

  #contentOf(generation: number, totals: ContentTotals): DiskContent {
    const { database, cacheSizeBytes, yieldTurn } = this.#options;
    const layout = new DiskLayout(generation);
    const isInUse = (): boolean => this.#content === undefined || this.#content.layout === layout;
    const sealOf = (operations: readonly DiskOperation[]): Seal => {
      const side = Buffer.from(this.#meta).toString("base64");
      const isWritten = isInUse();
      return {
        operations,
        root: ({ records, sizeBytes, sizeInUseBytes, last }) =>
          isWritten && isInUse()
            ? {
                key: rootKey,
                value: encodeRoot({ format: 1, generation, records, sizeBytes, sizeInUseBytes, last, side }),
              }
            : undefined,
      };
    };
    return new DiskContent({
      database,
      layout,
      totals,
      cacheSizeBytes,
      yieldTurn,
      seal: () => {
        if (!isInUse() || this.#describe === undefined) return sealOf([]);
        const { meta, changes } = this.#describe();
        this.#meta = meta;
        return sealOf(changes.map(({ name, value }) => ({ key: layout.side(name), value })));
      },
      storedSeal: sealOf([]),
      onFailure: (error) => this.#fail(error),
    });
  }

  #rewriteSoon(): void {
    if (this.#rewriting !== undefined || this.#hasFailed) return;
    this.#rewrite().catch((error: unknown) => this.#fail(error as Error));
  }

  /** One at a time: who asks while one is under way gets that. */
  #rewrite(): Promise<void> {
    this.#rewriting ??= this.#rewriteAll().finally(() => {
      this.#rewriting = undefined;
    });
    return this.#rewriting;
  }

  async #rewriteAll(): Promise<void> {
    const { database } = this.#options;
    const { generation } = this.#content.layout;
    this.#removedSinceRewrite = 0;
    await database.compact(generationStart(generation), generationStart(generation + 1));
    this.#rewrittenBytes = database.sizeBytes();
  }

  #fail(error: Error): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#options.onFailure(error);
  }
}

async function readSpace(database: DiskDatabase, layout: DiskLayout, name: Space) {
  const iterator = database.iterate({ start: layout.start(name), end: layout.end(name) });
  const found: { readonly key: Buffer; readonly value: Buffer }[] = [];
  try {
    for (;;) {
      const page = await iterator.next(1_000);
      if (page.length === 0) return found;
      for (const pair of page) found.push(pair);
    }
  } finally {
    await iterator.close();
  }
}

/** Looks first: most of the time there is nothing. */
async function clearAll(database: DiskDatabase, start: Buffer, end: Buffer): Promise<void> {
  if (start.compare(end) >= 0) return;
  const iterator = database.iterate({ start, end, isKeysOnly: true });
  let hasAny: boolean;
  try {
    hasAny = (await iterator.next(1)).length > 0;
  } finally {
    await iterator.close();
  }
  if (hasAny) await database.clear(start, end);
}
