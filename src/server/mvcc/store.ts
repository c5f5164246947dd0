import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
} from "../../codec/index.ts";
import { assert } from "../../lib/assert.ts";
import { type ByteString, compare } from "../../lib/bytes.ts";
import type { Clock } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Eventual, EventualItems } from "../../lib/eventual.ts";
import type { Engine, EngineLoader, EngineStats, EngineView } from "../storage/index.ts";
import { type CompactionHash, type CompactionObserver, Compactor } from "./compaction.ts";
import { type HashScope, hashRecords } from "./hash.ts";
import { OperationCounts } from "./operation-counts.ts";
import { readRange } from "./range-read.ts";
import { PageReader, pagesKept, pagesOf, type RecordPage } from "./record-pages.ts";
import { assertReadable, FIRST_REVISION, NEVER_COMPACTED, type RevisionWindow } from "./revision.ts";
import { wantsOfPut, wantsOfRange, wantsOfTxn } from "./touched.ts";
import { assertRunnable, chooseTxn, runReadTxn, runTxn } from "./txn.ts";
import type { CommitListener, KvReader, KvWriter, LastChange, LeaseDirectory } from "./types.ts";
import { type WatchSource, watchSourceOf } from "./watch-events.ts";
import { assertPuttable, WriteTransaction } from "./write-transaction.ts";

/** What a store reports of its long work, for metrics. Durations in milliseconds. */
export interface StoreObserver extends CompactionObserver {
  /** One hash of the history was computed, the turns that others had between its bites included. */
  hashed(durationMs: number): void;
}

export interface StoreOptions {
  /** Empty, and the store's own from now on. */
  readonly engine: Engine;
  readonly leases: LeaseDirectory;
  /** Resolves in a later turn of the event loop: between bites of long work. */
  readonly yieldTurn: () => Promise<void>;
  /** The rest after a bite of a compaction that took so long; yieldTurn when left out. */
  readonly pauseCompaction?: (biteMs: number) => Promise<void>;
  /** Who is told of long work, and the clock that times it; nothing but rests is decided by it. */
  readonly observed?: { readonly clock: Pick<Clock, "nowMs">; readonly observer: StoreObserver };
}

/** The revisions of a store: what a snapshot has to say beside the records. */
export interface StoreState {
  readonly currentRevision: number;
  readonly compactRevision: number;
  /** Up to where removal was finished when the snapshot was taken; at most compactRevision. */
  readonly finishedCompactRevision: number;
}

/** The history as it was when the snapshot was opened, to be read at leisure. */
export interface StoreSnapshot extends StoreState {
  /**
   * The records in ascending (modRevision, sub), to be gone through once. Throws leaderChanged when the store is restored
   * from elsewhere meanwhile.
   */
  readonly pages: EventualItems<RecordPage>;
  /** Lets compaction go on; to be called once, whatever became of the reading. */
  close(): void;
}

/** A hash being computed: who asks for the same shares it, who asks for another waits until it has ended. */
interface HashUnderWay {
  readonly scope: HashScope;
  readonly epoch: number;
  readonly hash: Promise<number>;
  /** Never rejects. */
  readonly ended: Promise<void>;
}

/**
 * The multi-version store: every read and write of keys (semantics-kv-mvcc). DESIGN.md of this folder.
 *
 * Where the engine has a loader, reads are promises, and what a write touches (touched.ts) must have been loaded.
 */
export class Store implements KvReader, KvWriter {
  readonly loader: EngineLoader | undefined;
  readonly #engine: Engine;
  readonly #leases: LeaseDirectory;
  readonly #yieldTurn: () => Promise<void>;
  readonly #observed: StoreOptions["observed"];
  readonly #compactor: Compactor;
  readonly #operations = new OperationCounts();
  readonly #commitListeners: CommitListener[] = [];
  #currentRevision = FIRST_REVISION;
  #compactRevision = NEVER_COMPACTED;
  /** Goes up with each restore. */
  #epoch = 0;
  #recordsWritten = 0;
  /** One at a time: over a large store it takes seconds, and clients that lost patience ask again. */
  #hashing: HashUnderWay | undefined;

