import type { Clock, Timer } from "../../lib/clock.ts";
import { type RawNode, role } from "../raft/index.ts";

/** Rounds in which every voter has its turn, before the election time-out alone decides. */
const ROUNDS_MAX = 3;

export interface LeaderLossOptions {
  readonly memberId: bigint;
  readonly raw: RawNode;
  readonly clock: Clock;
  readonly wake: () => void;
  /** Between the turns of two voters: a heartbeat, within which an election is over. */
  readonly turnMs: number;
}

/**
 * The process of the leader is known to be gone: this member forgets the leader and stands for election in its turn
 * (by id, so that no two stand at once), in place of waiting for the election time-out. Wrong news harms nobody: a
 * member that still hears the leader refuses its pre-vote (Raft thesis 9.6), and the next heartbeat of a leader that
 * lives after all is followed again.
 */
export class LeaderLoss {
  readonly #options: LeaderLossOptions;
  #timer: Timer | undefined;
  #roundsLeft = 0;

  constructor(options: LeaderLossOptions) {
    this.#options = options;
  }

  /** Nothing happens unless `peer` is the leader that this member follows. */
  gone(peer: bigint): void {
    const { raw, clock, wake, memberId, turnMs } = this.#options;
    if (raw.leader !== peer || peer === memberId) return;
    raw.forgetLeader();
    wake();
    const { voters, votersOutgoing } = raw.confState;
    const others = [...new Set([...voters, ...votersOutgoing])].filter((id) => id !== peer).sort(byId);
    const turn = others.indexOf(memberId);
    if (turn < 0) return;
    this.stop();
    this.#roundsLeft = ROUNDS_MAX;
    this.#timer = clock.after(turn * turnMs, () => this.#stand(others.length * turnMs));
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #stand(roundMs: number): void {
    const { raw, clock, wake } = this.#options;
    this.#timer = undefined;
    if (raw.leader !== 0n) return;
    // A candidate is in the middle of an election: another would take away the votes of this one.
    if (raw.role === role.follower || raw.role === role.preCandidate) raw.campaign();
    wake();
    this.#roundsLeft--;
    if (this.#roundsLeft > 0) this.#timer = clock.after(roundMs, () => this.#stand(roundMs));
  }
}

function byId(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
