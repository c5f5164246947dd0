import type { Clock, Timer } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { ServerNode } from "./types.ts";

/** What automatic compaction keeps (flags --auto-compaction-mode and -retention). */
export type AutoCompactionPolicy =
  | { readonly kind: "periodic"; readonly retentionMs: number }
  | { readonly kind: "revision"; readonly retentionRevisions: number };

const HOUR_MS = 3_600_000;
/** What is kept beyond what was asked for is a fifth of it, for a walk over all that is kept each time. */
const COMPACTIONS_PER_RETENTION = 5;
/** As etcd; earlier when so many revisions are kept beyond the retention, where a fifth of it is less. */
const REVISION_COMPACT_MS = 300_000;
const REVISIONS_BEYOND_MIN = 10_000;
const REVISION_LOOK_MS = 1_000;

type CompactedNode = Pick<ServerNode, "memberId" | "leaderId" | "propose"> & {
  readonly kv: { readonly currentRevision: number; readonly compactRevision: number };
};

/**
 * Compacts by itself, on the leader only (semantics-kv-mvcc 6). Periodic: notes the revision five times a period, or an
 * hour where that is shorter, and compacts to the one noted a full period ago. Revision: down to the newest
 * `retentionRevisions` every five minutes, and whenever there are a fifth more. etcd compacts once a period, which may make
 * it two, and every five minutes only, in which a store that is written to gets millions of revisions.
 */
export class AutoCompactor {
  readonly #node: CompactedNode;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #policy: AutoCompactionPolicy;
  #timer: Timer | undefined;
  /** Revisions noted, oldest first, one per interval. */
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
    if (policy.kind === "revision") {
      this.#timer = this.#clock.every(REVISION_LOOK_MS, () => this.#look(policy.retentionRevisions));
      return;
    }
    const everyMs = Math.min(policy.retentionMs, HOUR_MS) / COMPACTIONS_PER_RETENTION;
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

  #look(retentionRevisions: number): void {
    const { currentRevision, compactRevision } = this.#node.kv;
    const revision = currentRevision - retentionRevisions;
    const beyondMax = Math.max(retentionRevisions / COMPACTIONS_PER_RETENTION, REVISIONS_BEYOND_MIN);
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#lastCompactMs < REVISION_COMPACT_MS && revision - compactRevision < beyondMax) return;
    this.#lastCompactMs = nowMs;
    this.#compact(revision);
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
