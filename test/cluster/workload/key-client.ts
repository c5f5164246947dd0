import { setTimeout as sleep } from "node:timers/promises";
import { createPrng, type Prng } from "../../../src/lib/prng.ts";
import type { KeyValueSeen, ModelRequest, ModelResponse, WriteOrRead } from "../../checkers/index.ts";
import type { Cluster, Member } from "../harness/index.ts";
import { CALL_TIMEOUT_MS, Connections } from "./connections.ts";
import { execute } from "./execute.ts";
import type { Recorder } from "./recorder.ts";

export const KEY_PREFIX = "k/";
export const KEY_PREFIX_END = "k0";

/** How often each operation is drawn, out of their sum. */
export interface OperationMix {
  readonly put: number;
  readonly delete: number;
  readonly deleteRange: number;
  readonly cas: number;
  readonly create: number;
  readonly txn: number;
  readonly range: number;
  readonly rangeAll: number;
  readonly oldRange: number;
  readonly serializable: number;
  readonly lease: number;
}

export const chaosMix: OperationMix = {
  put: 26,
  delete: 6,
  deleteRange: 1,
  cas: 14,
  create: 4,
  txn: 6,
  range: 16,
  rangeAll: 8,
  oldRange: 3,
  serializable: 12,
  lease: 4,
};

export const writesOnly: OperationMix = {
  ...{ put: 1, delete: 0, deleteRange: 0, cas: 0, create: 0, txn: 0 },
  ...{ range: 0, rangeAll: 0, oldRange: 0, serializable: 0, lease: 0 },
};

export interface KeyClientOptions {
  readonly cluster: Cluster;
  readonly recorder: Recorder;
  readonly seed: number;
  readonly mix: OperationMix;
  readonly keyCount: number;
  /** Pause between operations, at most. */
  readonly pauseMs: number;
  /** Keys of its own instead of the shared ones: all of them survive. */
  readonly keyPrefix?: string;
  /** A planted fault, for the proof that the checks see it: linearizable reads that are not. */
  readonly areReadsStale?: boolean;
  /** Restricts whom it talks to. */
  readonly members?: () => readonly Member[];
}

const LONG_LEASE_TTL_SECONDS = 3_600;
const PAUSE_AFTER_FAILURE_MS = 60;

/** A client with one operation outstanding, on few keys that all clients share. */
export class KeyClient {
  readonly #options: KeyClientOptions;
  readonly #recorder: Recorder;
  readonly #prng: Prng;
  readonly #connections: Connections;
  readonly #draws: readonly (keyof OperationMix)[];
  #client: number;
  /** The last this client saw of each key, for compares. */
  readonly #seen = new Map<string, number>();
  #revisionSeen = 1;
  #lease: string | undefined;

