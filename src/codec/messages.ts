import type { ByteString } from "../lib/bytes.ts";

/**
 * The etcd v3 messages as the server and the client hold them: field names in camelCase, bytes as byte strings,
 * 64-bit ids as bigint, everything that stays below 2^53 (revisions, counts, TTLs, terms) as number. Fields are
 * always present; the proto3 default stands for "not set". Source: proto/rpc.proto, proto/kv.proto.
 */
export interface ResponseHeader {
  clusterId: bigint;
  memberId: bigint;
  revision: number;
  raftTerm: number;
}

export interface KeyValue {
  key: ByteString;
  createRevision: number;
  modRevision: number;
  version: number;
  value: ByteString;
  lease: bigint;
}

export const eventType = { put: 0, delete: 1 } as const;
export type EventType = (typeof eventType)[keyof typeof eventType];

export interface Event {
  type: EventType;
  kv: KeyValue;
  prevKv: KeyValue | undefined;
}

export const sortOrder = { none: 0, ascend: 1, descend: 2 } as const;
export const sortTarget = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const;

export interface RangeRequest {
  key: ByteString;
  rangeEnd: ByteString;
  limit: number;
  revision: number;
  /** A sortOrder; any other number is refused by validation, not by the decoder. */
  sortOrder: number;
  /** A sortTarget, likewise. */
  sortTarget: number;
  serializable: boolean;
  keysOnly: boolean;
  countOnly: boolean;
  minModRevision: number;
  maxModRevision: number;
  minCreateRevision: number;
  maxCreateRevision: number;
}

export interface RangeResponse {
  header: ResponseHeader | undefined;
  kvs: KeyValue[];
  more: boolean;
  count: number;
}

/** One chunk of KV.RangeStream; the concatenation of all chunks is the unary answer. */
export interface RangeStreamResponse {
  rangeResponse: RangeResponse;
}

export interface PutRequest {
  key: ByteString;
  value: ByteString;
  lease: bigint;
  prevKv: boolean;
  ignoreValue: boolean;
  ignoreLease: boolean;
}

export interface PutResponse {
  header: ResponseHeader | undefined;
  prevKv: KeyValue | undefined;
}

export interface DeleteRangeRequest {
  key: ByteString;
  rangeEnd: ByteString;
  prevKv: boolean;
}

export interface DeleteRangeResponse {
  header: ResponseHeader | undefined;
  deleted: number;
  prevKvs: KeyValue[];
}

export const compareResult = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const;
export const compareTarget = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;

/** The comparand of a Compare; `case` names which member of the oneof was on the wire. */
export type CompareUnion =
  | { case: "version" | "createRevision" | "modRevision"; value: number }
  | { case: "value"; value: ByteString }
  | { case: "lease"; value: bigint }
  | { case: undefined };

export interface Compare {
  result: number;
  target: number;
  key: ByteString;
  rangeEnd: ByteString;
  union: CompareUnion;
}

export type RequestOp =
  | { case: "range"; request: RangeRequest }
  | { case: "put"; request: PutRequest }
  | { case: "deleteRange"; request: DeleteRangeRequest }
  | { case: "txn"; request: TxnRequest }
  | { case: undefined };

export type ResponseOp =
  | { case: "range"; response: RangeResponse }
  | { case: "put"; response: PutResponse }
  | { case: "deleteRange"; response: DeleteRangeResponse }
  | { case: "txn"; response: TxnResponse };

export interface TxnRequest {
  compare: Compare[];
  success: RequestOp[];
  failure: RequestOp[];
}

export interface TxnResponse {
  header: ResponseHeader | undefined;
  succeeded: boolean;
  responses: ResponseOp[];
}

export interface CompactionRequest {
  revision: number;
  physical: boolean;
}

export interface CompactionResponse {
  header: ResponseHeader | undefined;
}

export const watchFilter = { noPut: 0, noDelete: 1 } as const;

export interface WatchCreateRequest {
  key: ByteString;
  rangeEnd: ByteString;
  startRevision: number;
  progressNotify: boolean;
  filters: number[];
  prevKv: boolean;
  watchId: number;
  fragment: boolean;
}

export type WatchRequest =
  | { case: "create"; request: WatchCreateRequest }
  | { case: "cancel"; watchId: number }
  | { case: "progress" }
  | { case: undefined };

