import { type Clock, turnEnd } from "../../lib/clock.ts";
import type { EventualItems } from "../../lib/eventual.ts";
import type { Log } from "../../lib/log.ts";
import { type Pace, rest } from "../../lib/pace.ts";
import type { Entry, SnapshotMetadata } from "../raft/index.ts";
import type { ContinuableSnapshot, StateExtent, StateSnapshot } from "../state/index.ts";
import { EarlierRecords } from "./earlier-records.ts";

/** Where snapshots are kept. */
export interface SnapshotStore {
  /** Resolves with the size in bytes once the whole file is durable; rejects with StorageFailure. */
  write(
    metadata: SnapshotMetadata,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<number>;
  /** The chunks of a durable snapshot, each checked; rejects, and iterating rejects, with StorageFailure. */
  open(metadata: SnapshotMetadata): Promise<{ readonly chunks: AsyncIterable<Uint8Array> }>;
  /** Removes the files of snapshots older than `index`, at the pace if there is one. */
  removeBefore(index: number, pace?: Pace): Promise<void>;
}

/** What a snapshot lets the log do. */
export interface SnapshotLog {
  appendSnapshotMark(metadata: SnapshotMetadata): Promise<void>;
  release(index: number): void;
}

/** The applied state and where it stands. */
export interface OpenState {
  readonly metadata: SnapshotMetadata;
  /** Without an extent there is nothing in it that a later one could take over. */
  readonly state: StateSnapshot & Partial<ContinuableSnapshot>;
}

/** A snapshot that is durable, and what is in it. */
interface SavedState {
  readonly metadata: SnapshotMetadata;
  readonly extent: StateExtent;
}

/** What an entry counts beside its command: replaying one costs about as much as loading so much more snapshot. */
const ENTRY_OVERHEAD_BYTES = 512;
/** Rest after each chunk, in times of what it took to make and to write. */
const CHUNK_REST_FACTOR = 3;
/** Where a chunk took long it has waited for the disk, not kept requests waiting. */
const CHUNK_REST_MS_MAX = 50;

/**
 * Takes a snapshot of the applied state when enough log has gathered since the last: at least as much as makes
 * writing the whole state worth it, so that the cost per command stays constant however large the state is. What has
 * not changed since the last one is copied from its file, which costs less than to make it again. It rests longer than
 * it works, so that requests do not queue up behind it. The order is the safety: file durable, then the mark in the log
 * durable, then old files and segments go.
 */
export class Snapshotter {
  readonly #clock: Clock;
  readonly #pace: Pace;
  readonly #log: Log;
  readonly #store: SnapshotStore;
  readonly #wal: SnapshotLog;
  readonly #entriesMin: number;
  readonly #logBytesMin: number;
  readonly #open: (earlier?: StateExtent) => OpenState;
  readonly #onSaved: (durationMs: number) => void;
  readonly #onFailure: (error: Error) => void;
  #entriesSince = 0;
  #logBytesSince = 0;
  #lastSizeBytes = 0;
  /** The last snapshot that this run has taken. */
  #last: SavedState | undefined;
  #running: Promise<void> | undefined;
  #isPaused = false;
  /** Settles, and never rejects, with the work that it is or was last paused for. */
  #paused: Promise<unknown> | undefined;
  #isStopped = false;

  constructor(options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly store: SnapshotStore;
    readonly wal: SnapshotLog;
    /** Entries since the last snapshot, and their size with overhead, below which none is taken. */
    readonly entriesMin: number;
    readonly logBytesMin: number;
    /** Called when a snapshot begins. `earlier`: what is at hand, and may be left out. */
    readonly open: (earlier?: StateExtent) => OpenState;
    /** A snapshot is durable, its mark too, and what is older is gone. The duration is without the latter. */
    readonly onSaved: (durationMs: number) => void;
    readonly onFailure: (error: Error) => void;
  }) {
    this.#clock = options.clock;
    this.#pace = { clock: options.clock, isHurried: () => this.#isStopped || this.#isPaused };
    this.#log = options.log;
    this.#store = options.store;
    this.#wal = options.wal;
    this.#entriesMin = options.entriesMin;
    this.#logBytesMin = options.logBytesMin;
    this.#open = options.open;
    this.#onSaved = options.onSaved;
    this.#onFailure = options.onFailure;
  }

