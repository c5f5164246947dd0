import type { TransportFactory } from "../transport.ts";
import { WireTransport } from "./wire-transport.ts";

/** HTTP/2 and gRPC by our own hand, the default transport (DESIGN.md). */
export const createWireTransport: TransportFactory = (methods, options) =>
  new WireTransport(methods, options);
