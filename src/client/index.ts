/** The client library: connect() and everything that its answers and options are made of. */
export type { Compare, Member, RequestOp, StatusResponse, TxnRequest, TxnResponse } from "../codec/index.ts";
export { connect, MetaStoreClient } from "./client.ts";
export type { AddedMember, ClusterClient, MemberList } from "./cluster.ts";
export { type Endpoint, parseEndpoints } from "./endpoint.ts";
export { CompactedError, MetaStoreError, type Outcome, type StatusName } from "./errors.ts";
export { allKeys, type Bytes, between, fromKey, KeyRange, type KeyTarget, prefix } from "./key.ts";
export { type Header, KeyValue } from "./key-value.ts";
export type { KvClient } from "./kv.ts";
export type { LeaseClient, LeaseStatus } from "./lease.ts";
export type { LeaseKeeper } from "./lease-keeper.ts";
export type {
  Alarm,
  EndpointHealth,
  EndpointStatus,
  MaintenanceClient,
  MemberCallOptions,
} from "./maintenance.ts";
export type { DeleteOptions, PutOptions, RangeOptions } from "./operations.ts";
export type { CallOptions, ConnectOptions, TlsOptions } from "./options.ts";
export type { DeleteResult, OperationResult, PutResult, RangeResult, TxnResult } from "./results.ts";
export type { SnapshotDownload } from "./snapshot-download.ts";
export { type Comparison, compare, op, TxnBuilder } from "./txn.ts";
export type { WatchEvent, Watcher, WatchOptions } from "./watcher.ts";
