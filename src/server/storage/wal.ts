import { AssertionError, assert } from "../../lib/assert.ts";
import type { Timer } from "../../lib/clock.ts";
import { createDeferred, type Deferred } from "../../lib/deferred.ts";
import type { StorageFailure } from "../../lib/errors.ts";
import { freeInSteps, retire } from "../../lib/file-operations.ts";
import type { Pace } from "../../lib/pace.ts";
import type { HardState, SnapshotMetadata } from "../raft/index.ts";
import type { SegmentPreparer } from "./segment-preparer.ts";
import type { SegmentWriter } from "./segment-writer.ts";
import { walFailure } from "./wal-failure.ts";
import { FrameBuilder } from "./wal-frame-builder.ts";
import { entriesRecordBytes } from "./wal-record.ts";
import type { LiveSegment } from "./wal-recovery.ts";
import type { PlacedIndex, WalBatch, WalOptions, WalState, WalStats } from "./wal-types.ts";

const DEFAULT_IDLE_MARKER_MS = 50;
/** Batches that wait for the disk are merged into one frame up to this size. */
const MERGED_BODY_BYTES_MAX = 4 * 1024 * 1024;
const SPARE_BUFFERS_MAX = 2;

/**
 * The write-ahead log (DESIGN.md): opened by openWal. One write is in flight at a time; what is appended meanwhile
 * goes out together as the next one.
 */
export class Wal {
  readonly #options: WalOptions;
  readonly #writer: SegmentWriter;
  readonly #preparer: SegmentPreparer;
  readonly #idleMarkerMs: number;
  readonly #segments: LiveSegment[];
  readonly #marks: PlacedIndex[];
  /** As last appended, as last put into a frame, and as in durable frames. */
  #hardState: HardState;
  #framedHardState: HardState;
  #durableHardState: HardState;
  #lastIndex: number;
  #durableLastIndex: number;
  /** Frames that wait; only the last one still grows. */
  readonly #queue: FrameBuilder[] = [];
  #inFlight: FrameBuilder | undefined;
  readonly #spareBuffers: Buffer[] = [];
  /** A write or a change of segment is under way. */
  #isBusy = false;
  #unwritten: (() => void)[] = [];
  readonly #markWaiters = new Set<Deferred<void>>();
  #quietWaiters: (() => void)[] = [];
  #idleTimer: Timer | undefined;
  #lastWriteMs = 0;
  #releasing: Promise<void> = Promise.resolve();
  #isClosed = false;
  #failure: StorageFailure | undefined;
  #syncs = 0;
  #entriesWritten = 0;
  #bytesWritten = 0;
  #lastSyncMs = 0;
  #totalSyncMs = 0;

  constructor(options: WalOptions, writer: SegmentWriter, preparer: SegmentPreparer, state: WalState) {
    this.#options = options;
    this.#writer = writer;
    this.#preparer = preparer;
    this.#idleMarkerMs = options.idleMarkerMs ?? DEFAULT_IDLE_MARKER_MS;
    this.#segments = state.segments;
    this.#marks = [...state.marks];
    this.#hardState = state.hardState;
    this.#framedHardState = state.hardState;
    this.#durableHardState = state.hardState;
    this.#lastIndex = state.lastIndex;
    this.#durableLastIndex = state.lastIndex;
  }

  get stats(): WalStats {
    return {
      syncs: this.#syncs,
      entries: this.#entriesWritten,
      bytes: this.#bytesWritten,
      lastSyncMs: this.#lastSyncMs,
      totalSyncMs: this.#totalSyncMs,
      segments: this.#segments.length,
    };
  }

  /**
   * Takes the batch and returns at once; `done` is called once it and all before it are durable, in the order of
   * the calls, and never after a failure. A batch that changes nothing but the commit index does not wait for the
   * disk, unless the index is awaited: it goes out with the next write, or when the log falls quiet (storage-and-wal 1.3).
   * Throws StorageFailure when the log has failed.
   */
  append(batch: WalBatch, done: () => void): void {
    this.#admit();
    this.#checkOrder(batch);
    if (batch.hardState !== undefined) this.#hardState = batch.hardState;
    if (batch.entries.length === 0 && batch.isCommitAwaited !== true && this.#isOnlyCommitNew()) {
      this.#callAfterEarlier(done);
      this.#armIdle();
      return;
    }
    const bytes = entriesRecordBytes(batch.entries);
    const frame = this.#frameFor(bytes);
    frame.entries(batch.entries, bytes);
    this.#frameHardState(frame);
    frame.callbacks.push(done);
    this.#lastIndex = batch.entries.at(-1)?.index ?? this.#lastIndex;
    this.#pump();
  }

