import type { Prng } from "../../src/lib/prng.ts";
import { RawClient } from "../harness/index.ts";
import type { Changes, Ledger } from "./ledger.ts";

/** Keys of one writer, besides its share of the preloaded ones. */
const OWN_KEYS = 50;
const LEASE_TTL_SECONDS = 86_400;

/** One client that writes to keys of its own, one write at a time, until its server dies. */
export class Writer {
  readonly #index: number;
  readonly #prng: Prng;
  readonly #ledger: Ledger;
  readonly #preloaded: (pick: number) => string;
  #serial = 0;
  #lastRevision = 0;
  readonly #leaseId: number;
  /** undefined: the answer to its grant or revoke never came. */
  leaseHeld: boolean | undefined = false;

  constructor(index: number, prng: Prng, ledger: Ledger, preloaded: (pick: number) => string) {
    this.#index = index;
    this.#prng = prng;
    this.#ledger = ledger;
    this.#preloaded = preloaded;
    this.#leaseId = 1_000_000 + index;
  }

  get leaseId(): number {
    return this.#leaseId;
  }

  /** Writes until `stopped` or the first error, which makes the write in flight unsure. */
  async run(endpoint: string, stopped: () => boolean): Promise<void> {
    const client = new RawClient(endpoint);
    this.#lastRevision = 0;
    try {
      while (!stopped()) if (!(await this.#step(client))) return;
    } finally {
      client.close();
    }
  }

  async #step(client: RawClient): Promise<boolean> {
    const draw = this.#prng.below(100);
    if (draw < 2 && this.leaseHeld !== undefined) return this.#toggleLease(client, this.leaseHeld);
    if (draw < 10) return this.#read(client);
    if (draw < 20) {
      const key = this.#ownKey();
      if (this.#ledger.valueOf(key) !== undefined) {
        return this.#write(new Map([[key, undefined]]), () => client.delete(key));
      }
    }
    if (draw < 40) {
      const pairs = new Map([1, 2, 3].map(() => [this.#ownKey(), this.#value()] as const));
      return this.#write(pairs, () => client.putAll([...pairs]));
    }
    const key = draw < 55 ? this.#preloaded(this.#prng.below(1_000_000)) : this.#ownKey();
    const value = this.#value();
    return this.#write(new Map([[key, value]]), () => client.put(key, value));
  }

  async #write(changes: Changes, send: () => Promise<number>): Promise<boolean> {
    let revision: number;
    try {
      revision = await send();
    } catch {
      this.#ledger.unsure(changes);
      return false;
    }
    if (revision <= this.#lastRevision) {
      this.#ledger.violations.push(
        `writer ${this.#index}: revision ${revision} acknowledged after ${this.#lastRevision}`,
      );
    }
    this.#lastRevision = revision;
    this.#ledger.acknowledge(changes, revision);
    return true;
  }

  /** A linearizable read of an own key: nobody else writes it, so the answer is known. */
  async #read(client: RawClient): Promise<boolean> {
    const key = this.#ownKey();
    try {
      const answer = await client.range(key);
      this.#ledger.sawRevision(answer.revision);
      const found = answer.kvs[0]?.value;
      const expected = this.#ledger.valueOf(key);
      if (found !== expected) {
        this.#ledger.violations.push(`${key}: read ${found ?? "nothing"}, wrote ${expected ?? "nothing"}`);
      }
      return true;
    } catch {
      return false;
    }
  }

  async #toggleLease(client: RawClient, held: boolean): Promise<boolean> {
    this.leaseHeld = undefined;
    try {
      if (held) await client.revoke(this.#leaseId);
      else await client.grant(this.#leaseId, LEASE_TTL_SECONDS);
    } catch {
      return false;
    }
    this.leaseHeld = !held;
    return true;
  }

  #ownKey(): string {
    return `w/${String(this.#index).padStart(3, "0")}/${this.#prng.below(OWN_KEYS)}`;
  }

  #value(): string {
    this.#serial += 1;
    return `${this.#index}:${this.#serial}:${"x".repeat(this.#prng.below(200))}`;
  }
}