  constructor(options: StoreOptions) {
    const { engine, leases, yieldTurn, observed } = options;
    const { pauseCompaction: pause = yieldTurn } = options;
    this.loader = engine.loader;
    this.#engine = engine;
    this.#leases = leases;
    this.#yieldTurn = yieldTurn;
    this.#observed = observed;
    const recordsWritten = (): number => this.#recordsWritten;
    this.#compactor = new Compactor({ engine, recordsWritten, yieldTurn, pause, observed }, NEVER_COMPACTED);
  }

  get currentRevision(): number {
    return this.#currentRevision;
  }

  get compactRevision(): number {
    return this.#compactRevision;
  }

  /** Hashes of the last ten finished compactions, oldest first. */
  get compactionHashes(): readonly CompactionHash[] {
    return this.#compactor.hashes;
  }

  /** Goes on counting while it is held. */
  get operations(): Readonly<OperationCounts> {
    return this.#operations;
  }

  /** Calls `listener` after each revision from now on, in order of registration. */
  onCommit(listener: CommitListener): void {
    this.#commitListeners.push(listener);
  }

  /** What a watch hub reads. */
  get watchSource(): WatchSource {
    return watchSourceOf(this, this.#engine);
  }

  stats(): EngineStats {
    return this.#engine.stats();
  }

  storedBytes(): number {
    return this.#engine.storedBytes();
  }

  lastChange(key: ByteString): Eventual<LastChange | undefined> {
    const { loader } = this;
    return loader === undefined
      ? lastChangeIn(this.#engine, key, this)
      : this.#lastChangeLater(loader, key, this.#window());
  }

  range(request: RangeRequest): Eventual<RangeResponse> {
    if (request.revision > 0) assertReadable(request.revision, this);
    this.#operations.ranges++;
    const { loader } = this;
    return loader === undefined
      ? readRange(this.#engine, request, this.#currentRevision)
      : this.#rangeLater(loader, request, this.#currentRevision);
  }

  readTxn(request: TxnRequest): Eventual<TxnResponse> {
    const { loader } = this;
    return loader === undefined
      ? this.#readTxnIn(this.#engine, request, this)
      : this.#readTxnLater(loader, request, this.#window());
  }

  put(request: PutRequest): PutResponse {
    assertPuttable(request, this.#engine, this.#leases);
    const writes = this.#begin();
    const response = writes.put(request);
    this.#operations.put(request);
    this.#commit(writes);
    return response;
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse {
    const writes = this.#begin();
    const response = writes.deleteRange(request);
    this.#operations.deleteRange(request);
    this.#commit(writes);
    return response;
  }

  txn(request: TxnRequest): TxnResponse {
    const chosen = chooseTxn(request, this.#engine, this.#currentRevision);
    assertRunnable(chosen, this.#engine, this.#leases, this);
    const writes = this.#begin();
    const response = runTxn(chosen, writes);
    this.#operations.txn(chosen);
    this.#commit(writes);
    return response;
  }

  deleteKeys(keys: readonly ByteString[]): boolean {
    const writes = this.#begin();
    for (const key of [...keys].sort(compare)) writes.deleteKey(key);
    this.#operations.deleteKeys(keys);
    this.#commit(writes);
    return writes.records.length > 0;
  }

  compact(revision: number): void {
    if (revision <= this.#compactRevision) throw new RequestError("compacted");
    if (revision > this.#currentRevision) throw new RequestError("futureRevision");
    this.#compactRevision = revision;
    this.#compactor.schedule(revision);
  }

  /** Resolves when the removal up to the present compact revision is finished. */
  compactionFinished(): Promise<void> {
    return this.#compactor.finished();
  }

  async hashKv(revision: number): Promise<{ hash: number; compactRevision: number; hashRevision: number }> {
    for (;;) {
      const remembered = revision === 0 ? undefined : this.#compactor.hashOf(revision);
      if (remembered !== undefined) {
        return { hash: remembered.hash, compactRevision: remembered.compactRevision, hashRevision: revision };
      }
      if (revision > 0) assertReadable(revision, this);
      const epoch = this.#epoch;
      const hashRevision = revision === 0 ? this.#currentRevision : revision;
      const compactRevision = this.#compactRevision;
      const scope = { compactRevision, revision: hashRevision, keptTombstones: "none" } as const;
      const isUnderWay =
        this.#hashing?.epoch === epoch &&
        this.#hashing.scope.revision === hashRevision &&
        this.#hashing.scope.compactRevision === compactRevision;
      if (this.#hashing !== undefined && !isUnderWay) {
        await this.#hashing.ended;
        continue;
      }
      this.#hashing ??= this.#beginHash(scope);
      const hash = await this.#hashing.hash;
      // Half of one state and half of another is no answer: begin again.
      if (epoch === this.#epoch) return { hash, compactRevision, hashRevision };
    }
  }

  #beginHash(scope: HashScope): HashUnderWay {
    const unpin = this.#compactor.pin(scope.compactRevision);
    const startMs = this.#observed?.clock.nowMs() ?? 0;
    const hash = hashRecords(this.#engine, scope, this.#yieldTurn);
    const end = (): void => {
      unpin();
      this.#hashing = undefined;
    };
    const ended = hash.then(() => {
      end();
      this.#observed?.observer.hashed(this.#observed.clock.nowMs() - startMs);
    }, end);
    return { scope, epoch: this.#epoch, hash, ended };
  }

  /**
   * A view of the history after `afterRevision` that writes and compactions do not change. Until it is closed nothing is
   * removed that it has.
   */
  openSnapshot(afterRevision = 0): StoreSnapshot {
    const epoch = this.#epoch;
    const check = (): void => {
      if (epoch !== this.#epoch) throw new RequestError("leaderChanged");
    };
    const from = afterRevision + 1;
    const currentRevision = this.#currentRevision;
    const compactRevision = this.#compactRevision;
    const state = { currentRevision, compactRevision };
    const { finishedRevision } = this.#compactor;
    const isAtHand = this.loader === undefined;
    // Where it costs no read, what is to be removed is left out: nobody loads, and removes, it again; it may go meanwhile.
    const isLeftOut = isAtHand && finishedRevision < compactRevision;
    const kept = isLeftOut ? this.#engine.kept?.(from, currentRevision, compactRevision) : undefined;
    assert(!isLeftOut || kept !== undefined, "an engine without a loader tells what a compaction keeps");
    const release = isAtHand ? this.#compactor.pin(compactRevision) : this.#compactor.hold();
    if (kept !== undefined) {
      const pages = pagesKept(kept, check, this.#yieldTurn);
      return { ...state, finishedCompactRevision: compactRevision, pages, close: release };
    }
    const reader = new PageReader(this.#engine.records(from, currentRevision));
    return {
      ...state,
      finishedCompactRevision: finishedRevision,
      pages: pagesOf(reader, isAtHand, check),
      close: () => {
        reader.close();
        release();
      },
    };
  }

  /**
   * Begins to take the content of a snapshot in place of its own: the returned restore is fed with all records, and
   * when it is finished they replace everything at once. Leases are restored right before finish().
   */
  restore(state: StoreState): StoreRestore {
    assert(state.finishedCompactRevision <= state.compactRevision, "removal does not overtake compaction");
    assert(state.compactRevision <= state.currentRevision, "nothing is compacted that has not been");
    const replacement = this.#engine.beginReplacement();
    const attachments = new LeaseAttachments();
    return {
      append: (records) => {
        for (const { modRevision } of records)
          assert(modRevision <= state.currentRevision, "a snapshot holds its own past");
        attachments.follow(records);
        return replacement.append(records);
      },
      prepare: () => replacement.prepare(this.#yieldTurn),
      finish: () => {
        this.#epoch++;
        this.#compactor.reset(state.finishedCompactRevision);
        replacement.commit();
        this.#currentRevision = state.currentRevision;
        this.#compactRevision = state.compactRevision;
        attachments.attach(this.#leases);
        if (state.compactRevision > state.finishedCompactRevision)
          this.#compactor.schedule(state.compactRevision);
      },
    };
  }

  /** Where the store stood when its engine, which has its content already, was last written. Before anything else. */
  recover(state: StoreState): void {
    this.#compactor.reset(state.finishedCompactRevision);
    this.#currentRevision = state.currentRevision;
    this.#compactRevision = state.compactRevision;
    if (state.compactRevision > state.finishedCompactRevision)
      this.#compactor.schedule(state.compactRevision);
  }

  /** Up to where removal is finished. */
  get finishedCompactRevision(): number {
    return this.#compactor.finishedRevision;
  }

  // ---- Reads of the moment that they were asked in: the view, and where the store stood, are taken before any wait.

  #window(): RevisionWindow {
    return { currentRevision: this.#currentRevision, compactRevision: this.#compactRevision };
  }

  async #lastChangeLater(
    loader: EngineLoader,
    key: ByteString,
    window: RevisionWindow,
  ): Promise<LastChange | undefined> {
    return lastChangeIn(await loader.view(wantsOfPut({ key })), key, window);
  }

  async #rangeLater(loader: EngineLoader, request: RangeRequest, revision: number): Promise<RangeResponse> {
    return readRange(await loader.view(wantsOfRange(request)), request, revision);
  }

  async #readTxnLater(
    loader: EngineLoader,
    request: TxnRequest,
    window: RevisionWindow,
  ): Promise<TxnResponse> {
    return this.#readTxnIn(await loader.view(wantsOfTxn(request)), request, window);
  }

  #readTxnIn(view: EngineView, request: TxnRequest, window: RevisionWindow): TxnResponse {
    const { currentRevision } = window;
    const chosen = chooseTxn(request, view, currentRevision);
    assertRunnable(chosen, view, this.#leases, window);
    this.#operations.txn(chosen);
    return runReadTxn(chosen, view, currentRevision);
  }

  #begin(): WriteTransaction {
    return new WriteTransaction(this.#engine, this.#leases, this.#currentRevision);
  }

  #commit(writes: WriteTransaction): void {
    if (writes.records.length === 0) return;
    this.#currentRevision = writes.revision;
    this.#recordsWritten += writes.records.length;
    for (const listener of this.#commitListeners) listener(this.#currentRevision, writes.records);
  }
}

function lastChangeIn(view: EngineView, key: ByteString, window: RevisionWindow): LastChange | undefined {
  const record = view.newest(key, window.currentRevision);
  // Whether compaction has come to a removal yet differs between members; the answer must not.
  if (record === undefined || (record.tombstone && record.modRevision < window.compactRevision))
    return undefined;
  return { revision: record.modRevision, isRemoval: record.tombstone };
}

/** Which keys have a lease by the records so far: to ask for all keys at the end would take long at once. */
class LeaseAttachments {
  readonly #leases = new Map<ByteString, bigint>();

  follow(records: RecordPage): void {
    for (const { key, lease } of records) {
      if (lease !== 0n) this.#leases.set(key, lease);
      else if (this.#leases.size > 0) this.#leases.delete(key);
    }
  }

  attach(directory: LeaseDirectory): void {
    for (const [key, lease] of this.#leases) directory.attach(lease, key);
  }
}

/** The loading end of a restore. */
export interface StoreRestore {
  /** In ascending (modRevision, sub), over all calls. The next call waits for this one. */
  append(records: RecordPage): Eventual<void>;
  /** After the last append, before finish(). */
  prepare(): Promise<void>;
  /** All at once: readers see the old content or the new. To be called once. */
  finish(): void;
}
