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
import { type ByteString, compare, OPEN_END } from "../../lib/bytes.ts";
import type { Clock } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Engine, EngineStats, VersionedRecord } from "../storage/index.ts";
import { type CompactionHash, type CompactionObserver, Compactor } from "./compaction.ts";
import { hashRecords } from "./hash.ts";
import { OperationCounts } from "./operation-counts.ts";
import { readRange } from "./range-read.ts";
import { assertReadable, FIRST_REVISION, NEVER_COMPACTED } from "./revision.ts";
import { assertRunnable, chooseTxn, runReadTxn, runTxn } from "./txn.ts";
import type { CommitListener, KvReader, KvWriter, LastChange, LeaseDirectory } from "./types.ts";
import { assertPuttable, WriteTransaction } from "./write-transaction.ts";

const RESTORE_PAGE_KEYS = 1_000;

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
  /** The rest between bites of removal after a compaction; yieldTurn when left out. */
  readonly pauseCompaction?: () => Promise<void>;
  /** Who is told of long work, and the clock that times it; nothing is decided by it. */
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
  /** In ascending (main, sub). Throws leaderChanged when the store is restored from elsewhere meanwhile. */
  readonly records: IterableIterator<VersionedRecord>;
  /** Lets compaction go on; to be called once, whatever became of the reading. */
  close(): void;
}

/** The multi-version store: every read and write of keys (semantics-kv-mvcc). DESIGN.md of this folder. */
export class Store implements KvReader, KvWriter {
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

  constructor(options: StoreOptions) {
    const { engine, leases, yieldTurn, pauseCompaction = yieldTurn, observed } = options;
    this.#engine = engine;
    this.#leases = leases;
    this.#yieldTurn = yieldTurn;
    this.#observed = observed;
    this.#compactor = new Compactor({ engine, yieldTurn, pause: pauseCompaction, observed }, NEVER_COMPACTED);
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

  stats(): EngineStats {
    return this.#engine.stats();
  }

  lastChange(key: ByteString): LastChange | undefined {
    const record = this.#engine.newest(key, this.currentRevision);
    // Whether compaction has come to a removal yet differs between members; the answer must not.
    if (record === undefined || (record.tombstone && record.main < this.compactRevision)) return undefined;
    return { revision: record.main, isRemoval: record.tombstone };
  }

  range(request: RangeRequest): RangeResponse {
    if (request.revision > 0) assertReadable(request.revision, this);
    this.#operations.ranges++;
    return readRange(this.#engine, request, this.#currentRevision);
  }

  readTxn(request: TxnRequest): TxnResponse {
    const chosen = chooseTxn(request, this.#engine, this.#currentRevision);
    assertRunnable(chosen, this.#engine, this.#leases, this);
    this.#operations.txn(chosen);
    return runReadTxn(chosen, this.#engine, this.#currentRevision);
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
      const unpin = this.#compactor.pin(compactRevision);
      const startMs = this.#observed?.clock.nowMs() ?? 0;
      try {
        const scope = { compactRevision, revision: hashRevision, keptTombstones: "none" } as const;
        const hash = await hashRecords(this.#engine, scope, this.#yieldTurn);
        // Half of one state and half of another is no answer: begin again.
        if (epoch !== this.#epoch) continue;
        this.#observed?.observer.hashed(this.#observed.clock.nowMs() - startMs);
        return { hash, compactRevision, hashRevision };
      } finally {
        unpin();
      }
    }
  }

  /** A view of the whole history that writes and compactions do not change. Holds compaction back until closed. */
  openSnapshot(): StoreSnapshot {
    return {
      currentRevision: this.#currentRevision,
      compactRevision: this.#compactRevision,
      finishedCompactRevision: this.#compactor.finishedRevision,
      records: this.#snapshotRecords(this.#currentRevision, this.#epoch),
      close: this.#compactor.pin(this.#compactRevision),
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
    let hasLeases = false;
    return {
      append: (records) => {
        for (const record of records) {
          assert(record.main <= state.currentRevision, "a snapshot holds its own past");
          if (record.lease !== 0n) hasLeases = true;
        }
        replacement.append(records);
      },
      finish: () => {
        this.#epoch++;
        this.#compactor.reset(state.finishedCompactRevision);
        replacement.commit();
        this.#currentRevision = state.currentRevision;
        this.#compactRevision = state.compactRevision;
        if (hasLeases) this.#attachLeases();
        if (state.compactRevision > state.finishedCompactRevision)
          this.#compactor.schedule(state.compactRevision);
      },
    };
  }

  #begin(): WriteTransaction {
    return new WriteTransaction(this.#engine, this.#leases, this.#currentRevision);
  }

  #commit(writes: WriteTransaction): void {
    if (writes.records.length === 0) return;
    this.#currentRevision = writes.revision;
    for (const listener of this.#commitListeners) listener(this.#currentRevision, writes.records);
  }

  *#snapshotRecords(revision: number, epoch: number): IterableIterator<VersionedRecord> {
    for (const record of this.#engine.records(0, revision)) {
      yield record;
      if (epoch !== this.#epoch) throw new RequestError("leaderChanged");
    }
  }

  #attachLeases(): void {
    let start = OPEN_END;
    for (;;) {
      const interval = { start, end: OPEN_END };
      const { records } = this.#engine.range(interval, this.#currentRevision, RESTORE_PAGE_KEYS);
      for (const { lease, key } of records) if (lease !== 0n) this.#leases.attach(lease, key);
      const last = records.at(-1);
      if (last === undefined) return;
      start = `${last.key}\0` as ByteString;
    }
  }
}

/** The loading end of a restore. */
export interface StoreRestore {
  /** In ascending (main, sub), over all calls. */
  append(records: readonly VersionedRecord[]): void;
  /** All at once: readers see the old content or the new. To be called once. */
  finish(): void;
}
