/** The services of the etcd API, and the transports that carry them. */
export { createGrpcTransport } from "./grpc-js/index.ts";
export * from "./transport.ts";