  /**
   * Records that a durable snapshot stands for the log up to its index; resolves once that is durable. For a
   * snapshot from another member, before the hard state whose commit index relies on it. Rejects with
   * StorageFailure.
   */
  async appendSnapshotMark(metadata: SnapshotMetadata): Promise<void> {
    this.#admit();
    const newest = this.#marks.at(-1);
    assert(newest === undefined || metadata.index >= newest.index, "snapshot marks must not go back");
    const frame = this.#frameFor(0);
    frame.snapshotMark(metadata);
    this.#lastIndex = Math.max(this.#lastIndex, metadata.index);
    frame.lastIndex = this.#lastIndex;
    const written = createDeferred<void>();
    this.#markWaiters.add(written);
    frame.callbacks.push(() => {
      this.#markWaiters.delete(written);
      written.resolve();
    });
    this.#pump();
    await written.promise;
  }

  /**
   * Removes, in the background, the segments that only hold what the newest snapshot mark at or below `index`
   * stands for. A failure to do so fails the log.
   */
  release(index: number): void {
    this.#admit();
    this.#releasing = this.#releasing.then(() => this.#releaseNow(index));
  }

  /**
   * Writes what waits and closes the files; nothing may be appended from the call on. After a failure it only
   * closes. Rejects with StorageFailure.
   */
  async close(): Promise<void> {
    assert(!this.#isClosed, "the log is closed already");
    this.#isClosed = true;
    this.#idleTimer?.cancel();
    await this.#quiet();
    await this.#releasing;
    if (this.#failure === undefined && this.#hasUnframedHardState()) {
      this.#frameHardState(this.#frameFor(0));
      this.#pump();
      await this.#quiet();
    }
    try {
      if (this.#failure === undefined) await this.#writer.writeMarker();
      await this.#preparer.discard();
      await this.#writer.close();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#flushUnwritten();
  }

  #admit(): void {
    if (this.#failure !== undefined) throw this.#failure;
    assert(!this.#isClosed, "the log is closed");
  }

  #checkOrder({ hardState, entries }: WalBatch): void {
    let next = entries[0]?.index ?? 0;
    assert(next <= this.#lastIndex + 1, () => `log gap: entry ${next} after ${this.#lastIndex}`);
    assert(
      next === 0 || next > (this.#marks.at(-1)?.index ?? 0),
      () => `entry ${next} is behind a snapshot mark`,
    );
    for (const { index } of entries) {
      if (index !== next++) throw new AssertionError(`entries out of order at ${index}`);
    }
    const last = entries.at(-1)?.index ?? this.#lastIndex;
    assert((hardState?.commit ?? 0) <= last, () => `commit index ${hardState?.commit} above entry ${last}`);
  }

  /** Nothing new for the disk, or a commit index alone. */
  #isOnlyCommitNew(): boolean {
    const { term, vote } = this.#framedHardState;
    return this.#hardState.term === term && this.#hardState.vote === vote;
  }

  #hasUnframedHardState(): boolean {
    return !this.#isOnlyCommitNew() || this.#hardState.commit !== this.#framedHardState.commit;
  }

  #frameHardState(frame: FrameBuilder): void {
    if (!this.#hasUnframedHardState()) return;
    frame.hardState(this.#hardState);
    this.#framedHardState = this.#hardState;
  }

  #callAfterEarlier(done: () => void): void {
    const earlier = this.#queue.at(-1) ?? this.#inFlight;
    if (earlier !== undefined) {
      earlier.callbacks.push(done);
      return;
    }
    this.#unwritten.push(done);
    if (this.#unwritten.length === 1) this.#options.clock.defer(() => this.#flushUnwritten());
  }

  #flushUnwritten(): void {
    const callbacks = this.#unwritten;
    if (callbacks.length === 0 || this.#failure !== undefined) return;
    this.#unwritten = [];
    for (const callback of callbacks) callback();
  }

  /** The frame that takes `bytes` more bytes of records. */
  #frameFor(bytes: number): FrameBuilder {
    const last = this.#queue.at(-1);
    if (last !== undefined && last.bodyBytes + bytes <= MERGED_BODY_BYTES_MAX) return last;
    const frame = new FrameBuilder(this.#spareBuffers.pop());
    this.#queue.push(frame);
    return frame;
  }

  #pump(): void {
    if (this.#isBusy) return;
    const frame = this.#queue[0];
    if (frame === undefined || this.#failure !== undefined) {
      const waiters = this.#quietWaiters;
      this.#quietWaiters = [];
      for (const waiter of waiters) waiter();
      return;
    }
    this.#isBusy = true;
    if (this.#writer.fits(frame.bodyBytes)) this.#write(frame);
    else this.#perform(this.#cut(frame));
  }

  async #cut(frame: FrameBuilder): Promise<void> {
    await this.#writer.cut(frame.bodyBytes, this.#durableLastIndex + 1, this.#durableHardState);
    this.#segments.push(this.#writer.active);
  }

  /** Goes on after `work`, which had the writer for itself. */
  #perform(work: Promise<void>): void {
    work.then(
      () => {
        this.#isBusy = false;
        this.#pump();
      },
      (error: unknown) => {
        this.#isBusy = false;
        this.#fail(error);
      },
    );
  }

  #write(frame: FrameBuilder): void {
    this.#queue.shift();
    this.#inFlight = frame;
    const startedMs = this.#options.clock.nowMs();
    this.#writer.writeFrame(frame, (error, bytes) => {
      this.#isBusy = false;
      this.#inFlight = undefined;
      if (error !== undefined) this.#fail(error);
      else if (this.#failure !== undefined) this.#pump();
      else this.#written(frame, bytes, startedMs);
    });
  }

  #written(frame: FrameBuilder, bytes: number, startedMs: number): void {
    const nowMs = this.#options.clock.nowMs();
    const durationMs = nowMs - startedMs;
    this.#lastWriteMs = nowMs;
    this.#syncs++;
    this.#entriesWritten += frame.entryCount;
    this.#bytesWritten += bytes;
    this.#lastSyncMs = durationMs;
    this.#totalSyncMs += durationMs;
    this.#durableHardState = frame.lastHardState ?? this.#durableHardState;
    this.#durableLastIndex = frame.lastIndex ?? this.#durableLastIndex;
    const segmentSequence = this.#writer.active.sequence;
    for (const { index } of frame.marks) this.#marks.push({ index, segmentSequence });
    const buffer = frame.reusable();
    if (buffer !== undefined && this.#spareBuffers.length < SPARE_BUFFERS_MAX)
      this.#spareBuffers.push(buffer);
    // The disk goes on with the next frame while the callbacks of this one run.
    this.#pump();
    this.#armIdle();
    this.#options.onSync?.({ entries: frame.entryCount, bytes, durationMs });
    this.#flushUnwritten();
    for (const callback of frame.callbacks) callback();
    // V8 has been seen to keep old frames until its next collection of the whole heap, with all that they lead to.
    frame.callbacks.length = 0;
  }

  #armIdle(): void {
    if (this.#isClosed || this.#idleTimer !== undefined) return;
    this.#idleTimer = this.#options.clock.after(this.#idleMarkerMs, () => {
      this.#idleTimer = undefined;
      this.#idle();
    });
  }

  #idle(): void {
    if (this.#isClosed || this.#failure !== undefined) return;
    const quietMs = this.#options.clock.nowMs() - this.#lastWriteMs;
    // Timers fire up to a millisecond early.
    if (this.#isBusy || quietMs < this.#idleMarkerMs - 1) {
      this.#armIdle();
    } else if (this.#hasUnframedHardState()) {
      this.#frameHardState(this.#frameFor(0));
      this.#pump();
    } else if (!this.#writer.isVouched) {
      this.#isBusy = true;
      this.#perform(this.#writer.writeMarker());
    }
  }

  /** Resolves when nothing is being written and nothing waits, or after a failure when nothing is being written. */
  #quiet(): Promise<void> {
    if (!this.#isBusy && (this.#queue.length === 0 || this.#failure !== undefined)) return Promise.resolve();
    return new Promise((resolve) => this.#quietWaiters.push(resolve));
  }

  async #releaseNow(index: number): Promise<void> {
    const mark = this.#marks.findLast((placed) => placed.index <= index);
    if (mark === undefined) return;
    const needed = this.#segments.findLast(
      (segment) => segment.firstIndex <= mark.index + 1 && segment.sequence <= mark.segmentSequence,
    );
    const { fs, clock } = this.#options;
    const retired: string[] = [];
    try {
      while (needed !== undefined && this.#segments[0]!.sequence < needed.sequence) {
        if (this.#failure !== undefined) return;
        // One by one, so that a crash cannot leave a hole between segments.
        retired.push(await retire(fs, this.#segments[0]!.path));
        const { sequence } = this.#segments.shift()!;
        while (this.#marks[0] !== undefined && this.#marks[0].segmentSequence <= sequence)
          this.#marks.shift();
      }
      const pace: Pace = { clock, isHurried: () => this.#isClosed };
      for (const path of retired) await freeInSteps(fs, path, pace);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** After a failed write or sync the disk's state is unknown: nothing is tried again, nothing acknowledged. */
  #fail(error: unknown): StorageFailure {
    if (this.#failure === undefined) {
      this.#failure = walFailure(error, this.#options.directory);
      this.#queue.length = 0;
      this.#idleTimer?.cancel();
      for (const waiter of this.#markWaiters) waiter.reject(this.#failure);
      this.#markWaiters.clear();
      this.#options.onFailure(this.#failure);
    }
    this.#pump();
    return this.#failure;
  }
}
