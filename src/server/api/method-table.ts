import { assert } from "../../lib/assert.ts";
import { grpcCode, StatusError } from "../../lib/errors.ts";
import type { ServerNode } from "../node/index.ts";
import { Guard, type GuardOptions } from "./guard.ts";
import { type RpcRow, rpcTable } from "./rpc-table.ts";
import { createClusterService } from "./services/cluster.ts";
import { createHealthService } from "./services/health.ts";
import { createKvService } from "./services/kv.ts";
import { createLeaseService } from "./services/lease.ts";
import { createMaintenanceService } from "./services/maintenance.ts";
import type { ServiceContext } from "./services/service-context.ts";
import { createWatchService } from "./services/watch.ts";
import type { MethodHandler, MethodTable } from "./transport.ts";

export interface MethodTableOptions extends GuardOptions {
  /** Largest command (--max-request-bytes). */
  readonly requestBytesMax: number;
  /** Operations per list of a transaction (--max-txn-ops). */
  readonly txnOpsMax: number;
}

/** Every RPC of rpc-table.ts with its handler over `node`. AssertionError when table and services disagree. */
export function createMethodTable(node: ServerNode, options: MethodTableOptions): MethodTable {
  const context: ServiceContext = {
    node,
    guard: new Guard(node, options),
    clock: options.clock,
    log: options.log,
    requestBytesMax: options.requestBytesMax,
    txnOpsMax: options.txnOpsMax,
  };
  const served = new Map<string, MethodHandler>([
    ...under("etcdserverpb.KV", createKvService(context)),
    ...under("etcdserverpb.Watch", createWatchService(context)),
    ...under("etcdserverpb.Lease", createLeaseService(context)),
    ...under("etcdserverpb.Cluster", createClusterService(context)),
    ...under("etcdserverpb.Maintenance", createMaintenanceService(context)),
    ...under("grpc.health.v1.Health", createHealthService()),
  ]);
  const methods = new Map(rpcTable.map((row) => [row.path, handlerFor(row, served.get(row.path))]));
  assert(served.size === rpcTable.filter((row) => row.isServed).length, "every served method has a row");
  return methods;
}

function under(service: string, methods: Record<string, MethodHandler>): [string, MethodHandler][] {
  return Object.entries(methods).map(([method, handler]) => [`/${service}/${method}`, handler]);
}

function handlerFor(row: RpcRow, served: MethodHandler | undefined): MethodHandler {
  assert(
    row.isServed === (served !== undefined),
    `${row.path}: table and service agree on whether it is served`,
  );
  if (served === undefined) return unserved(row);
  assert(served.kind === row.kind, `${row.path}: table and service agree on its kind`);
  return served;
}

function unserved({ path, kind }: RpcRow): MethodHandler {
  const [service = "", method = ""] = path.slice(1).split("/");
  const name = `${service.slice(service.indexOf(".") + 1)}.${method}`;
  const refusal = (): StatusError =>
    new StatusError(grpcCode.unimplemented, `etcdserver: ${name} is not served by this version of MetaStore`);
  switch (kind) {
    case "unary":
      return { kind, handle: () => Promise.reject(refusal()) };
    case "serverStream":
      return { kind, handle: (_request, stream) => stream.end(refusal()) };
    case "duplex":
      return { kind, handle: (stream) => stream.end(refusal()) };
  }
}