export interface WatchResponse {
  header: ResponseHeader | undefined;
  watchId: number;
  created: boolean;
  canceled: boolean;
  compactRevision: number;
  cancelReason: string;
  fragment: boolean;
  events: Event[];
}

export interface LeaseGrantRequest {
  ttl: number;
  id: bigint;
}

export interface LeaseGrantResponse {
  header: ResponseHeader | undefined;
  id: bigint;
  ttl: number;
  error: string;
}

export interface LeaseRevokeRequest {
  id: bigint;
}

export interface LeaseRevokeResponse {
  header: ResponseHeader | undefined;
}

export interface LeaseKeepAliveRequest {
  id: bigint;
}

export interface LeaseKeepAliveResponse {
  header: ResponseHeader | undefined;
  id: bigint;
  ttl: number;
}

export interface LeaseTimeToLiveRequest {
  id: bigint;
  keys: boolean;
}

export interface LeaseTimeToLiveResponse {
  header: ResponseHeader | undefined;
  id: bigint;
  ttl: number;
  grantedTtl: number;
  keys: ByteString[];
}

export interface LeaseLeasesResponse {
  header: ResponseHeader | undefined;
  leases: { id: bigint }[];
}

export interface Member {
  id: bigint;
  name: string;
  peerUrls: string[];
  clientUrls: string[];
  isLearner: boolean;
}

export interface MemberListRequest {
  linearizable: boolean;
}

export interface MemberListResponse {
  header: ResponseHeader | undefined;
  members: Member[];
}

export interface MemberAddRequest {
  peerUrls: string[];
  isLearner: boolean;
}

export interface MemberAddResponse {
  header: ResponseHeader | undefined;
  member: Member | undefined;
  members: Member[];
}

/** MemberRemoveRequest and MemberPromoteRequest. */
export interface MemberIdRequest {
  id: bigint;
}

export interface MemberUpdateRequest {
  id: bigint;
  peerUrls: string[];
}

/** MemberRemoveResponse, MemberUpdateResponse and MemberPromoteResponse: all members, as in MemberListResponse. */
export type MembersResponse = MemberListResponse;

export const alarmType = { none: 0, noSpace: 1, corrupt: 2 } as const;
export const alarmAction = { get: 0, activate: 1, deactivate: 2 } as const;

export interface AlarmRequest {
  action: number;
  memberId: bigint;
  alarm: number;
}

export interface AlarmMember {
  memberId: bigint;
  alarm: number;
}

export interface AlarmResponse {
  header: ResponseHeader | undefined;
  alarms: AlarmMember[];
}

export interface StatusResponse {
  header: ResponseHeader | undefined;
  version: string;
  dbSize: number;
  leader: bigint;
  raftIndex: number;
  raftTerm: number;
  raftAppliedIndex: number;
  errors: string[];
  dbSizeInUse: number;
  isLearner: boolean;
  storageVersion: string;
  dbSizeQuota: number;
}

export interface HashResponse {
  header: ResponseHeader | undefined;
  hash: number;
}

export interface HashKvRequest {
  revision: number;
}

export interface HashKvResponse {
  header: ResponseHeader | undefined;
  hash: number;
  compactRevision: number;
  hashRevision: number;
}

/** One piece of a backup; `header` is never set by a server. */
export interface SnapshotResponse {
  header: ResponseHeader | undefined;
  remainingBytes: number;
  /** A view of the message when decoded. */
  blob: Buffer;
  version: string;
}

export interface MoveLeaderRequest {
  targetId: bigint;
}

/** Maintenance.Defragment and every other answer that carries a header at most. */
export interface HeaderOnlyResponse {
  header: ResponseHeader | undefined;
}

/** A message without fields (StatusRequest, HashRequest, DefragmentRequest, LeaseLeasesRequest ...). */
export type EmptyMessage = Readonly<Record<never, never>>;

/** grpc.health.v1.HealthCheckResponse.ServingStatus. */
export const servingStatus = { unknown: 0, serving: 1, notServing: 2, serviceUnknown: 3 } as const;

/** grpc.health.v1; "" is the server as a whole. */
export interface HealthCheckRequest {
  service: string;
}

export interface HealthCheckResponse {
  /** A servingStatus. */
  status: number;
}

export interface HealthListResponse {
  /** By service name. */
  statuses: Map<string, HealthCheckResponse>;
}
