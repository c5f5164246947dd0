import {
  alarmType,
  type Compare,
  encodeAlarmRequest,
  encodeCompactionRequest,
  encodeDeleteRangeRequest,
  encodeHashKvRequest,
  encodeHealthCheckRequest,
  encodeLeaseGrantRequest,
  encodeLeaseKeepAliveRequest,
  encodeLeaseRevokeRequest,
  encodeLeaseTimeToLiveRequest,
  encodeMemberAddRequest,
  encodeMemberIdRequest,
  encodeMemberUpdateRequest,
  encodeMoveLeaderRequest,
  encodePutRequest,
  encodeRangeRequest,
  encodeTxnRequest,
  encodeWatchRequest,
  type PutRequest,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
} from "../../src/codec/index.ts";
import { type ByteString, EMPTY, fromUtf8, OPEN_END } from "../../src/lib/bytes.ts";
import { rpcTable } from "../../src/server/api/index.ts";
import type { RawPlan, Step } from "./call-plan.ts";
import type { Draw } from "./draw.ts";
import { SYNTHETIC } from "./synthetic-methods.ts";
import { framed, grpcHeaders, pieces } from "./synthetic-plans.ts";

const KEYS = 12;
/** It keeps how long each lease has left. */
const SNAPSHOT = "/etcdserverpb.Maintenance/Snapshot";
const unservedPaths = rpcTable.filter((row) => !row.isServed && row.kind === "unary").map((row) => row.path);

interface StoreRecipe {
  readonly weight: number;
  readonly path: string;
  request(draw: Draw): Buffer;
}

const key = (draw: Draw): ByteString => (draw.once(20) ? EMPTY : fromUtf8(`key/${draw.below(KEYS)}`));

function rangeEnd(draw: Draw): ByteString {
  return draw.pick([EMPTY, EMPTY, fromUtf8("key0"), fromUtf8("key/5"), OPEN_END]);
}

/** Mostly none; else one that may be known, compacted or yet to come. */
function revision(draw: Draw): number {
  return draw.once(3) ? draw.pick([1, 2, 5, 20, 100, 1_000, 1_000_000, -1]) : 0;
}

const leaseId = (draw: Draw): bigint => BigInt(draw.pick([0, 0, 0, 1, 2, 3, 99]));

function rangeOf(draw: Draw): RangeRequest {
  return {
    key: key(draw),
    rangeEnd: rangeEnd(draw),
    limit: draw.pick([0, 0, 1, 3, 1_000, -1]),
    revision: revision(draw),
    sortOrder: draw.pick([0, 0, 0, 1, 2, 9]),
    sortTarget: draw.pick([0, 0, 0, 1, 2, 3, 4, 9]),
    serializable: draw.once(3),
    keysOnly: draw.once(5),
    countOnly: draw.once(5),
    minModRevision: draw.once(8) ? draw.below(100) : 0,
    maxModRevision: draw.once(8) ? draw.below(100) : 0,
    minCreateRevision: draw.once(8) ? draw.below(100) : 0,
    maxCreateRevision: draw.once(8) ? draw.below(100) : 0,
  };
}

function putOf(draw: Draw): PutRequest {
  return {
    key: key(draw),
    value: fromUtf8(draw.once(30) ? "large ".repeat(3_000) : draw.text(20)),
    lease: leaseId(draw),
    prevKv: draw.once(3),
    ignoreValue: draw.once(10),
    ignoreLease: draw.once(10),
  };
}

function opOf(draw: Draw, depth: number): RequestOp {
  switch (draw.below(depth > 0 ? 8 : 7)) {
    case 0:
    case 1:
    case 2:
      return { case: "put", request: putOf(draw) };
    case 3:
    case 4:
      return { case: "range", request: rangeOf(draw) };
    case 5:
      return {
        case: "deleteRange",
        request: { key: key(draw), rangeEnd: rangeEnd(draw), prevKv: draw.once(2) },
      };
    case 6:
      return draw.once(10) ? { case: undefined } : { case: "put", request: putOf(draw) };
    default:
      return { case: "txn", request: txnOf(draw, depth - 1) };
  }
}

function compareOf(draw: Draw): Compare {
  const union = draw.pick<Compare["union"]>([
    { case: "version", value: draw.below(4) },
    { case: "createRevision", value: draw.below(200) },
    { case: "modRevision", value: draw.below(200) },
    { case: "value", value: fromUtf8(draw.text(3)) },
    { case: "lease", value: leaseId(draw) },
    { case: undefined },
  ]);
  return { result: draw.below(4), target: draw.below(5), key: key(draw), rangeEnd: rangeEnd(draw), union };
}

