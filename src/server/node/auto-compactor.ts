import type { Clock, Timer } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { ServerNode } from "./types.ts";

/** What automatic compaction keeps (flags --auto-compaction-mode and -retention). */
export type AutoCompactionPolicy =
  | { readonly kind: "periodic"; readonly retentionMs: number }
  | { readonly kind: "revision"; readonly retentionRevisions: number };

const HOUR_MS = 3_600_000;
const SAMPLES_PER_PERIOD = 10;
const REVISION_CHECK_MS = 300_000;

type CompactedNode = Pick<ServerNode, "memberId" | "leaderId" | "propose"> & {
  readonly kv: { readonly currentRevision: number };
};

/**
 * Compacts by itself, on the leader only (semantics-kv-mvcc 6). Periodic: notes the revision ten times a period and
 * compacts to the one noted a full retention ago, every period or every hour, whichever is shorter. Revision: every
 * five minutes down to the newest `retentionRevisions`.
 */
export class AutoCompactor {
  readonly #node: CompactedNode;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #policy: AutoCompactionPolicy;
  #timer: Timer | undefined;
  /** Revisions noted, oldest first, one per sampling interval. */
  #samples: number[] = [];
  #lastCompactMs: number;
  #lastRevision = 0;

  constructor(node: CompactedNode, policy: AutoCompactionPolicy, clock: Clock, log: Log) {
    this.#node = node;
    this.#policy = policy;
    this.#clock = clock;
    this.#log = log;
    this.#lastCompactMs = clock.nowMs();
  }

  start(): void {
    const policy = this.#policy;
    this.#timer =
      policy.kind === "revision"
        ? this.#clock.every(REVISION_CHECK_MS, () =>
            this.#compact(this.#node.kv.currentRevision - policy.retentionRevisions),
          )
        : this.#clock.every(compactEveryMs(policy.retentionMs) / SAMPLES_PER_PERIOD, () =>
            this.#sample(policy.retentionMs),
          );
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #sample(retentionMs: number): void {
    const everyMs = compactEveryMs(retentionMs);
    const samplesKept = Math.ceil(retentionMs / (everyMs / SAMPLES_PER_PERIOD));
    this.#samples.push(this.#node.kv.currentRevision);
    if (this.#samples.length > samplesKept) this.#samples = this.#samples.slice(-samplesKept);
    if (this.#samples.length < samplesKept || this.#clock.nowMs() - this.#lastCompactMs < everyMs) return;
    this.#lastCompactMs = this.#clock.nowMs();
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

function compactEveryMs(retentionMs: number): number {
  return Math.min(retentionMs, HOUR_MS);
}