  constructor(options: KeyClientOptions) {
    this.#options = options;
    this.#recorder = options.recorder;
    this.#prng = createPrng(options.seed);
    this.#connections = new Connections(options.cluster, this.#prng);
    this.#client = options.recorder.newClient();
    this.#draws = (Object.entries(options.mix) as [keyof OperationMix, number][]).flatMap(([kind, weight]) =>
      Array.from({ length: weight }, () => kind),
    );
  }

  async run(isStopped: () => boolean): Promise<void> {
    try {
      while (!isStopped()) {
        await this.#step(this.#draws[this.#prng.below(this.#draws.length)]!);
        if (this.#options.pauseMs > 0) await sleep(this.#prng.below(this.#options.pauseMs));
      }
    } finally {
      this.#connections.close();
    }
  }

  async #step(kind: keyof OperationMix): Promise<void> {
    const key = this.#key();
    switch (kind) {
      case "put":
        return this.#write(kind, [], [this.#put(key)], []);
      case "delete":
        return this.#write(kind, [], [{ kind: "delete", key, rangeEnd: "" }], []);
      case "deleteRange": {
        const [start, rangeEnd] = [key, this.#key()].sort() as [string, string];
        return this.#write(kind, [], [{ kind: "delete", key: start, rangeEnd: `${rangeEnd}!` }], []);
      }
      case "cas": {
        const compare = { key, target: "modRevision", equals: this.#seen.get(key) ?? 0 } as const;
        return this.#write(kind, [compare], [this.#put(key)], [{ kind: "range", key, rangeEnd: "" }]);
      }
      case "create": {
        const compare = { key, target: "version", equals: 0 } as const;
        return this.#write(kind, [compare], [this.#put(key)], [{ kind: "range", key, rangeEnd: "" }]);
      }
      case "txn": {
        const other = this.#key();
        const parts: WriteOrRead[] = [
          this.#put(key),
          { kind: "range", key: KEY_PREFIX, rangeEnd: KEY_PREFIX_END },
        ];
        if (other !== key) {
          parts.push(
            this.#prng.below(3) === 0 ? { kind: "delete", key: other, rangeEnd: "" } : this.#put(other),
          );
        }
        return this.#write(kind, [], parts, []);
      }
      case "range":
        return this.#read(kind, { kind: "range", key, rangeEnd: "", revision: 0 });
      case "rangeAll":
        return this.#read(kind, { kind: "range", key: KEY_PREFIX, rangeEnd: KEY_PREFIX_END, revision: 0 });
      case "oldRange": {
        const revision = Math.max(1, this.#revisionSeen - this.#prng.below(50));
        return this.#read(kind, { kind: "range", key: KEY_PREFIX, rangeEnd: KEY_PREFIX_END, revision });
      }
      case "serializable":
        return this.#readSerializable();
      case "lease":
        return this.#toggleLease();
    }
  }

  async #write(
    kind: string,
    compares: (ModelRequest & { kind: "txn" })["compares"],
    success: readonly WriteOrRead[],
    failure: readonly WriteOrRead[],
  ): Promise<void> {
    await this.#perform(kind, { kind: "txn", compares, success, failure });
  }

  async #read(kind: string, request: ModelRequest & { kind: "range" }): Promise<void> {
    await this.#perform(kind, request, this.#options.areReadsStale === true);
  }

  async #perform(
    kind: string,
    request: ModelRequest,
    serializable = false,
  ): Promise<ModelResponse | undefined> {
    const member = this.#pick();
    const timeoutMs = CALL_TIMEOUT_MS;
    const { outcome, response } = await this.#recorder.perform(kind, this.#client, request, () =>
      execute(this.#connections.to(member), request, { timeoutMs, serializable }),
    );
    if (outcome === "unknown") this.#client = this.#recorder.newClient();
    if (outcome === "unknown" || outcome === "notApplied") {
      this.#connections.avoid(member);
      await sleep(this.#prng.below(PAUSE_AFTER_FAILURE_MS));
    }
    if (response !== undefined) this.#remember(request, response);
    return response;
  }

  async #readSerializable(): Promise<void> {
    const member = this.#pick();
    const isAll = this.#prng.below(2) === 0;
    const [key, rangeEnd] = isAll ? [KEY_PREFIX, KEY_PREFIX_END] : [this.#key(), ""];
    const callMs = performance.now();
    try {
      const request = { kind: "range", key, rangeEnd, revision: 0 } as const;
      const options = { timeoutMs: CALL_TIMEOUT_MS, serializable: true };
      const response = await execute(this.#connections.to(member), request, options);
      if (response.kind !== "range") throw new Error(`a range was answered with ${response.kind}`);
      const { revision, kvs } = response;
      const returnMs = performance.now();
      this.#recorder.serializableReads.push({
        ...{ client: this.#client, callMs, returnMs, key, rangeEnd, revision, kvs },
      });
      this.#recorder.count("serializable", "ok");
    } catch (error) {
      this.#recorder.failed("serializable", error);
      this.#connections.avoid(member);
    }
  }

  async #toggleLease(): Promise<void> {
    if (this.#lease === undefined) {
      const lease = String(this.#recorder.newLease());
      const request = { kind: "leaseGrant", lease, ttlSeconds: LONG_LEASE_TTL_SECONDS } as const;
      const response = await this.#perform("leaseGrant", request);
      if (response?.kind === "done") this.#lease = lease;
      return;
    }
    const lease = this.#lease;
    this.#lease = undefined;
    await this.#perform("leaseRevoke", { kind: "leaseRevoke", lease });
  }

  #remember(request: ModelRequest, response: ModelResponse): void {
    if (response.kind === "refused") return;
    this.#revisionSeen = Math.max(this.#revisionSeen, response.revision);
    const note = (kvs: readonly KeyValueSeen[]): void => {
      for (const kv of kvs) this.#seen.set(kv.key, kv.modRevision);
    };
    if (response.kind === "range" && request.kind === "range" && request.revision === 0) note(response.kvs);
    if (response.kind !== "txn" || request.kind !== "txn") return;
    for (const result of response.results) if (result.kind === "range") note(result.kvs);
    if (!response.succeeded) return;
    for (const part of request.success) {
      if (part.kind === "put") this.#seen.set(part.key, response.revision);
      else if (part.kind === "delete") this.#seen.delete(part.key);
    }
  }

  #put(key: string): WriteOrRead {
    const lease = this.#lease !== undefined && this.#prng.below(4) === 0 ? this.#lease : "";
    return { kind: "put", key, value: this.#recorder.newValue(), lease };
  }

  #key(): string {
    return `${this.#options.keyPrefix ?? KEY_PREFIX}${this.#prng.below(this.#options.keyCount)}`;
  }

  #pick(): Member {
    const members = this.#options.members?.();
    if (members === undefined) return this.#connections.pick();
    const member = members[this.#prng.below(members.length)];
    if (member === undefined) throw new Error("no member to talk to");
    return member;
  }
}
