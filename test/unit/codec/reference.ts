import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from "@grpc/proto-loader";

export const protoFolder = fileURLToPath(new URL("../../../proto", import.meta.url));

/** Every proto file, loaded by the library that gRPC clients for Node use. */
export const protoFiles = [
  "auth.proto",
  "election.proto",
  "health.proto",
  "kv.proto",
  "lock.proto",
  "metastore.proto",
  "rpc.proto",
] as const;

export const packages: PackageDefinition = loadSync([...protoFiles], {
  includeDirs: [protoFolder],
  keepCase: true,
  longs: String,
  enums: Number,
  defaults: true,
  oneofs: false,
});

/** A message as proto-loader holds it: field names of the proto file, int64 as decimal text, bytes as Buffer. */
export type WireObject = Record<string, unknown>;

export interface ReferenceCodec {
  encode(message: WireObject): Buffer;
  decode(bytes: Uint8Array): WireObject;
}

/** proto-loader's codec of the message `name` ("etcdserverpb.PutRequest"). */
export function referenceCodec(name: string): ReferenceCodec {
  const definition = packages[name];
  assert(definition !== undefined && isMessage(definition), `${name} is not in proto/`);
  return {
    encode: (message) => definition.serialize(message),
    decode: (bytes) => definition.deserialize(Buffer.from(bytes)) as WireObject,
  };
}

function isMessage(
  definition: PackageDefinition[string],
): definition is MessageTypeDefinition<object, object> {
  return definition.format === "Protocol Buffer 3 DescriptorProto";
}
