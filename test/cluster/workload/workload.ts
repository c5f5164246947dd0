import { createPrng } from "../../../src/lib/prng.ts";
import type { Cluster, Member } from "../harness/index.ts";
import { until } from "../harness/index.ts";
import { CALL_TIMEOUT_MS } from "./connections.ts";
import { execute } from "./execute.ts";
import { chaosMix, KEY_PREFIX, KEY_PREFIX_END, KeyClient, type OperationMix } from "./key-client.ts";
import { LeaseClient } from "./lease-client.ts";
import { Recorder } from "./recorder.ts";
import { WatchClient } from "./watch-client.ts";

export interface WorkloadOptions {
  readonly clients: number;
  readonly seed: number;
  readonly mix?: OperationMix;
  readonly keyCount?: number;
  readonly pauseMs?: number;
  /** Clients with short leases, besides. */
  readonly leaseClients?: number;
  /** Watches besides the one that keeps the log. */
  readonly watchers?: number;
  readonly areReadsStale?: boolean;
  /** Whom the key clients talk to. */
  readonly members?: () => readonly Member[];
}

const ALL_KEYS = "\0";

/** Clients of every kind against one cluster, from start() to stop(). */
export class Workload {
  readonly recorder = new Recorder();
  readonly startedMs = performance.now();
  readonly #scribe: WatchClient;
  readonly #watchers: WatchClient[] = [];
  readonly #leaseClients: LeaseClient[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #watching: Promise<void>[] = [];
  #isStopped = false;
  #failure: unknown;

  private constructor(cluster: Cluster, options: WorkloadOptions) {
    const prng = createPrng(options.seed);
    const { recorder } = this;
    const seed = (): number => prng.below(2 ** 31);
    const shared = { cluster, recorder };
    this.#scribe = new WatchClient({
      ...{ ...shared, seed: seed(), key: ALL_KEYS, rangeEnd: ALL_KEYS, prevKv: true, startRevision: () => 1 },
      onEvents: (events, atMs) => recorder.log.append(events, atMs),
    });
    for (let i = 0; i < (options.watchers ?? 2); i++) {
      const watchPrng = createPrng(seed());
      this.#watchers.push(
        new WatchClient({
          ...{ ...shared, seed: seed(), prevKv: i % 2 === 1 },
          ...(i % 3 === 2
            ? { key: `${KEY_PREFIX}1`, rangeEnd: "" }
            : { key: KEY_PREFIX, rangeEnd: KEY_PREFIX_END }),
          // From now on, from the past, or from a revision that is still to come.
          startRevision: () =>
            watchPrng.below(3) === 0 ? 0 : Math.max(1, recorder.log.last - 100 + watchPrng.below(120)),
        }),
      );
    }
    this.#watching.push(...[this.#scribe, ...this.#watchers].map((watcher) => this.#guard(watcher.run())));
    const isStopped = (): boolean => this.#isStopped;
    for (let i = 0; i < options.clients; i++) {
      const client = new KeyClient({
        ...{ ...shared, seed: seed(), mix: options.mix ?? chaosMix, keyCount: options.keyCount ?? 8 },
        pauseMs: options.pauseMs ?? 10,
        areReadsStale: options.areReadsStale ?? false,
        ...(options.members === undefined ? {} : { members: options.members }),
      });
      this.#running.push(this.#guard(client.run(isStopped)));
    }
    for (let i = 0; i < (options.leaseClients ?? 0); i++) {
      const client = new LeaseClient({ ...shared, seed: seed() });
      this.#leaseClients.push(client);
      this.#running.push(this.#guard(client.run(isStopped)));
    }
  }

  static start(cluster: Cluster, options: WorkloadOptions): Workload {
    return new Workload(cluster, options);
  }

  /** Where every watch can resume from: history before it may be compacted. */
  get loggedRevision(): number {
    return this.recorder.log.last;
  }

  /** A compaction as an operation of the history; false when it was refused or its outcome is not known. */
  async compact(member: Member, revision: number): Promise<boolean> {
    const request = { kind: "compaction", revision } as const;
    const client = this.recorder.newClient();
    const { outcome } = await this.recorder.perform("compaction", client, request, () =>
      execute(member.admin.client, request, { timeoutMs: CALL_TIMEOUT_MS }),
    );
    return outcome === "ok";
  }

  get watchEventCount(): number {
    return [this.#scribe, ...this.#watchers].reduce((sum, watcher) => sum + watcher.eventCount, 0);
  }

  get watchResumeCount(): number {
    return [this.#scribe, ...this.#watchers].reduce((sum, watcher) => sum + watcher.resumeCount, 0);
  }

  get leaseKeysLeft(): number {
    return this.#leaseClients.reduce((sum, client) => sum + client.liveKeys.length, 0);
  }

  /** No further operations; the watches go on. Throws what a client threw. */
  async stopClients(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the watches once the log reaches `revision`. */
  async stopWatches(revision: number, limitMs = 20_000): Promise<void> {
    try {
      await until(`the watch over all keys sees revision ${revision}`, limitMs, () =>
        this.recorder.log.last >= revision ? true : undefined,
      );
    } finally {
      for (const watcher of [this.#scribe, ...this.#watchers]) watcher.stop();
      await Promise.all(this.#watching);
    }
  }

  /** Ends everything, whatever state it is in. */
  async abort(): Promise<void> {
    this.#isStopped = true;
    for (const watcher of [this.#scribe, ...this.#watchers]) watcher.stop();
    await Promise.all([...this.#running, ...this.#watching]);
  }

  async #guard(running: Promise<void>): Promise<void> {
    try {
      await running;
    } catch (error) {
      // One client is broken: the run is worth nothing, so all end.
      this.#failure ??= error;
      this.#isStopped = true;
    }
  }
}
