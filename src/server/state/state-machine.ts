import { alarmType, type TxnRequest } from "../../codec/index.ts";
import { assert } from "../../lib/assert.ts";
import type { ByteString } from "../../lib/bytes.ts";
import { RequestError } from "../../lib/errors.ts";
import { type Eventual, type EventualItems, flatMap } from "../../lib/eventual.ts";
import type { LeaseRecord, LeaseView, Lessor } from "../lease/index.ts";
import {
  type Store,
  txnCost,
  wantsOfDeleteRange,
  wantsOfKeys,
  wantsOfPut,
  wantsOfTxn,
} from "../mvcc/index.ts";
import type { ConfChange } from "../raft/index.ts";
import type { EngineLoader, VersionedRecord, Want } from "../storage/index.ts";
import { Alarms } from "./alarms.ts";
import type { Command } from "./command.ts";
import { Membership } from "./membership.ts";
import { decodeStateChunk, encodeStateChunk, type StateChunk, type StateMeta } from "./state-chunk.ts";

const CHUNK_BYTES = 262_144;
const LEASES_PER_CHUNK = 5_000;
/** About what a record takes in a chunk beyond its key and value. */
const RECORD_BYTES = 40;

/**
 * What the chunks of a snapshot hold. Up to a compaction, the records of an earlier snapshot are the first ones of each
 * later one, chunk by chunk: whoever has the earlier one need not have them made again.
 */
export interface StateExtent {
  /** So many chunks come before those with records. */
  readonly headChunks: number;
  /** Of the last record, at most. */
  readonly revision: number;
  readonly compactRevision: number;
}

/** A state as it was at one applied index, to be written at leisure. */
export interface StateSnapshot {
  /** Encoded StateChunk messages, the one with `meta` first. */
  readonly chunks: EventualItems<Buffer>;
  /** Lets compaction go on; to be called once. */
  close(): void;
}

/** A snapshot that later ones may go on from. */
export interface ContinuableSnapshot extends StateSnapshot {
  /** Of the whole state, whatever was left out. */
  readonly extent: StateExtent;
  /** The records of the earlier snapshot are left out: they belong behind the first chunks. */
  readonly isContinued: boolean;
}

/** Takes the chunks of a snapshot in their order. */
export interface StateRestore {
  /** Throws DecodeError when the bytes are not a chunk. The next call waits for this one. */
  load(chunk: Uint8Array): Eventual<void>;
  /** After the last chunk, before finish(): may take long. */
  prepare(): Eventual<void>;
  /** Throws AssertionError when no chunk held the meta data. */
  finish(): void;
}

/**
 * Everything that the log determines: keys, leases, alarms, members. Commands are applied one after the other, to
 * the end, without looking at clocks, at the disk or at who waits for the answer: the same log gives the same state
 * and the same answers on every member.
 */
export class StateMachine {
  readonly store: Store;
  readonly lessor: Lessor;
  readonly alarms = new Alarms();
  readonly membership = new Membership();

  constructor(store: Store, lessor: Lessor) {
    this.store = store;
    this.lessor = lessor;
  }

  /** Undefined: commands may be applied as they come. */
  get loader(): EngineLoader | undefined {
    return this.store.loader;
  }

  /**
   * What applying the command will touch: to be loaded before, where there is a loader. To be asked when all commands
   * before it have been applied, but for those whose wants are loaded together with these: a put before a revoke
   * attaches no other key than it wants itself.
   */
  wants(command: Command): readonly Want[] {
    switch (command.kind) {
      case "put":
        return wantsOfPut(command.request);
      case "deleteRange":
        return wantsOfDeleteRange(command.request);
      case "txn":
        return wantsOfTxn(command.request);
      case "leaseRevoke":
        return wantsOfKeys(this.lessor.keysOf(command.request.id) ?? []);
      default:
        return [];
    }
  }

