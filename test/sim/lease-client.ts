import type { LeaseHistory, LeaseObservation, ModelResponse } from "../checkers/index.ts";
import type { ClientDoor } from "./client-door.ts";
import { CALL_TIMEOUT_MS, type Recorder, recorded } from "./kv-client.ts";
import type { Random } from "./random.ts";
import { leaseId } from "./requests.ts";
import type { VirtualTime } from "./virtual-time.ts";

interface OpenLease {
  readonly lease: string;
  readonly ttlSeconds: number;
  readonly grant: { callMs: number; returnMs: number };
  readonly renewals: { callMs: number; returnMs: number; outcome: "renewed" | "gone" | "unknown" }[];
  readonly revokes: { callMs: number; returnMs: number }[];
  readonly observations: LeaseObservation[];
  readonly key: string;
}

/**
 * Holds one lease after the other: grants it, hangs a key on it, renews it for a while, looks whether the key is
 * there, then lets it go or revokes it.
 */
export class LeaseClient {
  readonly #id: number;
  readonly #context: {
    readonly door: ClientDoor;
    readonly time: VirtualTime;
    readonly recorder: Recorder;
  };
  readonly #random: Random;
  readonly #isOver: () => boolean;
  readonly leases: OpenLease[] = [];
  #count = 0;

  constructor(options: {
    readonly id: number;
    readonly door: ClientDoor;
    readonly time: VirtualTime;
    readonly recorder: Recorder;
    readonly random: Random;
    readonly isOver: () => boolean;
  }) {
    this.#id = options.id;
    this.#context = options;
    this.#random = options.random;
    this.#isOver = options.isOver;
  }

  async run(): Promise<void> {
    while (!this.#isOver()) {
      await this.#context.door.sleep(this.#random.around(500));
      if (!this.#isOver()) await this.#hold();
    }
  }

  /** Looks at all keys once more; to be called when things are quiet. */
  async lookAtAll(): Promise<void> {
    for (const lease of this.leases) await this.#look(lease);
  }

  histories(deletedAtMs: ReadonlyMap<string, number>): LeaseHistory[] {
    return this.leases.map((lease) => {
      const atMs = deletedAtMs.get(lease.key);
      const gone = atMs === undefined ? [] : [{ kind: "gone" as const, atMs }];
      return { ...lease, observations: [...lease.observations, ...gone] };
    });
  }

  async #hold(): Promise<void> {
    const { time, door } = this.#context;
    const ttlSeconds = this.#random.between(2, 5);
    const lease = (0x1000 * this.#id + 1 + this.#count++).toString(16);
    const callMs = time.nowMs;
    const granted = await this.#do({ kind: "leaseGrant", lease, ttlSeconds });
    if (granted?.kind !== "done") return;
    const grant = { callMs, returnMs: time.nowMs };
    const open: OpenLease = {
      ...{ lease, ttlSeconds, grant, renewals: [], revokes: [], observations: [], key: `l${lease}` },
    };
    this.leases.push(open);
    const value = `${this.#id}.${lease}`;
    await this.#do({
      kind: "txn",
      compares: [],
      success: [{ kind: "put", key: open.key, value, lease }],
      failure: [],
    });
    for (let left = this.#random.below(6); left > 0 && !this.#isOver(); left--) {
      await door.sleep(this.#random.fraction() * ttlSeconds * 900);
      if (this.#random.chance(0.7)) await this.#renew(open);
      if (this.#random.chance(0.5)) await this.#look(open);
      if (open.renewals.at(-1)?.outcome === "gone") return;
    }
    if (this.#random.chance(0.3)) await this.#revoke(open);
  }

  async #renew(open: OpenLease): Promise<void> {
    const { time, door } = this.#context;
    const member = door.pick(this.#random);
    if (member === undefined) return;
    const renewal = { callMs: time.nowMs, returnMs: Number.POSITIVE_INFINITY, outcome: "unknown" as const };
    const at = open.renewals.push(renewal) - 1;
    const outcome = await door.call(member, (node) => node.leaseRenew(leaseId(open.lease)), CALL_TIMEOUT_MS);
    if (outcome.kind !== "answered") return;
    const result = outcome.value > 0 ? "renewed" : "gone";
    open.renewals[at] = { ...renewal, returnMs: time.nowMs, outcome: result };
  }

  async #look(open: OpenLease): Promise<void> {
    const callMs = this.#context.time.nowMs;
    const seen = await this.#do({ kind: "range", key: open.key, rangeEnd: "", revision: 0 });
    if (seen?.kind !== "range") return;
    // That it is not there says nothing unless it was: its put may have failed.
    if (seen.kvs.length > 0) open.observations.push({ kind: "alive", atMs: callMs });
  }

  async #revoke(open: OpenLease): Promise<void> {
    const revoke = { callMs: this.#context.time.nowMs, returnMs: Number.POSITIVE_INFINITY };
    open.revokes.push(revoke);
    const done = await this.#do({ kind: "leaseRevoke", lease: open.lease });
    if (done !== undefined) revoke.returnMs = this.#context.time.nowMs;
  }

  #do(request: Parameters<typeof recorded>[3]): Promise<ModelResponse | undefined> {
    return recorded(this.#context, this.#id, this.#random, request);
  }
}
