import type { Clock } from "../../lib/clock.ts";
import type { Entry } from "../raft/index.ts";

/** Bounds of one hold: what its entries may take in memory, and how long a member may need for a snapshot. */
export const logHoldLimits = { bytesMax: 268_435_456, ageMsMax: 600_000 } as const;

/** What an entry takes beside its command. */
const ENTRY_OVERHEAD_BYTES = 256;

interface Hold {
  /** The snapshot goes as far as this entry. */
  readonly index: number;
  readonly beganMs: number;
  bytes: number;
}

/**
 * Keeps the log of a leader behind the snapshots that it has sent, until their receivers follow by the log. Without it
 * a snapshot that takes longer than the log reaches back would be followed by another, and that one by the next.
 */
export class LogHolds {
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #isReplicating: (peer: bigint) => boolean;
  readonly #holds = new Map<bigint, Hold>();

  /** `isReplicating`: this member leads, and the peer follows by the log. */
  constructor(clock: Pick<Clock, "nowMs">, isReplicating: (peer: bigint) => boolean) {
    this.#clock = clock;
    this.#isReplicating = isReplicating;
  }

  /** A snapshot up to `index` begins to go to `peer`. */
  begin(peer: bigint, index: number): void {
    this.#holds.set(peer, { index, beganMs: this.#clock.nowMs(), bytes: 0 });
  }

  /** These entries came to the log. */
  applied(entries: readonly Entry[]): void {
    if (this.#holds.size === 0) return;
    let bytes = 0;
    for (const entry of entries) bytes += entry.data.length + ENTRY_OVERHEAD_BYTES;
    for (const hold of this.#holds.values()) hold.bytes += bytes;
  }

  /** Up to which index the log may be dropped: `index`, or less. */
  droppable(index: number): number {
    let droppable = index;
    for (const [peer, hold] of this.#holds) {
      const isOver =
        hold.bytes > logHoldLimits.bytesMax ||
        this.#clock.nowMs() - hold.beganMs > logHoldLimits.ageMsMax ||
        this.#isReplicating(peer);
      if (isOver) this.#holds.delete(peer);
      else droppable = Math.min(droppable, hold.index);
    }
    return droppable;
  }
}
