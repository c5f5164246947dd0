import type { MethodHandler } from "./transport.ts";

export type MethodKind = MethodHandler["kind"];

/** One RPC of the published API. `isServed` false: answered with UNIMPLEMENTED and a text that names it. */
export interface RpcRow {
  readonly path: string;
  readonly kind: MethodKind;
  readonly isServed: boolean;
}

type ServiceRow = readonly [method: string, kind: MethodKind, state: "served" | "later"];

/** Every service of proto/ and every method of it; a test holds this table to the proto files. */
const services: Readonly<Record<string, readonly ServiceRow[]>> = {
  "etcdserverpb.KV": [
    ["Range", "unary", "served"],
    ["RangeStream", "serverStream", "served"],
    ["Put", "unary", "served"],
    ["DeleteRange", "unary", "served"],
    ["Txn", "unary", "served"],
    ["Compact", "unary", "served"],
  ],
  "etcdserverpb.Watch": [["Watch", "duplex", "served"]],
  "etcdserverpb.Lease": [
    ["LeaseGrant", "unary", "served"],
    ["LeaseRevoke", "unary", "served"],
    ["LeaseKeepAlive", "duplex", "served"],
    ["LeaseTimeToLive", "unary", "served"],
    ["LeaseLeases", "unary", "served"],
  ],
  "etcdserverpb.Cluster": [
    ["MemberAdd", "unary", "served"],
    ["MemberRemove", "unary", "served"],
    ["MemberUpdate", "unary", "served"],
    ["MemberList", "unary", "served"],
    ["MemberPromote", "unary", "served"],
  ],
  "etcdserverpb.Maintenance": [
    ["Alarm", "unary", "served"],
    ["Status", "unary", "served"],
    ["Defragment", "unary", "served"],
    ["Hash", "unary", "served"],
    ["HashKV", "unary", "served"],
    ["Snapshot", "serverStream", "served"],
    ["MoveLeader", "unary", "served"],
    ["Downgrade", "unary", "later"],
  ],
  "etcdserverpb.Auth": [
    ["AuthEnable", "unary", "later"],
    ["AuthDisable", "unary", "later"],
    // Clients without credentials never call it, so it may come with the rest of Auth.
    ["AuthStatus", "unary", "later"],
    ["Authenticate", "unary", "later"],
    ["UserAdd", "unary", "later"],
    ["UserGet", "unary", "later"],
    ["UserList", "unary", "later"],
    ["UserDelete", "unary", "later"],
    ["UserChangePassword", "unary", "later"],
    ["UserGrantRole", "unary", "later"],
    ["UserRevokeRole", "unary", "later"],
    ["RoleAdd", "unary", "later"],
    ["RoleGet", "unary", "later"],
    ["RoleList", "unary", "later"],
    ["RoleDelete", "unary", "later"],
    ["RoleGrantPermission", "unary", "later"],
    ["RoleRevokePermission", "unary", "later"],
  ],
  "v3lockpb.Lock": [
    ["Lock", "unary", "later"],
    ["Unlock", "unary", "later"],
  ],
  "v3electionpb.Election": [
    ["Campaign", "unary", "later"],
    ["Proclaim", "unary", "later"],
    ["Leader", "unary", "later"],
    ["Observe", "serverStream", "later"],
    ["Resign", "unary", "later"],
  ],
  "grpc.health.v1.Health": [
    ["Check", "unary", "served"],
    ["List", "unary", "served"],
    ["Watch", "serverStream", "served"],
  ],
};

export const rpcTable: readonly RpcRow[] = Object.entries(services).flatMap(([service, rows]) =>
  rows.map(([method, kind, state]) => ({
    path: `/${service}/${method}`,
    kind,
    isServed: state === "served",
  })),
);