  applied(entries: readonly Entry[]): void {
    this.#entriesSince += entries.length;
    for (const entry of entries) this.#logBytesSince += entry.data.length + ENTRY_OVERHEAD_BYTES;
    if (this.#logBytesSince >= Math.max(this.#logBytesMin, this.#lastSizeBytes)) this.#begin();
  }

  /** The member has started: what it had to apply for that, the next start need not apply again. */
  started(): void {
    this.#begin();
  }

  #begin(): void {
    if (this.#running !== undefined || this.#isPaused || this.#isStopped) return;
    if (this.#entriesSince < this.#entriesMin) return;
    // Not within apply: the entries of this batch are answered first.
    this.#run(() => turnEnd(this.#clock).then(() => this.#take()));
  }

  /** Work in the background, one after the other. */
  #run(work: () => Promise<void>): void {
    const running = Promise.resolve(this.#running)
      .then(work)
      .catch((error: Error) => this.#onFailure(error))
      .finally(() => {
        if (this.#running === running) this.#running = undefined;
      });
    this.#running = running;
  }

  /** Frees the files older than the snapshot at `index` in the background; after a stop the next start does it. */
  removeBefore(index: number): void {
    if (!this.#isStopped) this.#run(() => this.#store.removeBefore(index, this.#pace));
  }

  /** Runs `work` while no snapshot is being taken; the log counts from its end on, for it brings a snapshot. */
  async pauseFor(work: () => Promise<void>): Promise<void> {
    this.#isPaused = true;
    const done = Promise.resolve(this.#running).then(() => {
      this.#last = undefined;
      return work();
    });
    this.#paused = done.catch(() => undefined);
    try {
      await done;
    } finally {
      this.#isPaused = false;
    }
    this.#entriesSince = 0;
    this.#logBytesSince = 0;
  }

  /** Waits for a snapshot that is being written, and for work that it was paused for: both use the log. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.#paused;
  }

  async #take(): Promise<void> {
    if (this.#isStopped) return;
    const startMs = this.#clock.nowMs();
    this.#entriesSince = 0;
    this.#logBytesSince = 0;
    const metadata = await this.#write(this.#last);
    await this.#wal.appendSnapshotMark(metadata);
    this.#wal.release(metadata.index);
    const durationMs = this.#clock.nowMs() - startMs;
    await this.#store.removeBefore(metadata.index, this.#pace);
    this.#onSaved(durationMs);
    this.#log.info("saved snapshot", {
      index: metadata.index,
      sizeBytes: this.#lastSizeBytes,
      tookMs: Math.round(durationMs),
    });
  }

  /** Takes over what the last snapshot holds, unless there is none or it cannot be read. */
  async #write(last: SavedState | undefined): Promise<SnapshotMetadata> {
    const { metadata, state } = this.#open(last?.extent);
    const { extent, isContinued = false } = state;
    const earlier =
      last !== undefined && isContinued
        ? new EarlierRecords(() => this.#store.open(last.metadata), last.extent.headChunks)
        : undefined;
    const chunks = earlier?.continuedBy(state.chunks, extent?.headChunks ?? 0) ?? state.chunks;
    try {
      this.#lastSizeBytes = await this.#store.write(metadata, this.#unhurried(chunks));
    } catch (error) {
      if (earlier?.failure === undefined) throw error;
    } finally {
      state.close();
    }
    if (earlier?.failure !== undefined) {
      // Damage to the old file is no harm to the new one: the state is in memory.
      this.#log.error("cannot read the last snapshot; writing all of the next one", {
        reason: String(earlier.failure),
      });
      return await this.#write(undefined);
    }
    this.#last = extent === undefined ? undefined : { metadata, extent };
    return metadata;
  }

  /** After each chunk a rest, unless somebody waits for the end. */
  async *#unhurried(chunks: EventualItems<Uint8Array>): AsyncGenerator<Uint8Array> {
    let fromMs = this.#clock.nowMs();
    for await (const chunk of chunks) {
      yield chunk;
      await rest(this.#pace, fromMs, CHUNK_REST_FACTOR, CHUNK_REST_MS_MAX);
      fromMs = this.#clock.nowMs();
    }
  }
}
