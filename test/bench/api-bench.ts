/**
 * What the services cost over the transport that carries them: server CPU per request at 100 clients for
 *   stock    a canned answer by @grpc/grpc-js as its users write it (raw buffers),
 *   bare     a canned answer through our grpc-js transport,
 *   put      KV.Put through guard, codec and the real store of a fake member (no log, no disk),
 *   range    KV.Range of one key, likewise.
 *
 *   node --import tsx test/bench/api-bench.ts [--rounds 25]
 *
 * All four are served by one child process and take turns of 200 ms, so that whatever else the machine does falls
 * on all alike; the median turn of each is shown.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type ClientHttp2Session, connect } from "node:http2";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { encodePutRequest, encodePutResponse, encodeRangeRequest } from "../../src/codec/index.ts";
import { createGrpcTransport, createMethodTable } from "../../src/server/api/index.ts";
import { transportOptions } from "../suites/transport-suite.ts";
import { tableOptions } from "../unit/server/api/fake-call.ts";
import { FakeNode } from "../unit/server/api/fake-node.ts";
import { putRequest, rangeRequest } from "../unit/server/api/requests.ts";

const CLIENTS = 100;
const SESSIONS = 10;
const TURN_MS = 200;
const WARM_UP_MS = 1_000;
const putPath = "/etcdserverpb.KV/Put";
const rangePath = "/etcdserverpb.KV/Range";
const put = encodePutRequest(putRequest("bench-00", "v".repeat(256)));
const range = encodeRangeRequest(rangeRequest("bench-00"));
const canned = encodePutResponse({
  header: { clusterId: 0xfedcba9876543210n, memberId: 0x123456789abcdefn, revision: 123_456, raftTerm: 3 },
  prevKv: undefined,
});

interface Ports {
  readonly stock: number;
  readonly bare: number;
  readonly services: number;
}

interface Mode {
  readonly name: string;
  readonly port: keyof Ports;
  readonly path: string;
  readonly request: Buffer;
}

const modes: readonly Mode[] = [
  { name: "stock", port: "stock", path: putPath, request: put },
  { name: "bare", port: "bare", path: putPath, request: put },
  { name: "put", port: "services", path: putPath, request: put },
  { name: "range", port: "services", path: rangePath, request: range },
];

async function serve(): Promise<void> {
  const node = new FakeNode();
  node.kv.put(putRequest("bench-00", "v".repeat(256)));
  const options = { ...transportOptions, messageBytesMax: 2_097_152 };
  const bare = new Map([[putPath, { kind: "unary" as const, handle: () => canned }]]);
  const ports: Ports = {
    stock: await listenStock(),
    bare: await createGrpcTransport(bare, options).listen(),
    services: await createGrpcTransport(createMethodTable(node, tableOptions), options).listen(),
  };
  let before = process.cpuUsage();
  process.on("message", () => {
    const used = process.cpuUsage(before);
    before = process.cpuUsage();
    process.send?.(used.user + used.system);
  });
  process.send?.(ports);
}

function listenStock(): Promise<number> {
  const same = (message: Buffer): Buffer => message;
  const server = new Server();
  const method = {
    path: putPath,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const handler = (_call: unknown, answer: (error: null, message: Buffer) => void) => answer(null, canned);
  server.addService({ Put: method }, { Put: handler });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}

/** Server CPU in microseconds per request of one turn. */
async function takeTurn(child: ChildProcess, mode: Mode, sessions: ClientHttp2Session[], ms: number) {
  const body = Buffer.concat([Buffer.alloc(5), mode.request]);
  body.writeUInt32BE(mode.request.length, 1);
  await cpuMicrosSinceLast(child);
  let count = 0;
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    while (!isOver) {
      await callOnce(sessions[i % SESSIONS] as ClientHttp2Session, mode.path, body);
      count++;
    }
  });
  await new Promise((resolve) => setTimeout(resolve, ms));
  isOver = true;
  await Promise.all(clients);
  return (await cpuMicrosSinceLast(child)) / count;
}

async function cpuMicrosSinceLast(child: ChildProcess): Promise<number> {
  child.send("read");
  const [micros] = (await once(child, "message")) as [number];
  return micros;
}

function callOnce(session: ClientHttp2Session, path: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
    const stream = session.request(headers);
    let code: unknown;
    stream.on("trailers", (trailers) => {
      code = trailers["grpc-status"];
    });
    stream.on("error", reject);
    stream.on("close", () => (code === "0" ? resolve() : reject(new Error(`status ${String(code)}`))));
    stream.resume();
    stream.end(body);
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { role: { type: "string" }, rounds: { type: "string", default: "25" } },
  });
  if (values.role === "server") return serve();
  const child = fork(fileURLToPath(import.meta.url), ["--role", "server"]);
  const [ports] = (await once(child, "message")) as [Ports];
  const turns = modes.map((mode) => ({
    mode,
    sessions: Array.from({ length: SESSIONS }, () => connect(`http://127.0.0.1:${ports[mode.port]}`)),
    micros: [] as number[],
  }));
  for (const { mode, sessions } of turns) await takeTurn(child, mode, sessions, WARM_UP_MS);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const { mode, sessions, micros } of turns) {
      micros.push(await takeTurn(child, mode, sessions, TURN_MS));
    }
  }
  for (const { mode, micros } of turns) {
    const sorted = micros.toSorted((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
    console.log(`${mode.name.padEnd(6)} ${median.toFixed(1).padStart(6)} µs of server CPU per request`);
  }
  for (const { sessions } of turns) for (const session of sessions) session.destroy();
  child.kill();
}

await main();
