import type { Clock, Timer } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { ServerNode } from "./types.ts";

/** What automatic compaction keeps (flags --auto-compaction-mode and -retention). */
export type AutoCompactionPolicy =
  | { readonly kind: "periodic"; readonly retentionMs: number }
  | { readonly kind: "revision"; readonly retentionRevisions: number };

const HOUR_MS = 3_600_000;
/** What is kept beyond the period is a fifth of it, for a walk over what is kept each time. */
const COMPACTIONS_PER_PERIOD = 5;
const REVISION_CHECK_MS = 300_000;

type CompactedNode = Pick<ServerNode, "memberId" | "leaderId" | "propose"> & {
  readonly kv: { readonly currentRevision: number };
};

/**
 * Compacts by itself, on the leader only (semantics-kv-mvcc 6). Periodic: notes the revision five times a period, or an
 * hour where that is shorter, and compacts to the one noted a full period ago. etcd does so once a period, and has up to
 * two periods of history. Revision: every five minutes down to the newest `retentionRevisions`.
 */
export class AutoCompactor {
  readonly #node: CompactedNode;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #policy: AutoCompactionPolicy;
  #timer: Timer | undefined;
  /** Revisions noted, oldest first, one per interval. */
  #samples: number[] = [];
  #lastRevision = 0;

  constructor(node: CompactedNode, policy: AutoCompactionPolicy, clock: Clock, log: Log) {
    this.#node = node;
    this.#policy = policy;
    this.#clock = clock;
    this.#log = log;
  }

  start(): void {
    const policy = this.#policy;
    if (policy.kind === "revision") {
      this.#timer = this.#clock.every(REVISION_CHECK_MS, () =>
        this.#compact(this.#node.kv.currentRevision - policy.retentionRevisions),
      );
      return;
    }
    const everyMs = Math.min(policy.retentionMs, HOUR_MS) / COMPACTIONS_PER_PERIOD;
    const intervals = Math.ceil(policy.retentionMs / everyMs);
    this.#samples = [this.#node.kv.currentRevision];
    this.#timer = this.#clock.every(everyMs, () => this.#sample(intervals));
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** The oldest of so many and one is a period old. */
  #sample(intervals: number): void {
    this.#samples.push(this.#node.kv.currentRevision);
    if (this.#samples.length <= intervals) return;
    this.#samples = this.#samples.slice(-intervals - 1);
    this.#compact(this.#samples[0]!);
  }

  #compact(revision: number): void {
    if (this.#node.leaderId !== this.#node.memberId) return;
    if (revision <= 0 || revision === this.#lastRevision) return;
    const mode = this.#policy.kind;
    this.#log.info(`starting auto ${mode} compaction`, { revision });
    this.#node.propose({ kind: "compaction", request: { revision, physical: false } }).then(
      () => {
        this.#lastRevision = revision;
        this.#log.info(`completed auto ${mode} compaction`, { revision });
      },
      (error: Error) => {
        // Somebody compacted further already: there is nothing to do.
        if (error instanceof RequestError && error.code === "compacted") this.#lastRevision = revision;
        else this.#log.warn(`failed auto ${mode} compaction`, { revision, error: error.message });
      },
    );
  }
}
