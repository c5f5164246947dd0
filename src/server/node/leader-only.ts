import type { Clock } from "../../lib/clock.ts";
import { type ErrorName, RequestError } from "../../lib/errors.ts";
import type { RawNode } from "../raft/index.ts";

export interface LeaderOnlyOptions {
  readonly raw: Pick<RawNode, "isLeader" | "leader">;
  readonly clock: Clock;
  /** How long the work is tried, and the pause before the next try. */
  readonly timeoutMs: number;
  readonly retryMs: number;
  /** This member answers nothing any more. */
  readonly isEnded: () => boolean;
}

/** What only the leader can do. */
export class LeaderOnly {
  readonly #options: LeaderOnlyOptions;

  constructor(options: LeaderOnlyOptions) {
    this.#options = options;
  }

  /**
   * Done here when this member leads, else `there`; again while leadership changes. Rejects with stopped, with timeout,
   * and with what the work rejects with.
   */
  async done<T>(here: () => Promise<T>, there: (leader: bigint) => Promise<T>): Promise<T> {
    const { raw, clock, timeoutMs, retryMs, isEnded } = this.#options;
    const endMs = clock.nowMs() + timeoutMs;
    for (;;) {
      if (isEnded()) throw new RequestError("stopped");
      try {
        if (raw.isLeader) return await here();
        if (raw.leader !== 0n) return await there(raw.leader);
      } catch (error) {
        if (!(error instanceof RequestError) || !isWithoutLeader(error.code)) throw error;
      }
      if (clock.nowMs() >= endMs) throw new RequestError("timeout");
      await new Promise<void>((resolve) => clock.after(retryMs, resolve));
    }
  }

  /** Done here, for another member that asks. Rejects with notLeader where this one does not lead. */
  async here<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#options.raw.isLeader) throw new RequestError("notLeader");
    return await work();
  }
}

/** The error says that somebody else leads, or nobody: another try may find who. */
function isWithoutLeader(code: ErrorName): boolean {
  return (
    code === "notLeader" ||
    code === "notPrimaryLessor" ||
    code === "leaderChanged" ||
    code === "timeoutConnectionLost"
  );
}
