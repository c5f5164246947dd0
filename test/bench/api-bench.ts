/**
 * What the services cost over the transport that carries them: requests per second and server CPU per request at
 * 100 clients for
 *   stock    a canned answer by @grpc/grpc-js as its users write it (raw buffers),
 *   bare     a canned answer through our grpc-js transport,
 *   put      KV.Put through guard, codec and the real store of a fake member (no log, no disk),
 *   range    KV.Range, likewise, of one key.
 *
 *   node --import tsx test/bench/api-bench.ts [--seconds 3] [--rounds 3]
 *
 * The server is a child process, so the CPU is its own. Rounds alternate; the middle one of each mode is shown.
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

type Mode = "stock" | "bare" | "put" | "range";
const modes: readonly Mode[] = ["stock", "bare", "put", "range"];
const CLIENTS = 100;
const SESSIONS = 10;
const putPath = "/etcdserverpb.KV/Put";
const request = encodePutRequest(putRequest("bench-00", "v".repeat(256)));
const canned = encodePutResponse({
  header: { clusterId: 0xfedcba9876543210n, memberId: 0x123456789abcdefn, revision: 123_456, raftTerm: 3 },
  prevKv: undefined,
});

interface Result {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

async function serve(mode: Mode): Promise<void> {
  const port = mode === "stock" ? await listenStock() : await listenOurs(mode);
  let before = process.cpuUsage();
  process.on("message", (message) => {
    if (message === "start") before = process.cpuUsage();
    else {
      const used = process.cpuUsage(before);
      process.send?.({ cpuMicros: used.user + used.system });
    }
  });
  process.send?.({ port });
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
  server.addService(
    { Put: method },
    { Put: (_call: unknown, answer: (e: null, m: Buffer) => void) => answer(null, canned) },
  );
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}

function listenOurs(mode: Mode): Promise<number> {
  const node = new FakeNode();
  node.kv.put(putRequest("bench-00", "v".repeat(256)));
  const methods =
    mode === "bare"
      ? new Map([[putPath, { kind: "unary" as const, handle: () => canned }]])
      : createMethodTable(node, tableOptions);
  return createGrpcTransport(methods, { ...transportOptions, messageBytesMax: 2_097_152 }).listen();
}

async function drive(mode: Mode, seconds: number): Promise<Result> {
  const child = fork(fileURLToPath(import.meta.url), ["--role", mode]);
  const { port } = await answerOf<{ port: number }>(child);
  const path = mode === "range" ? "/etcdserverpb.KV/Range" : putPath;
  const message = mode === "range" ? encodeRangeRequest(rangeRequest("bench-00")) : request;
  const framed = Buffer.concat([Buffer.alloc(5), message]);
  framed.writeUInt32BE(message.length, 1);
  const sessions = Array.from({ length: SESSIONS }, () => connect(`http://127.0.0.1:${port}`));
  let count = 0;
  let isOver = false;
  const client = async (session: ClientHttp2Session): Promise<void> => {
    while (!isOver) {
      await callOnce(session, path, framed);
      count++;
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, i) =>
    client(sessions[i % SESSIONS] as ClientHttp2Session),
  );
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  child.send("start");
  const countBefore = count;
  const startedAt = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const served = count - countBefore;
  const elapsedMs = performance.now() - startedAt;
  child.send("stop");
  const { cpuMicros } = await answerOf<{ cpuMicros: number }>(child);
  isOver = true;
  await Promise.all(clients);
  for (const session of sessions) session.close();
  child.kill();
  return { perSecond: (served * 1_000) / elapsedMs, cpuMicros: cpuMicros / served };
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

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const [answer] = await once(child, "message");
  return answer as T;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      role: { type: "string" },
      seconds: { type: "string", default: "3" },
      rounds: { type: "string", default: "3" },
    },
  });
  const role = modes.find((mode) => mode === values.role);
  if (role !== undefined) return serve(role);
  const results = new Map<Mode, Result[]>(modes.map((mode) => [mode, []]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const mode of modes) results.get(mode)?.push(await drive(mode, Number(values.seconds)));
  }
  for (const [mode, all] of results) {
    const sorted = all.toSorted((a, b) => a.cpuMicros - b.cpuMicros);
    const middle = sorted[Math.floor(sorted.length / 2)];
    if (middle === undefined) continue;
    console.log(
      `${mode.padEnd(6)} ${middle.perSecond.toFixed(0).padStart(7)} requests/s  ${middle.cpuMicros.toFixed(1).padStart(6)} µs of server CPU each`,
    );
  }
}

await main();
