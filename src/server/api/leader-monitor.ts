import type { Clock, Timer } from "../../lib/clock.ts";
import type { ServerNode } from "../node/index.ts";

/** Looks without a leader in a row after which streams that require one are cancelled (etcd's count). */
const LOOKS_WITHOUT_LEADER_MAX = 3;

/**
 * Cancels the streams that carry `hasleader: true` when the member has had no leader at three looks in a row, one
 * election timeout apart (semantics-watch-lease A1). It looks only while there are such streams.
 */
export class LeaderMonitor {
  readonly #node: Pick<ServerNode, "leaderId">;
  readonly #clock: Clock;
  readonly #electionTimeoutMs: number;
  readonly #cancels = new Set<() => void>();
  #timer: Timer | undefined;
  #looksWithoutLeader = 0;

  constructor(node: Pick<ServerNode, "leaderId">, clock: Clock, electionTimeoutMs: number) {
    this.#node = node;
    this.#clock = clock;
    this.#electionTimeoutMs = electionTimeoutMs;
  }

  /** Runs `cancel` at most once; the answer takes it back. */
  watch(cancel: () => void): () => void {
    this.#cancels.add(cancel);
    this.#timer ??= this.#clock.every(this.#electionTimeoutMs, () => this.#look());
    return () => {
      this.#cancels.delete(cancel);
      this.#stopWhenIdle();
    };
  }

  #look(): void {
    this.#looksWithoutLeader = this.#node.leaderId === 0n ? this.#looksWithoutLeader + 1 : 0;
    if (this.#looksWithoutLeader < LOOKS_WITHOUT_LEADER_MAX) return;
    const cancels = [...this.#cancels];
    this.#cancels.clear();
    for (const cancel of cancels) cancel();
    this.#stopWhenIdle();
  }

  #stopWhenIdle(): void {
    if (this.#cancels.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#looksWithoutLeader = 0;
  }
}
