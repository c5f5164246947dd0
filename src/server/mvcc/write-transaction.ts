import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
} from "../../codec/index.ts";
import { assert } from "../../lib/assert.ts";
import type { ByteString } from "../../lib/bytes.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Engine, EngineView, VersionedRecord } from "../storage/index.ts";
import { readRange } from "./range-read.ts";
import { putRecord, tombstoneRecord } from "./record.ts";
import { headerAt } from "./revision.ts";
import type { LeaseDirectory } from "./types.ts";

/**
 * Throws leaseNotFound or keyNotFound when the put cannot be done in the engine's present state, in the order of
 * semantics-kv-mvcc 2.
 */
export function assertPuttable(request: PutRequest, engine: EngineView, leases: LeaseDirectory): void {
  if (request.lease !== 0n && !leases.has(request.lease)) throw new RequestError("leaseNotFound");
  if ((request.ignoreValue || request.ignoreLease) && engine.latest(request.key) === undefined) {
    throw new RequestError("keyNotFound");
  }
}

/**
 * The changes of one revision, in order: each is visible to the next one. Changes go straight to the engine, so
 * all that can be refused must have been refused before the first of them.
 */
export class WriteTransaction {
  readonly #engine: Engine;
  readonly #leases: LeaseDirectory;
  readonly #beginRevision: number;
  readonly #records: VersionedRecord[] = [];

  constructor(engine: Engine, leases: LeaseDirectory, beginRevision: number) {
    this.#engine = engine;
    this.#leases = leases;
    this.#beginRevision = beginRevision;
  }

  /** What has been changed so far, in order of sub revision. */
  get records(): readonly VersionedRecord[] {
    return this.#records;
  }

  /** The revision of the state as the transaction sees it: one more as soon as it has changed something. */
  get revision(): number {
    return this.#records.length === 0 ? this.#beginRevision : this.#beginRevision + 1;
  }

  range(request: RangeRequest): RangeResponse {
    return readRange(this.#engine, request, this.revision);
  }

  /** assertPuttable has passed. */
  put(request: PutRequest): PutResponse {
    const previous = this.#engine.latest(request.key);
    assert(
      previous !== undefined || !(request.ignoreValue || request.ignoreLease),
      "a put that keeps something has a key to keep it from",
    );
    const modRevision = this.#beginRevision + 1;
    const lease = previous !== undefined && request.ignoreLease ? previous.lease : request.lease;
    const record = putRecord({
      // The same string for all records of a key: one copy in memory.
      key: previous?.key ?? request.key,
      modRevision,
      sub: this.#records.length,
      createRevision: previous?.createRevision ?? modRevision,
      version: (previous?.version ?? 0) + 1,
      value: previous !== undefined && request.ignoreValue ? previous.value : request.value,
      lease,
    });
    this.#append(record);
    const previousLease = previous?.lease ?? 0n;
    if (previousLease !== lease) {
      if (previousLease !== 0n) this.#leases.detach(previousLease, record.key);
      if (lease !== 0n) this.#leases.attach(lease, record.key);
    }
    return {
      header: headerAt(modRevision),
      prevKv: request.prevKv ? previous : undefined,
    };
  }

  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse {
    const interval = { start: request.key, end: request.rangeEnd };
    const found = this.#engine.range(interval, this.revision, 0).records;
    for (const record of found) this.#delete(record);
    return {
      header: headerAt(this.revision),
      deleted: found.length,
      prevKvs: request.prevKv ? found : [],
    };
  }

  /** Deletes `key` when it is there. */
  deleteKey(key: ByteString): void {
    const record = this.#engine.latest(key);
    if (record !== undefined) this.#delete(record);
  }

  #delete(record: VersionedRecord): void {
    this.#append(tombstoneRecord(record.key, this.#beginRevision + 1, this.#records.length));
    if (record.lease !== 0n) this.#leases.detach(record.lease, record.key);
  }

  #append(record: VersionedRecord): void {
    this.#records.push(record);
    this.#engine.append([record]);
  }
}