function txnOf(draw: Draw, depth: number): TxnRequest {
  const ops = (): RequestOp[] =>
    Array.from({ length: draw.once(200) ? 130 : draw.below(4) }, () => opOf(draw, depth));
  return {
    compare: Array.from({ length: draw.below(3) }, () => compareOf(draw)),
    success: ops(),
    failure: ops(),
  };
}

const empty = (): Buffer => Buffer.alloc(0);
const memberIds = [2n, 9n, 77n, 0xfedc_ba98_7654_3210n, 5n] as const;
const url = (draw: Draw): string[] => [
  draw.pick(["http://127.0.0.1:2380", "http://127.0.0.1:99", "bad", "unix://x"]),
];

const recipes: readonly StoreRecipe[] = [
  { weight: 30, path: "/etcdserverpb.KV/Put", request: (draw) => encodePutRequest(putOf(draw)) },
  { weight: 30, path: "/etcdserverpb.KV/Range", request: (draw) => encodeRangeRequest(rangeOf(draw)) },
  { weight: 8, path: "/etcdserverpb.KV/RangeStream", request: (draw) => encodeRangeRequest(rangeOf(draw)) },
  {
    weight: 10,
    path: "/etcdserverpb.KV/DeleteRange",
    request: (draw) =>
      encodeDeleteRangeRequest({ key: key(draw), rangeEnd: rangeEnd(draw), prevKv: draw.once(2) }),
  },
  { weight: 20, path: "/etcdserverpb.KV/Txn", request: (draw) => encodeTxnRequest(txnOf(draw, 2)) },
  {
    weight: 4,
    path: "/etcdserverpb.KV/Compact",
    request: (draw) =>
      encodeCompactionRequest({
        revision: draw.pick([0, 1, 10, 50, 200, 1_000, 10_000]),
        physical: draw.once(2),
      }),
  },
  {
    weight: 5,
    path: "/etcdserverpb.Lease/LeaseGrant",
    request: (draw) =>
      encodeLeaseGrantRequest({
        id: BigInt(draw.pick([0, 1, 2, 3])),
        ttl: draw.pick([1_000_000, 2_000_000, 9_000_000_001, 5_000_000]),
      }),
  },
  {
    weight: 3,
    path: "/etcdserverpb.Lease/LeaseRevoke",
    request: (draw) => encodeLeaseRevokeRequest({ id: leaseId(draw) }),
  },
  {
    weight: 3,
    path: "/etcdserverpb.Lease/LeaseTimeToLive",
    request: (draw) => encodeLeaseTimeToLiveRequest({ id: leaseId(draw), keys: draw.once(2) }),
  },
  { weight: 2, path: "/etcdserverpb.Lease/LeaseLeases", request: empty },
  { weight: 2, path: "/etcdserverpb.Cluster/MemberList", request: empty },
  {
    weight: 1,
    path: "/etcdserverpb.Cluster/MemberAdd",
    request: (draw) => encodeMemberAddRequest({ peerUrls: url(draw), isLearner: draw.once(2) }),
  },
  {
    weight: 2,
    path: "/etcdserverpb.Cluster/MemberRemove",
    request: (draw) => encodeMemberIdRequest({ id: draw.pick([77n, 5n]) }),
  },
  {
    weight: 1,
    path: "/etcdserverpb.Cluster/MemberUpdate",
    request: (draw) => encodeMemberUpdateRequest({ id: draw.pick(memberIds), peerUrls: url(draw) }),
  },
  {
    weight: 1,
    path: "/etcdserverpb.Cluster/MemberPromote",
    request: (draw) => encodeMemberIdRequest({ id: draw.pick(memberIds) }),
  },
  {
    weight: 3,
    path: "/etcdserverpb.Maintenance/Alarm",
    request: (draw) =>
      encodeAlarmRequest({
        // Raised less often than taken back: most puts are to succeed.
        action: draw.once(8) ? 1 : draw.pick([0, 2]),
        memberId: draw.pick([2n, 9n]),
        alarm: draw.pick([alarmType.noSpace, alarmType.none, 9]),
      }),
  },
  { weight: 3, path: "/etcdserverpb.Maintenance/Status", request: empty },
  { weight: 1, path: "/etcdserverpb.Maintenance/Defragment", request: empty },
  { weight: 1, path: "/etcdserverpb.Maintenance/Hash", request: empty },
  {
    weight: 2,
    path: "/etcdserverpb.Maintenance/HashKV",
    request: (draw) => encodeHashKvRequest({ revision: revision(draw) }),
  },
  { weight: 2, path: SNAPSHOT, request: empty },
  {
    weight: 1,
    path: "/etcdserverpb.Maintenance/MoveLeader",
    request: (draw) => encodeMoveLeaderRequest({ targetId: draw.pick(memberIds) }),
  },
  {
    weight: 2,
    path: "/grpc.health.v1.Health/Check",
    request: (draw) => encodeHealthCheckRequest({ service: draw.pick(["", "etcdserverpb.KV", "nothing"]) }),
  },
  { weight: 1, path: "/grpc.health.v1.Health/List", request: empty },
];

