/** The services of the etcd API, and the transports that carry them. */
export { createGrpcTransport } from "./grpc-js/index.ts";
export { createMethodTable, type MethodTableOptions } from "./method-table.ts";
export { type MethodKind, type RpcRow, rpcTable } from "./rpc-table.ts";
export * from "./transport.ts";
export { CLUSTER_VERSION, ETCD_API_VERSION, PRODUCT_VERSION, STORAGE_VERSION } from "./version.ts";
export { createWireTransport } from "./wire/index.ts";
