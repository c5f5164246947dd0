import { RequestError } from "../../lib/errors.ts";
import type { Lease, LeaseRecord, LeaseSnapshot } from "./lease-record.ts";
import { recordOf } from "./lease-record.ts";

/**
 * The leases of one moment, to be read over many turns while they change: there may be a million. What is about to
 * change before it was read is kept as it was. To be closed, or it goes on keeping.
 */
export class LeaseView implements LeaseSnapshot {
  readonly leaseTimeMs: number;
  /** How many there are to be read. */
  readonly count: number;
  /** Throws leaderChanged when a snapshot has taken the place of the leases meanwhile. To be read once. */
  readonly leases: Iterable<LeaseRecord>;
  readonly #leases: ReadonlyMap<bigint, Lease>;
  readonly #lastSerial: number;
  readonly #onClose: (view: LeaseView) => void;
  /** All up to this one have been read, or are kept. */
  #readSerial = 0;
  /** By serial: leases that have changed, or are gone, as they were. */
  readonly #kept = new Map<number, LeaseRecord>();
  #isReplaced = false;

  /** `leases`: in the order of their serials, the newest of which is `lastSerial`. */
  constructor(
    leases: ReadonlyMap<bigint, Lease>,
    moment: { readonly leaseTimeMs: number; readonly lastSerial: number },
    onClose: (view: LeaseView) => void,
  ) {
    this.#leases = leases;
    this.count = leases.size;
    this.leaseTimeMs = moment.leaseTimeMs;
    this.#lastSerial = moment.lastSerial;
    this.#onClose = onClose;
    this.leases = this.#read();
  }

  /** Before the lease changes or goes. */
  keep(lease: Lease): void {
    const { serial } = lease;
    if (serial <= this.#readSerial || serial > this.#lastSerial || this.#kept.has(serial)) return;
    this.#kept.set(serial, recordOf(lease));
  }

  /** Other leases take the place of all. */
  replaced(): void {
    this.#isReplaced = true;
  }

  close(): void {
    this.#onClose(this);
  }

  *#read(): Generator<LeaseRecord> {
    this.#check();
    // A Map goes on in its order with what is added, and passes over what is deleted, while it is gone through.
    for (const lease of this.#leases.values()) {
      const { serial } = lease;
      if (serial > this.#lastSerial) break;
      this.#readSerial = serial;
      const kept = this.#kept.get(serial);
      this.#kept.delete(serial);
      yield kept ?? recordOf(lease);
      this.#check();
    }
    this.#readSerial = this.#lastSerial;
    for (const gone of this.#kept.values()) {
      yield gone;
      this.#check();
    }
  }

  #check(): void {
    if (this.#isReplaced) throw new RequestError("leaderChanged");
  }
}
