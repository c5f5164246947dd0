/**
 * The yardstick of the bench: a gRPC transport with canned answers behind it, so what remains is what the transport
 * costs. `node --import tsx test/bench/bare-server.ts <port> <wire|grpc-js>`
 */
import { SystemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { createGrpcTransport, createWireTransport, type MethodTable } from "../../src/server/api/index.ts";
import { Message } from "../harness/index.ts";

const header = new Message().integer(1, 1).integer(2, 1).integer(3, 1).integer(4, 1);
const answer = new Message().nested(1, header).encode();

const methods: MethodTable = new Map([
  ["/etcdserverpb.KV/Put", { kind: "unary", handle: () => answer }],
  ["/etcdserverpb.KV/Range", { kind: "unary", handle: () => answer }],
]);

const createTransport = process.argv[3] === "grpc-js" ? createGrpcTransport : createWireTransport;
const transport = createTransport(methods, {
  host: "127.0.0.1",
  port: Number(process.argv[2]),
  messageBytesMax: 2_097_152,
  headerBytesMax: 16_384,
  concurrentStreamsMax: 4_294_967_295,
  keepalive: { minTimeMs: 5_000, intervalMs: 7_200_000, timeoutMs: 20_000 },
  tls: undefined,
  alsoListen: [],
  onHttp1: undefined,
  observer: undefined,
  clock: new SystemClock(),
  log: silentLog,
});
await transport.listen();
