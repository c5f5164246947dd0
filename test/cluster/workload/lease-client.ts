import { setTimeout as sleep } from "node:timers/promises";
import { createPrng, type Prng } from "../../../src/lib/prng.ts";
import type { LeaseHistory, LeaseObservation, ModelRequest, ModelResponse } from "../../checkers/index.ts";
import type { Cluster, Member } from "../harness/index.ts";
import { CALL_TIMEOUT_MS, Connections } from "./connections.ts";
import { execute } from "./execute.ts";
import type { Recorder } from "./recorder.ts";

export interface LeaseClientOptions {
  readonly cluster: Cluster;
  readonly recorder: Recorder;
  readonly seed: number;
}

type Renewal = LeaseHistory["renewals"][number];

/** etcd's smallest TTL with the default election time-out. */
const TTL_SECONDS_MIN = 2;

/** Grants short leases, puts a key with each, renews it for a while and lets go of it: the key must stay so long and go then. */
export class LeaseClient {
  readonly #recorder: Recorder;
  readonly #prng: Prng;
  readonly #connections: Connections;
  #client: number;
  #live = new Set<string>();

  constructor(options: LeaseClientOptions) {
    this.#recorder = options.recorder;
    this.#prng = createPrng(options.seed);
    this.#connections = new Connections(options.cluster, this.#prng);
    this.#client = options.recorder.newClient();
  }

  /** Keys whose lease has not taken them yet. */
  get liveKeys(): readonly string[] {
    return [...this.#live];
  }

  async run(isStopped: () => boolean): Promise<void> {
    try {
      while (!isStopped()) {
        await this.#oneLease(isStopped);
        await sleep(this.#prng.below(300));
      }
    } finally {
      this.#connections.close();
    }
  }

  async #oneLease(isStopped: () => boolean): Promise<void> {
    const lease = String(this.#recorder.newLease());
    const key = `l/${lease}`;
    const ttlSeconds = TTL_SECONDS_MIN + this.#prng.below(3);
    const grantCallMs = performance.now();
    const granted = await this.#perform("leaseGrant", { kind: "leaseGrant", lease, ttlSeconds });
    if (granted?.kind !== "done") return;
    const grant = { callMs: grantCallMs, returnMs: performance.now() };
    const value = this.#recorder.newValue();
    const put = { kind: "put", key, value, lease } as const;
    const observations: LeaseObservation[] = [];
    const renewals: Renewal[] = [];
    this.#recorder.leases.push({ lease, ttlSeconds, grant, renewals, revokes: [], observations });
    this.#recorder.log.onDeletion(key, (atMs) => {
      observations.push({ kind: "gone", atMs });
      this.#live.delete(key);
    });
    this.#live.add(key);
    const written = await this.#perform("put", { kind: "txn", compares: [], success: [put], failure: [] });
    if (written?.kind !== "txn") {
      // Whether the key is there is not known; what is not there does not go.
      this.#live.delete(key);
      return;
    }
    for (let left = this.#prng.below(5); left > 0 && !isStopped(); left--) {
      await sleep((ttlSeconds * 1_000) / 3);
      if (!this.#live.has(key)) return;
      renewals.push(await this.#renew(lease));
      await this.#look(key, observations);
    }
  }

  async #renew(lease: string): Promise<Renewal> {
    const member = this.#connections.pick();
    const callMs = performance.now();
    try {
      await this.#connections.to(member).lease.keepAliveOnce(BigInt(lease), { timeoutMs: CALL_TIMEOUT_MS });
      this.#recorder.count("leaseKeepAlive", "ok");
      return { callMs, returnMs: performance.now(), outcome: "renewed" };
    } catch (error) {
      // The client library calls a renewal that failed "not applied", but the lease may have been renewed.
      const isRefused = this.#recorder.failed("leaseKeepAlive", error) === "refused";
      if (isRefused) return { callMs, returnMs: performance.now(), outcome: "gone" };
      this.#connections.avoid(member);
      return { callMs, returnMs: Number.POSITIVE_INFINITY, outcome: "unknown" };
    }
  }

  async #look(key: string, observations: LeaseObservation[]): Promise<void> {
    const callMs = performance.now();
    const answer = await this.#perform("range", { kind: "range", key, rangeEnd: "", revision: 0 });
    if (answer?.kind !== "range") return;
    if (answer.kvs.length > 0) observations.push({ kind: "alive", atMs: callMs });
    else observations.push({ kind: "gone", atMs: performance.now() });
  }

  async #perform(kind: string, request: ModelRequest): Promise<ModelResponse | undefined> {
    const member: Member = this.#connections.pick();
    const { outcome, response } = await this.#recorder.perform(kind, this.#client, request, () =>
      execute(this.#connections.to(member), request, { timeoutMs: CALL_TIMEOUT_MS }),
    );
    if (outcome === "unknown") this.#client = this.#recorder.newClient();
    if (outcome === "unknown" || outcome === "notApplied") this.#connections.avoid(member);
    return response;
  }
}
