import * as codec from "../codec/index.ts";

/** A unary method: its path and its codecs. */
export interface UnaryMethod<Request, Response> {
  readonly path: string;
  /** Whether it changes nothing, so that repeating it is safe. */
  readonly isRead: boolean;
  readonly encode: (request: Request) => Buffer;
  readonly decode: (bytes: Buffer) => Response;
}

function unary<Request, Response>(
  path: string,
  isRead: boolean,
  encode: (request: Request) => Buffer,
  decode: (bytes: Buffer) => Response,
): UnaryMethod<Request, Response> {
  return { path: `/etcdserverpb.${path}`, isRead, encode, decode };
}

const noBytes = Buffer.alloc(0);
/** Requests without fields are no bytes at all. */
const encodeEmpty = (_request: undefined): Buffer => noBytes;

export const watchPath = "/etcdserverpb.Watch/Watch";
export const snapshotPath = "/etcdserverpb.Maintenance/Snapshot";
export const keepAlivePath = "/etcdserverpb.Lease/LeaseKeepAlive";

export const methods = {
  range: unary("KV/Range", true, codec.encodeRangeRequest, codec.decodeRangeResponse),
  put: unary("KV/Put", false, codec.encodePutRequest, codec.decodePutResponse),
  deleteRange: unary(
    "KV/DeleteRange",
    false,
    codec.encodeDeleteRangeRequest,
    codec.decodeDeleteRangeResponse,
  ),
  txn: unary("KV/Txn", false, codec.encodeTxnRequest, codec.decodeTxnResponse),
  compact: unary("KV/Compact", false, codec.encodeCompactionRequest, codec.decodeCompactionResponse),
  leaseGrant: unary("Lease/LeaseGrant", false, codec.encodeLeaseGrantRequest, codec.decodeLeaseGrantResponse),
  leaseRevoke: unary(
    "Lease/LeaseRevoke",
    false,
    codec.encodeLeaseRevokeRequest,
    codec.decodeLeaseRevokeResponse,
  ),
  leaseTimeToLive: unary(
    "Lease/LeaseTimeToLive",
    true,
    codec.encodeLeaseTimeToLiveRequest,
    codec.decodeLeaseTimeToLiveResponse,
  ),
  leaseLeases: unary("Lease/LeaseLeases", true, encodeEmpty, codec.decodeLeaseLeasesResponse),
  memberList: unary(
    "Cluster/MemberList",
    true,
    codec.encodeMemberListRequest,
    codec.decodeMemberListResponse,
  ),
  memberAdd: unary("Cluster/MemberAdd", false, codec.encodeMemberAddRequest, codec.decodeMemberAddResponse),
  memberRemove: unary(
    "Cluster/MemberRemove",
    false,
    codec.encodeMemberIdRequest,
    codec.decodeMembersResponse,
  ),
  memberUpdate: unary(
    "Cluster/MemberUpdate",
    false,
    codec.encodeMemberUpdateRequest,
    codec.decodeMembersResponse,
  ),
  memberPromote: unary(
    "Cluster/MemberPromote",
    false,
    codec.encodeMemberIdRequest,
    codec.decodeMembersResponse,
  ),
  alarm: unary("Maintenance/Alarm", false, codec.encodeAlarmRequest, codec.decodeAlarmResponse),
  status: unary("Maintenance/Status", true, encodeEmpty, codec.decodeStatusResponse),
  hashKv: unary("Maintenance/HashKV", true, codec.encodeHashKvRequest, codec.decodeHashKvResponse),
  moveLeader: unary(
    "Maintenance/MoveLeader",
    false,
    codec.encodeMoveLeaderRequest,
    codec.decodeHeaderOnlyResponse,
  ),
  defragment: unary("Maintenance/Defragment", false, encodeEmpty, codec.decodeHeaderOnlyResponse),
} as const;
