import type {
  DeleteRangeRequest,
  DeleteRangeResponse,
  Event,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  TxnRequest,
  TxnResponse,
  WatchCreateRequest,
} from "../../codec/index.ts";
import type { ByteString } from "../../lib/bytes.ts";
import type { Eventual } from "../../lib/eventual.ts";
import type { EngineStats, VersionedRecord } from "../storage/index.ts";

/** What a write needs to know of leases; the lessor implements it (lease is a floor above). */
export interface LeaseDirectory {
  has(id: bigint): boolean;
  attach(id: bigint, key: ByteString): void;
  detach(id: bigint, key: ByteString): void;
}

/** Called once per write transaction that changed something, after its records are visible. */
export type CommitListener = (revision: number, records: readonly VersionedRecord[]) => void;

export interface LastChange {
  readonly revision: number;
  /** Whether it removed the key. */
  readonly isRemoval: boolean;
}

/**
 * Reads: what the services use. Each is of the moment it is asked in, also where its answer is a promise because the
 * disk must be asked. All throw or reject with RequestError; none changes anything.
 */
export interface KvReader {
  /** 1 on an empty store. */
  readonly currentRevision: number;
  /** -1 when never compacted. */
  readonly compactRevision: number;
  /** Validated shape assumed (services/validate); header holds the revision only. */
  range(request: RangeRequest): Eventual<RangeResponse>;
  /** A transaction of ranges only (isReadOnlyTxn). */
  readTxn(request: TxnRequest): Eventual<TxnResponse>;
  /** What changed `key` last; undefined when it never was a key, or was removed before the compact revision. */
  lastChange(key: ByteString): Eventual<LastChange | undefined>;
  /** HashKV by etcd's algorithm (semantics-kv-mvcc 9.1); revision 0 = current. In bites, yielding between them. */
  hashKv(revision: number): Promise<{ hash: number; compactRevision: number; hashRevision: number }>;
  stats(): EngineStats;
  /** Bytes that the records take where they are kept (Engine.storedBytes). */
  storedBytes(): number;
}

/** Writes: called by apply only, in log order. Deterministic; RequestError = the same answer on every member. */
export interface KvWriter {
  put(request: PutRequest): PutResponse;
  deleteRange(request: DeleteRangeRequest): DeleteRangeResponse;
  txn(request: TxnRequest): TxnResponse;
  /** Deletes the keys that exist, ascending, in one revision (a lease revoke). True when anything was deleted. */
  deleteKeys(keys: readonly ByteString[]): boolean;
  /** Makes `revision` the compact revision at once; removal goes on in the background (compactStep). */
  compact(revision: number): void;
}

/** Where a watch stream's answers go. The hub never waits for it: `send` false means "no more now". */
export interface WatchSink {
  /**
   * One response for one watcher, or for the whole stream (watchId -1: progress). The sink fills the header's
   * cluster, member and term.
   */
  send(delivery: WatchDelivery): boolean;
}

export interface WatchDelivery {
  readonly watchId: number;
  /** header.revision; 0 for a compaction cancel. */
  readonly revision: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly events: readonly WatchEvent[];
  /** The watcher asked for its large responses to be split (create_request.fragment). */
  readonly fragment: boolean;
}

/**
 * An event as the hub hands it out: `event` is shared by all watchers that see it without prev_kv; `encoded` is a
 * place where the sink keeps the encoded form, so that it is made once for all of them.
 */
export interface WatchEvent {
  readonly event: Event;
  encoded: Uint8Array | undefined;
}

/** One gRPC watch stream's watchers. Answers (created, canceled, progress too) come through the sink, in order. */
export interface WatchStream {
  /** Follows semantics-watch-lease A2; a refused creation is answered through the sink too. */
  create(request: WatchCreateRequest): void;
  cancel(watchId: number): void;
  /** Manual progress (A6). */
  requestProgress(): void;
  /** The sink can take more after `send` said false. */
  resume(): void;
  close(): void;
}

export interface WatchHubContract {
  openStream(sink: WatchSink): WatchStream;
}
