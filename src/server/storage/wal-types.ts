import type { Clock } from "../../lib/clock.ts";
import type { StorageFailure } from "../../lib/errors.ts";
import type { Fs } from "../../lib/fs.ts";
import type { Log } from "../../lib/log.ts";
import type { Entry, HardState } from "../raft/index.ts";
import type { LiveSegment } from "./wal-recovery.ts";

export interface WalOptions {
  readonly fs: Fs;
  readonly clock: Clock;
  readonly log: Log;
  /** Must exist. */
  readonly directory: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Size of a segment file; a multiple of 512, at least 4096. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** Quiet time after which the log states that all before is durable. Default 50. */
  readonly idleMarkerMs?: number;
  /** Called after each durable write of records. */
  readonly onSync?: (sync: WalSync) => void;
  /** The disk failed: called once; nothing is acknowledged from then on. */
  readonly onFailure: (failure: StorageFailure) => void;
}

export interface WalSync {
  readonly entries: number;
  readonly bytes: number;
  readonly durationMs: number;
}

/** Counts since the log was opened. */
export interface WalStats {
  readonly syncs: number;
  readonly entries: number;
  readonly bytes: number;
  readonly lastSyncMs: number;
  readonly totalSyncMs: number;
  readonly segments: number;
}

/** What must be durable together. */
export interface WalBatch {
  readonly hardState: HardState | undefined;
  /** Consecutive indexes; the first at most one above the last entry. A lower one replaces the log from there. */
  readonly entries: readonly Entry[];
  /** Done means that the commit index, too, is on disk, though nothing else is new. */
  readonly isCommitAwaited?: boolean;
}

/** What opening the log found out, for the log to go on from. */
export interface WalState {
  readonly segments: LiveSegment[];
  readonly hardState: HardState;
  readonly lastIndex: number;
  readonly marks: readonly PlacedIndex[];
}

/** A snapshot mark's index and the segment that holds it. */
export interface PlacedIndex {
  readonly index: number;
  readonly segmentSequence: number;
}
