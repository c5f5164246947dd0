/**
 * The server that test/wire/hostile-frames.ts attacks: one transport over the synthetic methods, plain and over TLS.
 * Started by fork; tells its ports, then answers each message with its numbers.
 */
import { readFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { limits } from "../../src/lib/limits.ts";
import { silentLog } from "../../src/lib/log.ts";
import { CallRecords } from "./call-records.ts";
import { HastyClock } from "./hasty-clock.ts";
import { syntheticMethods } from "./synthetic-methods.ts";
import { transportNamed } from "./transports.ts";

export interface ServerPorts {
  readonly plain: number;
  readonly tls: number;
}

export interface ServerNumbers {
  readonly openCalls: number;
  readonly openedCalls: number;
}

const HASTE = 10;

const tlsFile = (name: string): Buffer => readFileSync(new URL(`../suites/tls/${name}`, import.meta.url));

const records = new CallRecords();
const transport = transportNamed(process.argv[2] ?? "grpc-js")(records.recorded(syntheticMethods), {
  host: "127.0.0.1",
  port: 0,
  messageBytesMax: limits.requestSizeBytesMax + limits.grpcOverheadBytes,
  headerBytesMax: limits.headerBytesMax,
  concurrentStreamsMax: 20_000,
  keepalive: { minTimeMs: 5_000, intervalMs: 7_200_000, timeoutMs: 20_000 },
  tls: undefined,
  alsoListen: [
    {
      host: "127.0.0.1",
      port: 0,
      tls: { cert: tlsFile("localhost.cert.pem"), key: tlsFile("localhost.key.pem"), clientCa: undefined },
    },
  ],
  onHttp1: (socket) => {
    socket.on("error", () => {});
    socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  },
  observer: undefined,
  clock: new HastyClock(HASTE),
  log: silentLog,
});
await transport.listen();

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
process.on("message", () => {
  collect();
  const { openCalls, openedCalls } = records;
  process.send?.({ openCalls, openedCalls } satisfies ServerNumbers);
});
process.on("disconnect", () => void transport.close(0));
const [plain = 0, tls = 0] = transport.ports;
process.send?.({ plain, tls } satisfies ServerPorts);
