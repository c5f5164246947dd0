import {
  type AlarmMember,
  alarmType,
  decodeAlarmRequest,
  decodeHashKvRequest,
  decodeMoveLeaderRequest,
  encodeAlarmResponse,
  encodeDefragmentResponse,
  encodeHashKvResponse,
  encodeHashResponse,
  encodeHeaderOnlyResponse,
  encodeStatusResponse,
} from "../../../codec/index.ts";
import { errorTable, RequestError } from "../../../lib/errors.ts";
import type { ServerNode } from "../../node/index.ts";
import { headerAt } from "../response-header.ts";
import type { MethodHandler, UnaryHandler } from "../transport.ts";
import { ETCD_API_VERSION, STORAGE_VERSION } from "../version.ts";
import type { ServiceContext } from "./service-context.ts";
import { createSnapshotStream } from "./snapshot-stream.ts";

/** What an empty store weighs. Never 0: etcd's tools divide by the size, and leave a size of 0 out of their JSON. */
export const EMPTY_STORE_BYTES = 4_096;

/** etcdserverpb.Maintenance (semantics-cluster-maintenance-auth, part B), without Downgrade. */
export function createMaintenanceService(context: ServiceContext): Record<string, MethodHandler> {
  const { node, guard } = context;
  const currentHeader = () => headerAt(node.kv.currentRevision, node);

  const alarm: UnaryHandler = (bytes, call) => {
    const request = decodeAlarmRequest(bytes);
    guard.admit(call, false);
    return node
      .propose<"alarm">({ kind: "alarm", request })
      .then((alarms) => encodeAlarmResponse({ header: currentHeader(), alarms }));
  };

  const status: UnaryHandler = (_bytes, call) => {
    guard.admit(call, true);
    const stats = node.kv.stats();
    return encodeStatusResponse({
      header: currentHeader(),
      version: ETCD_API_VERSION,
      dbSize: EMPTY_STORE_BYTES + node.kv.storedBytes(),
      leader: node.leaderId,
      raftIndex: node.raftIndex,
      raftTerm: node.term,
      raftAppliedIndex: node.appliedIndex,
      errors: statusErrors(node),
      dbSizeInUse: EMPTY_STORE_BYTES + stats.sizeInUseBytes,
      isLearner: node.isLearner,
      storageVersion: STORAGE_VERSION,
      dbSizeQuota: node.quotaBytes,
    });
  };

  const defragment: UnaryHandler = (_bytes, call) => {
    guard.admit(call, false);
    return node.defragment().then(() => encodeDefragmentResponse({ header: undefined }));
  };

  /** etcd hashes its file here; any value that is equal on equal members serves clients as well. */
  const hash: UnaryHandler = (_bytes, call) => {
    guard.admit(call, false);
    return node.kv.hashKv(0).then((read) => encodeHashResponse({ header: currentHeader(), hash: read.hash }));
  };

  const hashKv: UnaryHandler = (bytes, call) => {
    const request = decodeHashKvRequest(bytes);
    guard.admit(call, false);
    return node.kv
      .hashKv(request.revision)
      .then((read) => encodeHashKvResponse({ header: currentHeader(), ...read }));
  };

  /** Whoever is not the leader cannot hand leadership over, not even by asking it. */
  const moveLeader: UnaryHandler = (bytes, call) => {
    const request = decodeMoveLeaderRequest(bytes);
    guard.admit(call, false);
    if (node.leaderId !== node.memberId) throw new RequestError("notLeader");
    return node.moveLeader(request.targetId).then(() => encodeHeaderOnlyResponse({ header: undefined }));
  };

  return {
    Alarm: { kind: "unary", handle: alarm },
    Status: { kind: "unary", handle: status },
    Defragment: { kind: "unary", handle: defragment },
    Hash: { kind: "unary", handle: hash },
    HashKV: { kind: "unary", handle: hashKv },
    Snapshot: createSnapshotStream(context),
    MoveLeader: { kind: "unary", handle: moveLeader },
  };
}

/** "etcdserver: no leader" and the alarms in protobuf's text form. */
function statusErrors(node: ServerNode): string[] {
  const errors: string[] = node.leaderId === 0n ? [errorTable.noLeader.text] : [];
  for (const alarm of node.alarms()) errors.push(alarmText(alarm));
  return errors;
}

function alarmText({ memberId, alarm }: AlarmMember): string {
  const fields: string[] = [];
  if (memberId !== 0n) fields.push(`memberID:${memberId}`);
  if (alarm === alarmType.noSpace) fields.push("alarm:NOSPACE");
  else if (alarm === alarmType.corrupt) fields.push("alarm:CORRUPT");
  else if (alarm !== alarmType.none) fields.push(`alarm:${alarm}`);
  return fields.join(" ");
}
