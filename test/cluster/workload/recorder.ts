import { MetaStoreError } from "../../../src/client/index.ts";
import type {
  LeaseHistory,
  ModelRequest,
  ModelResponse,
  Operation,
  SerializableRead,
  WatchHistory,
} from "../../checkers/index.ts";
import { EventLog } from "../checks/event-log.ts";

/** "notApplied": failed, surely without effect. */
export type OutcomeKind = "ok" | "refused" | "unknown" | "notApplied";
export type OutcomeCounts = Record<OutcomeKind, number>;

/** Texts by which the state itself refuses: the answer is the same on every member. */
const stateRefusals = new Set([
  "leaseNotFound",
  "leaseExists",
  "compacted",
  "futureRevision",
  "keyNotFound",
  "leaseTtlTooLarge",
]);

/** What all clients of one run did and saw, on one clock. */
export class Recorder {
  readonly operations: Operation[] = [];
  readonly serializableReads: SerializableRead[] = [];
  readonly watches: WatchHistory[] = [];
  readonly leases: LeaseHistory[] = [];
  readonly log = new EventLog();
  readonly counts = new Map<string, OutcomeCounts>();
  /** Texts of failures, with how often each came. */
  readonly errors = new Map<string, number>();
  /** Failures after which a retry makes no sense, with their text: none is expected. */
  readonly finalErrors: string[] = [];
  #clients = 0;
  #serial = 0;
  #leases = 0;

  /** A number that no client had before. A client whose last operation may still happen goes on under a new one. */
  newClient(): number {
    this.#clients += 1;
    return this.#clients;
  }

  newValue(): string {
    this.#serial += 1;
    return `v${this.#serial}`;
  }

  newLease(): bigint {
    this.#leases += 1;
    return BigInt(7_000_000 + this.#leases);
  }

  get acknowledged(): number {
    return [...this.counts.values()].reduce((sum, counts) => sum + counts.ok, 0);
  }

  /** When the first write called after `sinceMs` was acknowledged. */
  firstWriteAfter(sinceMs: number): number | undefined {
    const writes = this.operations.filter(
      ({ callMs, response }) => callMs >= sinceMs && response?.kind === "txn" && response.succeeded,
    );
    return writes.length === 0 ? undefined : Math.min(...writes.map(({ returnMs }) => returnMs));
  }

  count(kind: string, outcome: OutcomeKind): void {
    const counts = this.counts.get(kind) ?? { ok: 0, refused: 0, unknown: 0, notApplied: 0 };
    counts[outcome] += 1;
    this.counts.set(kind, counts);
  }

  /** Sends an operation and records what came of it; undefined: no answer. */
  async perform(
    kind: string,
    client: number,
    request: ModelRequest,
    send: () => Promise<ModelResponse>,
  ): Promise<{ outcome: OutcomeKind; response: ModelResponse | undefined }> {
    const callMs = performance.now();
    const record = (returnMs: number, response: ModelResponse | undefined): void => {
      this.operations.push({ client, callMs, returnMs, request, response });
    };
    try {
      const response = await send();
      record(performance.now(), response);
      this.count(kind, "ok");
      return { outcome: "ok", response };
    } catch (error) {
      const outcome = this.failed(kind, error);
      if (outcome === "unknown") record(Number.POSITIVE_INFINITY, undefined);
      if (outcome !== "refused") return { outcome, response: undefined };
      const response: ModelResponse = { kind: "refused", error: (error as Error).message };
      record(performance.now(), response);
      return { outcome, response };
    }
  }

  /** Counts a failure and says what it leaves behind. Anything but an error of the client library is thrown on. */
  failed(kind: string, error: unknown): OutcomeKind {
    if (!(error instanceof MetaStoreError)) throw error;
    const isRefusal = error.etcdCode !== undefined && stateRefusals.has(error.etcdCode);
    const outcome = isRefusal ? "refused" : error.outcome === "unknown" ? "unknown" : "notApplied";
    this.count(kind, outcome);
    const text = errorText(error);
    this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
    if (!isRefusal && !isRetryable(error)) this.finalErrors.push(text);
    return outcome;
  }
}

/** Without what differs from case to case. */
function errorText(error: MetaStoreError): string {
  const text = error.message.replaceAll(/127\.0\.0\.1:\d+/g, "member").replaceAll(/\d+(\.\d+)?s/g, "Ns");
  return `${error.code}: ${text.split("\n")[0]}`;
}

/**
 * A learner refuses until it is promoted, a dropped proposal found no leader; the last two are what etcd says while it
 * stops, and what it makes of a
 * client's deadline that it saw pass first.
 */
const retryableTexts = [
  /rpc not supported for learner/,
  /raft proposal dropped/,
  /context deadline exceeded/,
];
/** Of a server that dies while it answers; and of renewals, which the client library gives up for good. */
const retryableCodes = new Set(["CANCELLED", "DEADLINE_EXCEEDED"]);

function isRetryable(error: MetaStoreError): boolean {
  if (error.retryable || retryableCodes.has(error.code)) return true;
  return retryableTexts.some((text) => text.test(error.message));
}
