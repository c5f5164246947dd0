import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { SystemClock } from "../../../../../src/lib/clock.ts";
import { limits } from "../../../../../src/lib/limits.ts";
import { silentLog } from "../../../../../src/lib/log.ts";
import { HttpEndpoint, type HttpEndpointOptions } from "../../../../../src/server/api/http/index.ts";
import { HttpWorld } from "./http-world.ts";

const quick = { headersMs: 150, requestMs: 300, checkMs: 50 };

describe("An HTTP endpoint", () => {
  let world: HttpWorld;
  beforeEach(async () => {
    world = await HttpWorld.start({ timeouts: quick, requestBytesMax: 1_100 });
  });
  afterEach(() => world.stop());

  it("answers 408 to headers that trickle in", async () => {
    const socket = connect(world.port, "127.0.0.1");
    const trickle = setInterval(() => socket.write("X-Slow: 1\r\n"), 20);
    socket.write("GET /health HTTP/1.1\r\nHost: a\r\n");
    const answer = await collect(socket);
    clearInterval(trickle);
    assert.match(answer, /^HTTP\/1\.1 408 /);
  });

  it("ends a body that trickles in", async () => {
    const socket = connect(world.port, "127.0.0.1");
    socket.write("PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n");
    const trickle = setInterval(() => socket.write("x"), 20);
    const answer = await collect(socket);
    clearInterval(trickle);
    assert.ok(answer === "" || /^HTTP\/1\.1 408 /.test(answer), answer);
    assert.equal(world.node.commands.length, 0);
  });

  it("answers 431 when the headers pass headerBytesMax", async () => {
    const answer = await world.raw(
      `GET /health HTTP/1.1\r\nHost: a\r\nX-Big: ${"x".repeat(limits.headerBytesMax + 10)}\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1\.1 431 /);
  });

  it("answers 400 to what is no HTTP, to smuggling and to a missing host", async () => {
    for (const bytes of [
      "\x00\x01\x02\r\n\r\n",
      "GET /k HTTP/9.9\r\n\r\n",
      "GET / a b HTTP/1.1\r\nHost: a\r\n\r\n",
      "PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
      "PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
      "PUT /k HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      "GET /k HTTP/1.1\r\n\r\n",
    ]) {
      assert.match(await world.raw(bytes), /^HTTP\/1\.1 400 /, JSON.stringify(bytes));
    }
    assert.equal(world.node.commands.length, 0);
    assert.equal((await world.call("GET", "/health")).status, 200);
  });

  it("survives random bytes", async () => {
    for (let i = 0; i < 40; i++) {
      const socket = connect(world.port, "127.0.0.1");
      socket.end(Buffer.from(Array.from({ length: 64 }, (_, j) => (i * 37 + j * j * 11) & 0xff)));
      socket.resume();
      await closed(socket);
    }
    assert.equal((await world.call("GET", "/health")).status, 200);
  });

  it("does not invite a body that is declared too large", async () => {
    const answer = await world.raw(
      "PUT /k HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n",
    );
    assert.match(answer, /^HTTP\/1\.1 413 /);
  });

  it("invites a body of a good size", async () => {
    const socket = connect(world.port, "127.0.0.1");
    socket.write(
      "PUT /k HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
    );
    const [first] = (await once(socket, "data")) as [Buffer];
    assert.match(first.toString(), /^HTTP\/1\.1 100 Continue/);
    socket.write("abc");
    assert.match(await collect(socket), /204 No Content/);
  });

  it("ignores an upgrade to HTTP/2, as curl --http2 asks for it", async () => {
    const socket = connect(world.port, "127.0.0.1");
    socket.write(
      "GET /version HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    );
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  it("stores nothing when the client leaves within its body", async () => {
    const socket = connect(world.port, "127.0.0.1");
    socket.write("PUT /k HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(world.node.commands.length, 0);
    assert.ok(!world.lines.some(({ level }) => level === "error"));
  });

  it("has finite times for headers, requests, and idle connections", () => {
    assert.ok(limits.httpHeadersTimeoutMs > 0 && limits.httpHeadersTimeoutMs <= limits.httpRequestTimeoutMs);
    assert.ok(limits.httpKeepAliveTimeoutMs > 0 && limits.httpSocketIdleTimeoutMs > 0);
  });

  it("rejects when the port is taken", async () => {
    const second = new HttpEndpoint({ ...bare(), address: { host: "127.0.0.1", port: world.port } });
    await assert.rejects(second.listen(), { code: "EADDRINUSE" });
  });
});

describe("An HTTP endpoint that is handed its sockets", () => {
  it("serves them, and enforces the same time-outs", async () => {
    const endpoint = new HttpEndpoint({ ...bare(), timeouts: quick });
    const acceptor = createServer((socket) => endpoint.serve(socket));
    acceptor.listen(0, "127.0.0.1");
    await once(acceptor, "listening");
    const { port } = acceptor.address() as AddressInfo;
    try {
      assert.equal(await endpoint.listen(), 0);
      const good = connect(port, "127.0.0.1");
      good.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
      assert.match(await collect(good), /^HTTP\/1\.1 200 /);
      const slow = connect(port, "127.0.0.1");
      const trickle = setInterval(() => slow.write("X-Slow: 1\r\n"), 20);
      slow.write("GET / HTTP/1.1\r\nHost: a\r\n");
      const answer = await collect(slow);
      clearInterval(trickle);
      assert.match(answer, /^HTTP\/1\.1 408 /);
    } finally {
      acceptor.close();
      await endpoint.close(0);
    }
  });

  it("closes what still runs after the grace", async () => {
    const endpoint = new HttpEndpoint({
      ...bare(),
      listener: () => {},
      address: { host: "127.0.0.1", port: 0 },
    });
    const port = await endpoint.listen();
    const socket = connect(port, "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 30));
    const rest = collect(socket);
    await endpoint.close(50);
    assert.equal(await rest, "");
  });
});

describe("An HTTPS endpoint", () => {
  const fixture = (name: string): Buffer =>
    readFileSync(new URL(`../../../../suites/tls/${name}`, import.meta.url));

  it("serves over TLS and warns of failed handshakes", async () => {
    const warnings: string[] = [];
    const endpoint = new HttpEndpoint({
      ...bare(),
      address: { host: "127.0.0.1", port: 0 },
      tls: { cert: fixture("localhost.cert.pem"), key: fixture("localhost.key.pem"), clientCa: undefined },
      log: { ...silentLog, warn: (message) => warnings.push(message) },
    });
    const port = await endpoint.listen();
    try {
      const status = await new Promise<number | undefined>((resolve, reject) => {
        request({ host: "127.0.0.1", port, path: "/", rejectUnauthorized: false, agent: false }, (res) => {
          res.resume();
          resolve(res.statusCode);
        })
          .once("error", reject)
          .end();
      });
      assert.equal(status, 200);
      const plain = connect({ host: "127.0.0.1", port });
      plain.write("this is no handshake\r\n\r\n");
      await closed(plain);
      assert.deepEqual(warnings, ["rejected connection on client endpoint"]);
    } finally {
      await endpoint.close(0);
    }
  });
});

function bare(): HttpEndpointOptions {
  return {
    listener: (_req, res) => res.end("ok"),
    address: undefined,
    tls: undefined,
    bodyBytesMax: 1_000,
    clock: new SystemClock(),
    log: silentLog,
  };
}

async function collect(socket: Socket): Promise<string> {
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  await closed(socket);
  return received;
}

function closed(socket: Socket): Promise<void> {
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
