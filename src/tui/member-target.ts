import { toHexId } from "../cli/index.ts";
import type { ConnectOptions, Endpoint, MetaStoreClient, StatusResponse } from "../client/index.ts";
import type { MemberMetrics, MemberStatus } from "./cluster-sample.ts";
import { failureText } from "./failure-text.ts";
import { plainText } from "./format.ts";
import type { MetricsRequester } from "./metrics-request.ts";
import { parseMetrics } from "./metrics-text.ts";

type Library = Pick<typeof import("../client/index.ts"), "connect" | "parseEndpoints">;

/** What one target answered last. */
export interface TargetAnswer {
  readonly memberId: string | undefined;
  readonly clusterId: string | undefined;
  readonly status: MemberStatus | undefined;
  readonly failure: string | undefined;
  readonly answerMs: number | undefined;
  readonly metrics: MemberMetrics | undefined;
}

/** Rendering them costs the member a few milliseconds: no more often than this. */
const metricsIntervalMsMin = 900;
/** How long a member without metrics is left in peace. */
const metricsRetryMs = 10_000;

/** The address, or addresses, of one member, with a client of its own: no other member's silence delays it. */
export class MemberTarget {
  readonly client: MetaStoreClient;
  readonly endpoints: readonly Endpoint[];
  /** The member that answered here last. */
  memberId: string | undefined;
  isAnswering = false;
  readonly #requester: MetricsRequester;
  readonly #isTls: boolean;
  #asking: Promise<TargetAnswer> | undefined;
  #answer: TargetAnswer | undefined;
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #metrics: MemberMetrics | undefined;
  #metricsDueMs = Number.NEGATIVE_INFINITY;

  /** @throws UsageError when an address is none */
  constructor(
    library: Library,
    options: ConnectOptions,
    addresses: readonly string[],
    requester: MetricsRequester,
  ) {
    this.endpoints = library.parseEndpoints(addresses);
    this.client = library.connect({ ...options, endpoints: addresses, retryRoundsMax: 1 });
    this.#requester = requester;
    this.#isTls = options.tls !== undefined;
  }

  /**
   * The latest answer, after waiting up to `patienceMs` for a new one. A call that takes longer goes on, up to
   * `timeoutMs`, and the next look picks its answer up; an earlier answer stands for as long. So neither a slow
   * member nor a moment in which this very process is held up makes a member look lost.
   */
  async look(patienceMs: number, timeoutMs: number): Promise<TargetAnswer> {
    this.#asking ??= this.#ask(timeoutMs).finally(() => {
      this.#asking = undefined;
    });
    const fresh = await within(this.#asking, patienceMs);
    if (fresh !== undefined) return fresh;
    const silentMs = performance.now() - this.#answeredAtMs;
    if (this.#answer?.status !== undefined && silentMs <= timeoutMs) return this.#answer;
    this.isAnswering = false;
    return this.#failed(this.#answer?.failure ?? "no answer in time");
  }

  close(): void {
    this.client.close();
  }

  async #ask(timeoutMs: number): Promise<TargetAnswer> {
    const startedMs = performance.now();
    const outcome = await this.client.maintenance.status({ timeoutMs }).then(
      (response) => ({ response, answerMs: performance.now() - startedMs }),
      (error: Error) => error,
    );
    const isFirst = !this.isAnswering;
    this.isAnswering = !(outcome instanceof Error);
    if (outcome instanceof Error) {
      // It may come back as a new process: no reason to wait with its metrics then.
      this.#metrics = undefined;
      this.#metricsDueMs = Number.NEGATIVE_INFINITY;
      this.#answer = this.#failed(failureText(outcome));
      return this.#answer;
    }
    const { response, answerMs } = outcome;
    const { header } = response;
    this.memberId = header === undefined ? undefined : toHexId(header.memberId);
    const metrics = await this.#askMetrics(timeoutMs);
    this.#answeredAtMs = performance.now();
    this.#answer = {
      memberId: this.memberId,
      clusterId: header === undefined ? undefined : toHexId(header.clusterId),
      status: toStatus(response),
      failure: undefined,
      // The first answer waited for the connection as well.
      answerMs: isFirst ? undefined : answerMs,
      metrics,
    };
    return this.#answer;
  }

  #failed(failure: string): TargetAnswer {
    return {
      memberId: this.memberId,
      clusterId: undefined,
      status: undefined,
      failure,
      answerMs: undefined,
      metrics: undefined,
    };
  }

  async #askMetrics(timeoutMs: number): Promise<MemberMetrics | undefined> {
    const url = metricsUrl(this.endpoints[0]!, this.#isTls);
    const nowMs = performance.now();
    if (url === undefined || nowMs < this.#metricsDueMs) return this.#metrics;
    const text = await this.#requester.request(url, timeoutMs);
    this.#metrics = text === undefined ? undefined : parseMetrics(text);
    this.#metricsDueMs = nowMs + (text === undefined ? metricsRetryMs : metricsIntervalMsMin);
    return this.#metrics;
  }
}

/** What `promise` resolves with, or undefined when that takes longer than `durationMs`. */
async function within<T>(promise: Promise<T>, durationMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, durationMs, undefined);
  });
  try {
    return await Promise.race([promise, patience]);
  } finally {
    clearTimeout(timer);
  }
}

function metricsUrl({ name, target, secure }: Endpoint, isTls: boolean): string | undefined {
  if (target.startsWith("unix:")) return undefined;
  return `${(secure ?? isTls) ? "https" : "http"}://${name}/metrics`;
}

function toStatus(response: StatusResponse): MemberStatus {
  return {
    version: plainText(response.version),
    leaderId: response.leader === 0n ? undefined : toHexId(response.leader),
    term: response.raftTerm,
    revision: response.header?.revision ?? 0,
    index: response.raftIndex,
    applied: response.raftAppliedIndex,
    isLearner: response.isLearner,
    dbSizeBytes: response.dbSize,
    inUseBytes: response.dbSizeInUse,
    quotaBytes: response.dbSizeQuota,
    errors: response.errors.map(plainText),
  };
}