export function makeStorePlan(draw: Draw): RawPlan {
  const kind = draw.below(20);
  if (kind === 0) return watchPlan(draw);
  if (kind === 1) return keepAlivePlan(draw);
  if (kind === 2) return storePlan(draw, draw.pick(unservedPaths), draw.bytes(draw.below(10)));
  const recipe = draw.weighted(recipes);
  const request = recipe.request(draw);
  return storePlan(draw, recipe.path, draw.once(15) ? damaged(draw, request) : request);
}

function storePlan(draw: Draw, path: string, request: Buffer): RawPlan {
  const body = framed(request);
  const steps: Step[] = draw.once(2)
    ? [{ do: "finish", bytes: body }]
    : [{ do: "send", pieces: pieces(draw, body) }, { do: "finish" }];
  return plan(draw, path, steps);
}

function plan(draw: Draw, path: string, steps: readonly Step[]): RawPlan {
  const headers: Record<string, string> = { ...grpcHeaders };
  if (draw.once(5)) headers["hasleader"] = draw.pick(["true", "false", ""]);
  if (draw.once(5)) headers["client-api-version"] = draw.pick(["3.6.0", "3.5", "", "\u00ff", "x.y.z"]);
  if (draw.once(5)) headers["grpc-timeout"] = "60S";
  return {
    via: "http2",
    name: path,
    path,
    headers,
    steps,
    isAlone: false,
    isClocked: path === SNAPSHOT,
    isRace: false,
    isOfStore: true,
  };
}

/** A watch, a put that it may see, its cancel; each answer is waited for before the next step. */
function watchPlan(draw: Draw): RawPlan {
  const send = (request: Parameters<typeof encodeWatchRequest>[0]): Step => ({
    do: "send",
    pieces: pieces(draw, framed(encodeWatchRequest(request))),
  });
  const watchId = draw.pick([0, 0, 7]);
  const isSynced = draw.once(2);
  const request = {
    key: isSynced ? fromUtf8("key/") : key(draw),
    rangeEnd: isSynced ? fromUtf8("key0") : rangeEnd(draw),
    startRevision: isSynced ? 0 : draw.pick([0, 1, 5, 100, 1_000_000]),
    progressNotify: draw.once(4),
    filters: isSynced ? [] : draw.pick([[], [], [0], [1]]),
    prevKv: draw.once(2),
    watchId,
    fragment: draw.once(3),
  };
  const steps: Step[] = [send({ case: "create", request }), { do: "await messages", count: 1 }];
  if (isSynced) {
    const put = { key: fromUtf8("key/3"), value: fromUtf8(draw.text(9)), lease: 0n, prevKv: false };
    const body = framed(encodePutRequest({ ...put, ignoreValue: false, ignoreLease: false }));
    steps.push({ do: "aside", path: "/etcdserverpb.KV/Put", body, count: 2 });
    if (draw.once(2)) steps.push(send({ case: "cancel", watchId: 55 }), send({ case: undefined }));
  }
  // Half-closed or not: a watch goes on until its caller leaves.
  if (draw.once(3)) steps.push({ do: "finish" });
  // A call beside it is answered when all that stands before it has been taken: no race with the reset.
  steps.push({ do: "aside", path: `${SYNTHETIC}/EchoLater`, body: framed(Buffer.alloc(0)), count: 0 });
  return plan(draw, "/etcdserverpb.Watch/Watch", [...steps, { do: "reset", code: 8 }]);
}

function keepAlivePlan(draw: Draw): RawPlan {
  const steps: Step[] = [];
  const count = draw.between(0, 4);
  for (let sent = 1; sent <= count; sent++) {
    steps.push({ do: "send", pieces: [framed(encodeLeaseKeepAliveRequest({ id: leaseId(draw) }))] });
    if (draw.once(2)) steps.push({ do: "await messages", count: sent });
  }
  return plan(draw, "/etcdserverpb.Lease/LeaseKeepAlive", [...steps, { do: "finish" }]);
}

function damaged(draw: Draw, request: Buffer): Buffer {
  if (request.length === 0 || draw.once(3)) return Buffer.concat([request, draw.bytes(draw.between(1, 5))]);
  if (draw.once(2)) return request.subarray(0, draw.below(request.length));
  const copy = Buffer.from(request);
  copy[draw.below(copy.length)] = draw.below(256);
  return copy;
}
