import type { Clock } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import type { RawNode } from "../raft/index.ts";
import type { Membership } from "../state/index.ts";

/** Hands leadership to another member: on request, and before this member goes. */
export class LeaderTransfer {
  readonly #memberId: bigint;
  readonly #raw: RawNode;
  readonly #membership: Membership;
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #connectedSinceMs: (member: bigint) => number | undefined;
  readonly #pollMs: number;

  constructor(options: {
    readonly memberId: bigint;
    readonly raw: RawNode;
    readonly membership: Membership;
    readonly clock: Clock;
    readonly wake: () => void;
    readonly connectedSinceMs: (member: bigint) => number | undefined;
    /** How often to look whether the other leads. */
    readonly pollMs: number;
  }) {
    this.#memberId = options.memberId;
    this.#raw = options.raw;
    this.#membership = options.membership;
    this.#clock = options.clock;
    this.#wake = options.wake;
    this.#connectedSinceMs = options.connectedSinceMs;
    this.#pollMs = options.pollMs;
  }

  /** Resolves when `target` leads. Rejects with notLeader, badLeaderTransferee, leaderTransferTimeout. */
  async to(target: bigint, timeoutMs: number): Promise<void> {
    if (!this.#raw.isLeader) throw new RequestError("notLeader");
    if (this.#membership.get(target)?.isLearner !== false) throw new RequestError("badLeaderTransferee");
    if (target === this.#memberId) return;
    this.#raw.transferLeader(target);
    this.#wake();
    const endMs = this.#clock.nowMs() + timeoutMs;
    while (this.#raw.leader !== target) {
      if (this.#clock.nowMs() >= endMs) throw new RequestError("leaderTransferTimeout");
      await new Promise<void>((resolve) => this.#clock.after(this.#pollMs, resolve));
    }
  }

  /** Before this member goes: to the connected voter that has the most of the log. Nothing to do without one. */
  async away(timeoutMs: number): Promise<void> {
    if (!this.#raw.isLeader) return;
    const candidates = this.#raw
      .status()
      .peers.filter(
        ({ id, isLearner }) =>
          id !== this.#memberId && !isLearner && this.#connectedSinceMs(id) !== undefined,
      )
      .sort((left, right) => right.match - left.match);
    const best = candidates[0];
    if (best !== undefined) await this.to(best.id, timeoutMs);
  }
}
