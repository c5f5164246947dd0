/**
 * What encoding and decoding cost, in nanoseconds per message, beside proto-loader: npx tsx test/bench/codec-bench.ts
 */

import { fileURLToPath } from "node:url";
import { loadSync, type MessageTypeDefinition } from "@grpc/proto-loader";
import * as codec from "../../src/codec/index.ts";
import type { ByteString } from "../../src/lib/bytes.ts";
import { decodeCommand, encodeCommand } from "../../src/server/state/index.ts";

const KEY = "k/000042" as ByteString;
const VALUE = "v".repeat(256) as ByteString;
const WARM_UP_MS = 100;
const ROUNDS = 40;
const ROUND_MS = 5;

interface Case {
  readonly name: string;
  readonly encode: () => unknown;
  readonly decode: (() => unknown) | undefined;
  readonly reference: { readonly encode: () => unknown; readonly decode: () => unknown } | undefined;
}

const reference = loadSync("rpc.proto", {
  includeDirs: [fileURLToPath(new URL("../../proto", import.meta.url))],
  keepCase: true,
  longs: String,
  enums: Number,
  defaults: true,
});

const header = {
  clusterId: 0xcdf8_1819_4e3a_8c32n,
  memberId: 0x8e9e_05c5_2164_694dn,
  revision: 123_456,
  raftTerm: 7,
};
const put: codec.PutRequest = {
  key: KEY,
  value: VALUE,
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
};
const range: codec.RangeRequest = {
  key: KEY,
  rangeEnd: "k/000043" as ByteString,
  limit: 100,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: true,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
};

function keyValue(i: number): codec.KeyValue {
  return {
    key: `k/${String(i).padStart(6, "0")}` as ByteString,
    createRevision: 1_000 + i,
    modRevision: 100_000 + i,
    version: 1 + (i % 9),
    value: VALUE,
    lease: 0n,
  };
}

const kvs = Array.from({ length: 1_000 }, (_, i) => keyValue(i));
const events = kvs
  .slice(0, 10)
  .map((kv): codec.Event => ({ type: codec.eventType.put, kv, prevKv: undefined }));
const encodedEvents = events.map(codec.encodeEvent);
const rangeResponse: codec.RangeResponse = { header, kvs, more: false, count: kvs.length };
const watchResponse: codec.WatchResponse = {
  header,
  watchId: 42,
  created: false,
  canceled: false,
  compactRevision: 0,
  cancelReason: "",
  fragment: false,
  events,
};
const txn: codec.TxnRequest = {
  compare: [
    {
      result: 0,
      target: 2,
      key: KEY,
      rangeEnd: "" as ByteString,
      union: { case: "modRevision", value: 123_456 },
    },
  ],
  success: [{ case: "put", request: put }],
  failure: [{ case: "range", request: range }],
};
const lease = 0x1234_5678_9abc_def0n;
const commandId = { proposer: header.memberId, runId: 123_456_789, sequence: 987_654 };

function ours<T>(
  name: string,
  message: T,
  encode: (message: T) => Buffer,
  decode: (bytes: Uint8Array) => T,
  referenceName?: string,
): Case {
  const bytes = encode(message);
  return {
    name,
    encode: () => encode(message),
    decode: () => decode(bytes),
    reference: referenceName === undefined ? undefined : theirs(referenceName, bytes),
  };
}

function theirs(name: string, bytes: Buffer): { encode: () => unknown; decode: () => unknown } {
  const definition = reference[name] as MessageTypeDefinition<object, object>;
  const message = definition.deserialize(bytes);
  return { encode: () => definition.serialize(message), decode: () => definition.deserialize(bytes) };
}

const cases: readonly Case[] = [
  ours("PutRequest", put, codec.encodePutRequest, codec.decodePutRequest, "etcdserverpb.PutRequest"),
  ours("PutRequest with a lease", { ...put, lease }, codec.encodePutRequest, codec.decodePutRequest),
  ours(
    "PutResponse",
    { header, prevKv: undefined },
    codec.encodePutResponse,
    codec.decodePutResponse,
    "etcdserverpb.PutResponse",
  ),
  ours(
    "RangeRequest",
    range,
    codec.encodeRangeRequest,
    codec.decodeRangeRequest,
    "etcdserverpb.RangeRequest",
  ),
  ours(
    "RangeResponse of 1",
    { ...rangeResponse, kvs: kvs.slice(0, 1), count: 1 },
    codec.encodeRangeResponse,
    codec.decodeRangeResponse,
    "etcdserverpb.RangeResponse",
  ),
  ours(
    "RangeResponse of 1000",
    rangeResponse,
    codec.encodeRangeResponse,
    codec.decodeRangeResponse,
    "etcdserverpb.RangeResponse",
  ),
  ours(
    "TxnRequest (guarded put)",
    txn,
    codec.encodeTxnRequest,
    (bytes) => codec.decodeTxnRequest(bytes, { opsMax: 128 }),
    "etcdserverpb.TxnRequest",
  ),
  ours(
    "WatchResponse of 10",
    watchResponse,
    (message) => codec.encodeWatchResponse(message),
    codec.decodeWatchResponse,
    "etcdserverpb.WatchResponse",
  ),
  {
    name: "WatchResponse of 10 encoded",
    encode: () => codec.encodeWatchResponse(watchResponse, encodedEvents),
    decode: undefined,
    reference: undefined,
  },
  {
    name: "WatchResponse of 1 encoded",
    encode: () => codec.encodeWatchResponse(watchResponse, encodedEvents.slice(0, 1)),
    decode: undefined,
    reference: undefined,
  },
  ours(
    "LeaseKeepAliveResponse",
    { header, id: lease, ttl: 60 },
    codec.encodeLeaseKeepAliveResponse,
    codec.decodeLeaseKeepAliveResponse,
    "etcdserverpb.LeaseKeepAliveResponse",
  ),
  {
    name: "Command of a put",
    encode: () => encodeCommand(commandId, { kind: "put", request: put }),
    decode: commandDecoder(),
    reference: undefined,
  },
];

function commandDecoder(): () => unknown {
  const bytes = encodeCommand(commandId, { kind: "put", request: put });
  return () => decodeCommand(bytes);
}

/** CPU time of the fastest of many short rounds: the others were disturbed by what else runs on the machine. */
function nanosecondsPerCall(run: () => unknown): number {
  const warmUpEndMs = performance.now() + WARM_UP_MS;
  let calls = 0;
  for (; performance.now() < warmUpEndMs; calls++) run();
  calls = Math.max(1, Math.floor((calls * ROUND_MS) / WARM_UP_MS));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    for (let i = 0; i < calls; i++) run();
    const { user, system } = process.cpuUsage(start);
    best = Math.min(best, ((user + system) * 1e3) / calls);
  }
  return best;
}

function print(row: readonly string[]): void {
  process.stdout.write(
    `${(row[0] ?? "").padEnd(30)}${row
      .slice(1)
      .map((cell) => cell.padStart(16))
      .join("")}\n`,
  );
}

function measured(run: (() => unknown) | undefined): string {
  return run === undefined ? "-" : nanosecondsPerCall(run).toFixed(0);
}

print(["ns per message", "encode", "decode", "loader encode", "loader decode"]);
for (const { name, encode, decode, reference: theirCodec } of cases) {
  print([
    name,
    measured(encode),
    measured(decode),
    measured(theirCodec?.encode),
    measured(theirCodec?.decode),
  ]);
}
