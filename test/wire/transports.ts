import {
  createGrpcTransport,
  createWireTransport,
  type TransportFactory,
} from "../../src/server/api/index.ts";

/** The transports that the tools of this folder can drive, by the name that `--transport` takes. */
export const transports: Readonly<Record<string, TransportFactory>> = {
  "grpc-js": createGrpcTransport,
  wire: createWireTransport,
};

export function transportNamed(name: string): TransportFactory {
  const factory = transports[name];
  if (factory === undefined) {
    throw new Error(`no transport "${name}"; there are: ${Object.keys(transports).join(", ")}`);
  }
  return factory;
}
