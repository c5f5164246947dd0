import * as codec from "../../../src/codec/index.ts";

/** A codec whose message type is given by its name alone. */
export interface CodecUnderTest {
  encode(message: object): Buffer;
  decode(bytes: Uint8Array): object;
}

function row<T extends object>(
  encode: (message: T) => Buffer,
  decode: (bytes: Uint8Array) => T,
): CodecUnderTest {
  return { encode: (message) => encode(message as T), decode };
}

/** Every codec of src/codec, by the message it is for. */
export const codecsUnderTest: Readonly<Record<string, CodecUnderTest>> = {
  "mvccpb.KeyValue": row(codec.encodeKeyValue, codec.decodeKeyValue),
  "mvccpb.Event": row(codec.encodeEvent, codec.decodeEvent),
  "etcdserverpb.RangeRequest": row(codec.encodeRangeRequest, codec.decodeRangeRequest),
  "etcdserverpb.RangeResponse": row(codec.encodeRangeResponse, codec.decodeRangeResponse),
  "etcdserverpb.RangeStreamResponse": row(codec.encodeRangeStreamResponse, codec.decodeRangeStreamResponse),
  "etcdserverpb.PutRequest": row(codec.encodePutRequest, codec.decodePutRequest),
  "etcdserverpb.PutResponse": row(codec.encodePutResponse, codec.decodePutResponse),
  "etcdserverpb.DeleteRangeRequest": row(codec.encodeDeleteRangeRequest, codec.decodeDeleteRangeRequest),
  "etcdserverpb.DeleteRangeResponse": row(codec.encodeDeleteRangeResponse, codec.decodeDeleteRangeResponse),
  "etcdserverpb.TxnRequest": row(codec.encodeTxnRequest, (bytes) => codec.decodeTxnRequest(bytes)),
  "etcdserverpb.TxnResponse": row(codec.encodeTxnResponse, codec.decodeTxnResponse),
  "etcdserverpb.CompactionRequest": row(codec.encodeCompactionRequest, codec.decodeCompactionRequest),
  "etcdserverpb.CompactionResponse": row(codec.encodeCompactionResponse, codec.decodeCompactionResponse),
  "etcdserverpb.WatchRequest": row(codec.encodeWatchRequest, codec.decodeWatchRequest),
  "etcdserverpb.WatchResponse": row<codec.WatchResponse>(
    (message) => codec.encodeWatchResponse(message),
    codec.decodeWatchResponse,
  ),
  "etcdserverpb.LeaseGrantRequest": row(codec.encodeLeaseGrantRequest, codec.decodeLeaseGrantRequest),
  "etcdserverpb.LeaseGrantResponse": row(codec.encodeLeaseGrantResponse, codec.decodeLeaseGrantResponse),
  "etcdserverpb.LeaseRevokeRequest": row(codec.encodeLeaseRevokeRequest, codec.decodeLeaseRevokeRequest),
  "etcdserverpb.LeaseRevokeResponse": row(codec.encodeLeaseRevokeResponse, codec.decodeLeaseRevokeResponse),
  "etcdserverpb.LeaseKeepAliveRequest": row(
    codec.encodeLeaseKeepAliveRequest,
    codec.decodeLeaseKeepAliveRequest,
  ),
  "etcdserverpb.LeaseKeepAliveResponse": row(
    codec.encodeLeaseKeepAliveResponse,
    codec.decodeLeaseKeepAliveResponse,
  ),
  "etcdserverpb.LeaseTimeToLiveRequest": row(
    codec.encodeLeaseTimeToLiveRequest,
    codec.decodeLeaseTimeToLiveRequest,
  ),
  "etcdserverpb.LeaseTimeToLiveResponse": row(
    codec.encodeLeaseTimeToLiveResponse,
    codec.decodeLeaseTimeToLiveResponse,
  ),
  "etcdserverpb.LeaseLeasesRequest": row(codec.encodeEmptyMessage, codec.decodeEmptyMessage),
  "etcdserverpb.LeaseLeasesResponse": row(codec.encodeLeaseLeasesResponse, codec.decodeLeaseLeasesResponse),
  "etcdserverpb.Member": row(codec.encodeMember, codec.decodeMember),
  "etcdserverpb.MemberListRequest": row(codec.encodeMemberListRequest, codec.decodeMemberListRequest),
  "etcdserverpb.MemberListResponse": row(codec.encodeMemberListResponse, codec.decodeMemberListResponse),
  "etcdserverpb.MemberAddRequest": row(codec.encodeMemberAddRequest, codec.decodeMemberAddRequest),
  "etcdserverpb.MemberAddResponse": row(codec.encodeMemberAddResponse, codec.decodeMemberAddResponse),
  "etcdserverpb.MemberRemoveRequest": row(codec.encodeMemberIdRequest, codec.decodeMemberIdRequest),
  "etcdserverpb.MemberRemoveResponse": row(codec.encodeMembersResponse, codec.decodeMembersResponse),
  "etcdserverpb.MemberUpdateRequest": row(codec.encodeMemberUpdateRequest, codec.decodeMemberUpdateRequest),
  "etcdserverpb.MemberUpdateResponse": row(codec.encodeMembersResponse, codec.decodeMembersResponse),
  "etcdserverpb.MemberPromoteRequest": row(codec.encodeMemberIdRequest, codec.decodeMemberIdRequest),
  "etcdserverpb.MemberPromoteResponse": row(codec.encodeMembersResponse, codec.decodeMembersResponse),
  "etcdserverpb.MoveLeaderRequest": row(codec.encodeMoveLeaderRequest, codec.decodeMoveLeaderRequest),
  "etcdserverpb.AlarmRequest": row(codec.encodeAlarmRequest, codec.decodeAlarmRequest),
  "etcdserverpb.AlarmMember": row(codec.encodeAlarmMember, codec.decodeAlarmMember),
  "etcdserverpb.AlarmResponse": row(codec.encodeAlarmResponse, codec.decodeAlarmResponse),
  "etcdserverpb.StatusRequest": row(codec.encodeEmptyMessage, codec.decodeEmptyMessage),
  "etcdserverpb.StatusResponse": row(codec.encodeStatusResponse, codec.decodeStatusResponse),
  "etcdserverpb.HashRequest": row(codec.encodeEmptyMessage, codec.decodeEmptyMessage),
  "etcdserverpb.HashResponse": row(codec.encodeHashResponse, codec.decodeHashResponse),
  "etcdserverpb.HashKVRequest": row(codec.encodeHashKvRequest, codec.decodeHashKvRequest),
  "etcdserverpb.HashKVResponse": row(codec.encodeHashKvResponse, codec.decodeHashKvResponse),
  "etcdserverpb.SnapshotRequest": row(codec.encodeEmptyMessage, codec.decodeEmptyMessage),
  "etcdserverpb.SnapshotResponse": row(codec.encodeSnapshotResponse, codec.decodeSnapshotResponse),
  "etcdserverpb.DefragmentRequest": row(codec.encodeEmptyMessage, codec.decodeEmptyMessage),
  "etcdserverpb.DefragmentResponse": row(codec.encodeDefragmentResponse, codec.decodeDefragmentResponse),
  "etcdserverpb.MoveLeaderResponse": row(codec.encodeHeaderOnlyResponse, codec.decodeHeaderOnlyResponse),
  "grpc.health.v1.HealthCheckRequest": row(codec.encodeHealthCheckRequest, codec.decodeHealthCheckRequest),
  "grpc.health.v1.HealthCheckResponse": row(codec.encodeHealthCheckResponse, codec.decodeHealthCheckResponse),
};