  /**
   * Applies one command and returns its answer (ApplyResults of the node, by kind). Throws RequestError: an answer
   * too, and the same on every member. Anything else it throws must stop the member.
   */
  apply(command: Command): unknown {
    switch (command.kind) {
      case "put":
        this.#refuseWhenCorrupt();
        this.#refuseWhenFull();
        return this.store.put(command.request);
      case "deleteRange":
        this.#refuseWhenCorrupt();
        return this.store.deleteRange(command.request);
      case "txn":
        this.#refuseWhenCorrupt();
        return this.#txn(command.request);
      case "compaction":
        this.#refuseWhenCorrupt();
        this.store.compact(command.request.revision);
        return { header: this.#header() };
      case "leaseGrant":
        this.#refuseWhenCorrupt();
        this.#refuseWhenFull();
        this.lessor.grant(command.id, command.ttl, command.leaseTimeMs);
        return { header: this.#header(), id: command.id, ttl: command.ttl, error: "" };
      case "leaseRevoke":
        this.#refuseWhenCorrupt();
        this.store.deleteKeys(this.lessor.revoke(command.request.id));
        return { header: this.#header() };
      case "leaseTick":
        this.lessor.tick(command);
        return undefined;
      case "leaseFloat":
        this.lessor.float(command.ids);
        return undefined;
      case "alarm":
        return this.alarms.apply(command.request);
      case "memberAttributes":
        this.membership.setAttributes(command.memberId, command.name, command.clientUrls);
        return undefined;
    }
  }

  applyConfChange(change: ConfChange): void {
    this.membership.applyConfChange(change);
  }

  /** Everything but leases and records. */
  meta(): StateMeta {
    const { currentRevision, compactRevision, finishedCompactRevision } = this.store;
    return {
      currentRevision,
      compactRevision,
      finishedCompactRevision,
      leaseTimeMs: this.lessor.leaseTimeMs,
      alarms: this.alarms.list(),
      ...this.membership.state(),
    };
  }

  /** Becomes the state of which the store's engine has the records already. Before anything is applied. */
  recover(
    meta: StateMeta,
    leases: readonly LeaseRecord[],
    attachments: readonly { readonly lease: bigint; readonly key: ByteString }[],
  ): void {
    this.lessor.restore({ leaseTimeMs: meta.leaseTimeMs, leases });
    for (const { lease, key } of attachments) this.lessor.attach(lease, key);
    this.alarms.restore(meta.alarms);
    this.membership.restore(meta);
    this.store.recover(meta);
  }

  /** `earlier`: what the caller has of this state already, if it can be made use of. */
  openSnapshot(earlier?: StateExtent): ContinuableSnapshot {
    const meta = this.meta();
    const { currentRevision: revision, compactRevision } = meta;
    const isContinued = earlier !== undefined && earlier.compactRevision === compactRevision;
    const view = this.store.openSnapshot(isContinued ? earlier.revision : 0);
    const leases = this.lessor.openSnapshot();
    const chunks = new ChunkWriter(meta, leases);
    return {
      extent: { headChunks: chunks.headChunks, revision, compactRevision },
      isContinued,
      chunks: flatMap(
        view.pages,
        (page) => chunks.take(page),
        () => chunks.rest(),
      ),
      close: () => {
        view.close();
        leases.close();
      },
    };
  }

  /**
   * Begins to take the state of a snapshot in place of this one. Nothing changes until finish(), which changes all
   * at once: readers see the one state or the other.
   */
  beginRestore(): StateRestore {
    let meta: StateMeta | undefined;
    let records: ReturnType<Store["restore"]> | undefined;
    const leases: LeaseRecord[] = [];
    return {
      load: (bytes) => {
        const chunk = decodeStateChunk(bytes);
        if (chunk.meta !== undefined) {
          meta = chunk.meta;
          records = this.store.restore(chunk.meta);
        }
        for (const lease of chunk.leases) leases.push(lease);
        if (chunk.records.length === 0) return undefined;
        assert(records !== undefined, "a state snapshot begins with its meta data");
        return records.append(chunk.records);
      },
      prepare: () => records?.prepare(),
      finish: () => {
        assert(meta !== undefined && records !== undefined, "a state snapshot holds its meta data");
        this.lessor.restore({ leaseTimeMs: meta.leaseTimeMs, leases });
        this.alarms.restore(meta.alarms);
        this.membership.restore(meta);
        records.finish();
      },
    };
  }

  #txn(request: TxnRequest): unknown {
    if (this.alarms.isActive(alarmType.noSpace) && txnCost(request) > 0) throw new RequestError("noSpace");
    return this.store.txn(request);
  }

  #refuseWhenFull(): void {
    if (this.alarms.isActive(alarmType.noSpace)) throw new RequestError("noSpace");
  }

  #refuseWhenCorrupt(): void {
    if (this.alarms.isActive(alarmType.corrupt)) throw new RequestError("corrupt");
  }

  #header() {
    return { clusterId: 0n, memberId: 0n, revision: this.store.currentRevision, raftTerm: 0 };
  }
}

/** Makes chunks of a bounded size: meta data, leases, then the records as they come. */
class ChunkWriter {
  #head: { readonly meta: StateMeta; readonly leases: Iterable<LeaseRecord> } | undefined;
  #records: VersionedRecord[] = [];
  #recordsBytes = 0;

  /** How many chunks come before those with records. */
  readonly headChunks: number;

  constructor(meta: StateMeta, { leases, count }: LeaseView) {
    this.#head = { meta, leases };
    this.headChunks = 1 + Math.ceil(count / LEASES_PER_CHUNK);
  }

  /** The chunks that are complete with these records. */
  *take(records: readonly VersionedRecord[]): Generator<Buffer> {
    yield* this.#takeHead();
    for (const record of records) {
      this.#records.push(record);
      this.#recordsBytes += record.key.length + record.value.length + RECORD_BYTES;
      if (this.#recordsBytes >= CHUNK_BYTES) yield this.#encode();
    }
  }

  /** The chunks that are left when there are no more records. */
  *rest(): Generator<Buffer> {
    yield* this.#takeHead();
    if (this.#records.length > 0) yield this.#encode();
  }

  *#takeHead(): Generator<Buffer> {
    if (this.#head === undefined) return;
    const { meta, leases } = this.#head;
    this.#head = undefined;
    yield encodeStateChunk({ meta, leases: [], records: [] });
    let gathered: LeaseRecord[] = [];
    for (const lease of leases) {
      gathered.push(lease);
      if (gathered.length < LEASES_PER_CHUNK) continue;
      yield encodeStateChunk({ meta: undefined, leases: gathered, records: [] });
      gathered = [];
    }
    if (gathered.length > 0) yield encodeStateChunk({ meta: undefined, leases: gathered, records: [] });
  }

  #encode(): Buffer {
    const records = this.#records;
    this.#records = [];
    this.#recordsBytes = 0;
    return encodeStateChunk({ meta: undefined, leases: [], records } satisfies StateChunk);
  }
}
