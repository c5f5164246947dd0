import { connect, type MetaStoreClient } from "../../../src/client/index.ts";
import type { Prng } from "../../../src/lib/prng.ts";
import type { Cluster, Member } from "../harness/index.ts";

/** A call to a member that is paused or cut off waits this long; the election time-out is half of it. */
export const CALL_TIMEOUT_MS = 2_000;
const CONNECT_TIMEOUT_MS = 500;
/** How long a member that failed a call is left alone, at most. */
const AVOIDED_MS = 1_500;

/** One client's connections to the members: one member per connection and nothing tried again, so that an outcome is exact. */
export class Connections {
  readonly #cluster: Cluster;
  readonly #prng: Prng;
  readonly #clients = new Map<Member, MetaStoreClient>();
  readonly #avoidedUntilMs = new Map<Member, number>();
  #isClosed = false;

  constructor(cluster: Cluster, prng: Prng) {
    this.#cluster = cluster;
    this.#prng = prng;
  }

  /** Any member, but rarely one that failed a moment ago. */
  pick(): Member {
    const nowMs = performance.now();
    const members = this.#cluster.members;
    const good = members.filter((member) => (this.#avoidedUntilMs.get(member) ?? 0) <= nowMs);
    const candidates = good.length === 0 || this.#prng.below(20) === 0 ? members : good;
    const member = candidates[this.#prng.below(candidates.length)];
    if (member === undefined) throw new Error("the cluster has no members");
    return member;
  }

  avoid(member: Member): void {
    this.#avoidedUntilMs.set(member, performance.now() + this.#prng.below(AVOIDED_MS));
  }

  to(member: Member): MetaStoreClient {
    let client = this.#clients.get(member);
    if (client === undefined) {
      client = connect({
        endpoints: member.endpoint,
        timeoutMs: CALL_TIMEOUT_MS,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        retryRoundsMax: 1,
      });
      // What is still under way at the end must not leave a client that tries to connect for ever.
      if (this.#isClosed) client.close();
      else this.#clients.set(member, client);
    }
    return client;
  }

  close(): void {
    this.#isClosed = true;
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }
}
