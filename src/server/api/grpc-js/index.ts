/** The gRPC transport over @grpc/grpc-js. */
import type { TransportFactory } from "../transport.ts";
import { GrpcTransport } from "./grpc-transport.ts";

/** A Transport over @grpc/grpc-js; throws nothing, `listen` rejects with the system's error. */
export const createGrpcTransport: TransportFactory = (methods, options) =>
  new GrpcTransport(methods, options);
