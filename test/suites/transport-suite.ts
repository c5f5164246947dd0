import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, request as httpRequest } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { SystemClock } from "../../src/lib/clock.ts";
import { createDeferred } from "../../src/lib/deferred.ts";
import { grpcCode, RequestError, StatusError } from "../../src/lib/errors.ts";
import { limits } from "../../src/lib/limits.ts";
import { silentLog } from "../../src/lib/log.ts";
import { Pending } from "../../src/lib/pending.ts";
import type {
  CallContext,
  DuplexStream,
  MethodHandler,
  ServerStream,
  Transport,
  TransportFactory,
  TransportOptions,
} from "../../src/server/api/transport.ts";

const same = (message: Buffer): Buffer => message;
const MESSAGE_BYTES_MAX = 4_096;

export const transportOptions: TransportOptions = {
  host: "127.0.0.1",
  port: 0,
  messageBytesMax: MESSAGE_BYTES_MAX,
  headerBytesMax: 65_536,
  concurrentStreamsMax: 1_000,
  keepalive: { minTimeMs: 5_000, intervalMs: 7_200_000, timeoutMs: 20_000 },
  tls: undefined,
  alsoListen: [],
  onHttp1: undefined,
  observer: undefined,
  clock: new SystemClock(),
  log: silentLog,
};

interface Fixture {
  readonly transport: Transport;
  readonly port: number;
  readonly client: Client;
}

/** What every Transport keeps; run over each implementation. */
export function describeTransport(name: string, create: TransportFactory): void {
  describe(`${name} as a transport`, () => {
    const open: { transport: Transport; client: Client }[] = [];
    const sockets: Socket[] = [];
    const sessions: ClientHttp2Session[] = [];

    async function start(
      methods: Record<string, MethodHandler>,
      options: Partial<TransportOptions> = {},
    ): Promise<Fixture> {
      const transport = create(new Map(Object.entries(methods)), { ...transportOptions, ...options });
      const port = await transport.listen();
      const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
        "grpc.max_send_message_length": -1,
        "grpc.max_receive_message_length": -1,
        "grpc.use_local_subchannel_pool": 1,
      });
      open.push({ transport, client });
      return { transport, port, client };
    }

    function rawSocket(port: number): Socket {
      const socket = connectTcp(port, "127.0.0.1");
      socket.on("error", () => {});
      sockets.push(socket);
      return socket;
    }

    function rawSession(port: number): ClientHttp2Session {
      const session = connectHttp2(`http://127.0.0.1:${port}`);
      session.on("error", () => {});
      sessions.push(session);
      return session;
    }

    afterEach(async () => {
      for (const socket of sockets.splice(0)) socket.destroy();
      for (const session of sessions.splice(0)) session.destroy();
      for (const { transport, client } of open.splice(0)) {
        client.close();
        await transport.close(0);
      }
    });

    const echo: MethodHandler = { kind: "unary", handle: (request) => request };
    const duplex = (handle: (stream: DuplexStream) => void): MethodHandler => ({ kind: "duplex", handle });

    describe("unary calls", () => {
      it("answers with the bytes of the handler, given at once, as a promise or pending", async () => {
        const { client } = await start({
          "/t.T/Pending": {
            kind: "unary",
            handle: (request) => {
              const pending = new Pending<Buffer>();
              setImmediate(() => pending.settle(request));
              return pending.map((bytes) => Buffer.concat([bytes, Buffer.from("?")]));
            },
          },
          "/t.T/Now": { kind: "unary", handle: (request) => Buffer.concat([request, Buffer.from("!")]) },
          "/t.T/Later": { kind: "unary", handle: async (request) => Buffer.from(request).reverse() },
        });
        assert.equal((await call(client, "/t.T/Now", Buffer.from("abc"))).toString(), "abc!");
        assert.equal((await call(client, "/t.T/Later", Buffer.from("abc"))).toString(), "cba");
        assert.equal((await call(client, "/t.T/Now", Buffer.alloc(0))).toString(), "!");
        assert.equal((await call(client, "/t.T/Pending", Buffer.from("abc"))).toString(), "abc?");
      });

      it("keeps a thousand concurrent calls apart", async () => {
        const { client } = await start({
          "/t.T/Echo": {
            kind: "unary",
            handle: async (request) => {
              await delay(request.readUInt16BE(0) % 5);
              return request;
            },
          },
        });
        const answers = await Promise.all(
          Array.from({ length: 1_000 }, (_, i) => {
            const request = Buffer.alloc(2);
            request.writeUInt16BE(i);
            return call(client, "/t.T/Echo", request);
          }),
        );
        assert.deepEqual(
          answers.map((answer) => answer.readUInt16BE(0)),
          Array.from({ length: 1_000 }, (_, i) => i),
        );
      });

      it("turns errors into their code and text, whether thrown, rejected or what a pending answer ends with", async () => {
        const { client } = await start({
          "/t.T/Abandoned": {
            kind: "unary",
            handle: () => {
              const pending = new Pending<Buffer>();
              setImmediate(() => pending.abandon(new RequestError("noSpace")));
              return pending;
            },
          },
          "/t.T/Row": {
            kind: "unary",
            handle: () => {
              throw new RequestError("compacted");
            },
          },
          "/t.T/Status": {
            kind: "unary",
            handle: async () => {
              throw new StatusError(grpcCode.unimplemented, "not served: 100% sure, ü");
            },
          },
          "/t.T/Unforeseen": {
            kind: "unary",
            handle: async () => {
              throw new TypeError("first line\n    at secret (file.ts:1)");
            },
          },
        });
        const compacted = await failure(client, "/t.T/Row");
        assert.equal(compacted.code, status.OUT_OF_RANGE);
        assert.equal(compacted.details, "etcdserver: mvcc: required revision has been compacted");
        const abandoned = await failure(client, "/t.T/Abandoned");
        assert.equal(abandoned.code, status.RESOURCE_EXHAUSTED);
        assert.equal(abandoned.details, "etcdserver: mvcc: database space exceeded");
        const other = await failure(client, "/t.T/Status");
        assert.equal(other.code, status.UNIMPLEMENTED);
        assert.equal(other.details, "not served: 100% sure, ü");
        const unforeseen = await failure(client, "/t.T/Unforeseen");
        assert.equal(unforeseen.code, status.UNKNOWN);
        assert.equal(unforeseen.details, "first line");
      });

      it("refuses a message above the limit in grpc-go's words, by its declared length", async () => {
        const { client, port } = await start({ "/t.T/Echo": echo });
        assert.equal(
          (await call(client, "/t.T/Echo", Buffer.alloc(MESSAGE_BYTES_MAX))).length,
          MESSAGE_BYTES_MAX,
        );
        const error = await failure(client, "/t.T/Echo", Buffer.alloc(MESSAGE_BYTES_MAX + 1));
        assert.equal(error.code, status.RESOURCE_EXHAUSTED);
        assert.match(
          error.details,
          new RegExp(
            `grpc: received message larger than max \\(${MESSAGE_BYTES_MAX + 1} vs\\. ${MESSAGE_BYTES_MAX}\\)`,
          ),
        );
        // 4 GiB are claimed and never sent.
        const trailers = await rawCall(rawSession(port), "/t.T/Echo", Buffer.from([0, 255, 255, 255, 255]));
        assert.equal(trailers["grpc-status"], "8");
      });

      it("names what it does not know: the service, or the method of a service it knows", async () => {
        const { client } = await start({ "/t.T/Echo": echo });
        const service = await failure(client, "/no.Such/Echo");
        assert.equal(service.code, status.UNIMPLEMENTED);
        assert.equal(service.details, "unknown service no.Such");
        const method = await failure(client, "/t.T/Other");
        assert.equal(method.code, status.UNIMPLEMENTED);
        assert.equal(method.details, "unknown method Other for service t.T");
      });

      it("answers 'unexpected EOF' to a call without a message", async () => {
        const { port } = await start({ "/t.T/Echo": echo });
        const trailers = await rawCall(rawSession(port), "/t.T/Echo", undefined);
        assert.equal(trailers["grpc-status"], "13");
        assert.equal(decodeURI(String(trailers["grpc-message"])), "unexpected EOF");
      });

      it("ends a call at its deadline and tells the handler", async () => {
        let seen: CallContext | undefined;
        const cancelled = createDeferred<void>();
        const { client } = await start({
          "/t.T/Never": {
            kind: "unary",
            handle: (_request, context) => {
              seen = context;
              context.onCancel(() => cancelled.resolve());
              return new Promise<Buffer>(() => {});
            },
          },
        });
        const error = await failure(client, "/t.T/Never", Buffer.alloc(0), { deadline: Date.now() + 500 });
        assert.equal(error.code, status.DEADLINE_EXCEEDED);
        await cancelled.promise;
        assert.equal(seen?.isCancelled, true);
        assert.ok(seen.timeoutMs !== undefined && seen.timeoutMs > 0 && seen.timeoutMs <= 500);
      });

      it("keeps a call alive whose deadline is years away", async () => {
        const { port } = await start({
          "/t.T/Slow": { kind: "unary", handle: () => delay(20).then(() => Buffer.from("ok")) },
        });
        const session = rawSession(port);
        for (const timeout of ["99999999H", "2592000S", "99999999S"]) {
          const trailers = await rawCall(session, "/t.T/Slow", Buffer.from([0, 0, 0, 0, 0]), {
            "grpc-timeout": timeout,
          });
          assert.equal(trailers["grpc-status"], "0", timeout);
        }
      });

      it("tells the handler when the caller cancels or its connection is lost", async () => {
        const contexts: CallContext[] = [];
        const { client, port } = await start({
          "/t.T/Never": {
            kind: "unary",
            handle: (_request, context) => {
              contexts.push(context);
              return new Promise<Buffer>(() => {});
            },
          },
        });
        const pending = client.makeUnaryRequest("/t.T/Never", same, same, Buffer.alloc(0), () => {});
        await until(() => contexts.length === 1);
        pending.cancel();
        await until(() => contexts[0]?.isCancelled === true);

        const session = rawSession(port);
        const stream = session.request(grpcHeaders("/t.T/Never"));
        stream.on("error", () => {});
        stream.write(Buffer.from([0, 0, 0, 0, 0]));
        await until(() => contexts.length === 2);
        session.destroy();
        await until(() => contexts[1]?.isCancelled === true);
        let isTold = false;
        contexts[1]?.onCancel(() => {
          isTold = true;
        });
        assert.ok(isTold, "a listener that comes late is told at once");
      });

      it("hands over metadata in lower case, without binary keys, and the caller's address", async () => {
        let context: CallContext | undefined;
        const { client } = await start({
          "/t.T/Echo": {
            kind: "unary",
            handle: (request, given) => {
              context = given;
              return request;
            },
          },
        });
        const metadata = new Metadata();
        metadata.set("HasLeader", "true");
        metadata.set("trace-bin", Buffer.from([1, 2, 3]));
        await call(client, "/t.T/Echo", Buffer.alloc(0), metadata);
        assert.ok(context);
        assert.equal(context.metadata.get("hasleader"), "true");
        assert.equal(context.metadata.get("trace-bin"), undefined);
        assert.equal(context.metadata.has(":path"), false);
        assert.equal(context.metadata.get("__proto__"), undefined);
        assert.ok([...context.metadata.keys()].includes("user-agent"));
        assert.equal(context.metadata.size, [...context.metadata].length);
        assert.ok([...context.metadata.values()].includes("true"));
        const keys: string[] = [];
        context.metadata.forEach((_value, key) => {
          keys.push(key);
        });
        assert.deepEqual(keys, [...context.metadata.keys()]);
        assert.equal(context.timeoutMs, undefined);
        assert.match(context.peer, /^127\.0\.0\.1:\d+$/);
      });

      it("leaves metadata that is not ASCII to the services", async () => {
        let value: string | undefined;
        const { port } = await start({
          "/t.T/Echo": {
            kind: "unary",
            handle: (request, context) => {
              value = context.metadata.get("client-api-version");
              return request;
            },
          },
        });
        const trailers = await rawCall(rawSession(port), "/t.T/Echo", Buffer.from([0, 0, 0, 0, 0]), {
          "client-api-version": "\xff\xfe",
        });
        assert.equal(trailers["grpc-status"], "0");
        assert.equal(value, "\xff\xfe");
      });
    });

    describe("streams", () => {
      it("serves a server stream and ends it with OK or an error", async () => {
        const { client } = await start({
          "/t.T/Count": {
            kind: "serverStream",
            handle: (request, stream) => {
              for (let i = 0; i < request.length; i++) stream.send(Buffer.from([i]));
              if (request.length === 3) stream.end();
              else stream.end(new RequestError("corrupt"));
            },
          },
        });
        assert.deepEqual(await collect(client, "/t.T/Count", Buffer.alloc(3)), {
          messages: [[0], [1], [2]],
          code: status.OK,
          details: "",
        });
        assert.deepEqual(await collect(client, "/t.T/Count", Buffer.alloc(2)), {
          messages: [[0], [1]],
          code: status.DATA_LOSS,
          details: "etcdserver: corrupt cluster",
        });
      });

      it("echoes a bidi stream in order and goes on after the caller's half-close", async () => {
        const { client } = await start({
          "/t.T/Chat": duplex((stream) => {
            stream.onMessage((message) => stream.send(message));
            stream.onHalfClose(() => {
              setTimeout(() => {
                stream.send(Buffer.from("after"));
                stream.end();
              }, 20);
            });
          }),
        });
        const chat = client.makeBidiStreamRequest("/t.T/Chat", same, same);
        const got: string[] = [];
        chat.on("data", (message: Buffer) => got.push(message.toString()));
        for (let i = 0; i < 500; i++) chat.write(Buffer.from(String(i)));
        chat.end();
        await once(chat, "status");
        assert.deepEqual(got, [...Array.from({ length: 500 }, (_, i) => String(i)), "after"]);
      });

      it("survives thousands of tiny messages in one frame, while paused and after", async () => {
        let count = 0;
        let stream: DuplexStream | undefined;
        const { port } = await start({
          "/t.T/Chat": duplex((opened) => {
            stream = opened;
            opened.pause();
            opened.onMessage(() => {
              count++;
            });
          }),
        });
        const request = rawSession(port).request(grpcHeaders("/t.T/Chat"));
        request.on("error", () => {});
        request.write(Buffer.alloc(5 * 20_000));
        await until(() => stream !== undefined);
        await delay(50);
        assert.equal(count, 0);
        stream?.resume();
        await until(() => count === 20_000);
      });

      it("keeps a flood in the peer while paused: memory stays bounded", async () => {
        let received = 0;
        const { port } = await start({
          "/t.T/Chat": duplex((stream) => {
            stream.pause();
            stream.onMessage((message) => {
              received += message.length;
            });
          }),
        });
        const request = rawSession(port).request(grpcHeaders("/t.T/Chat"));
        request.on("error", () => {});
        const frame = Buffer.alloc(5 + 1_000);
        frame.writeUInt32BE(1_000, 1);
        let isBlocked = false;
        for (let i = 0; i < 20_000 && !isBlocked; i++) {
          isBlocked = request.writableLength > 2_000_000;
          request.write(frame);
          if (i % 500 === 0) await delay(1);
        }
        assert.ok(isBlocked, "the peer could not get rid of its bytes");
        assert.equal(received, 0);
      });

      it("tells a sender that its peer does not read, counts what waits, and calls it back", async () => {
        let stream: ServerStream | undefined;
        let drains = 0;
        const { port } = await start({
          "/t.T/Pour": {
            kind: "serverStream",
            handle: (_request, opened) => {
              stream = opened;
              opened.onDrain(() => {
                drains++;
              });
            },
          },
        });
        const request = rawSession(port).request(grpcHeaders("/t.T/Pour"));
        request.on("error", () => {});
        request.end(Buffer.from([0, 0, 0, 0, 0]));
        await until(() => stream !== undefined);
        assert.ok(stream);
        let sent = 0;
        while (stream.send(Buffer.alloc(10_000)) && sent < 100) sent++;
        assert.ok(sent < 100);
        assert.ok(stream.queuedBytes > 0 && stream.queuedMessages > 0);
        for (let i = 0; i < 20; i++) stream.send(Buffer.alloc(10_000));
        await delay(50);
        assert.equal(drains, 0);
        request.resume();
        await until(() => drains === 1);
        await until(() => stream?.queuedBytes === 0 && stream.queuedMessages === 0);
      });

      it("ends a stream with what its handler throws, wherever it throws", async () => {
        const refuse = (): never => {
          throw new RequestError("leaseNotFound");
        };
        const { client } = await start({
          "/t.T/AtOpen": duplex(refuse),
          "/t.T/AtMessage": duplex((stream) => stream.onMessage(refuse)),
          "/t.T/AtHalfClose": duplex((stream) => stream.onHalfClose(refuse)),
          "/t.T/AtRequest": { kind: "serverStream", handle: refuse },
        });
        for (const path of ["/t.T/AtOpen", "/t.T/AtMessage", "/t.T/AtHalfClose"]) {
          const chat = client.makeBidiStreamRequest(path, same, same);
          const failed = once(chat, "error") as Promise<[ServiceError]>;
          chat.write(Buffer.from("x"));
          chat.end();
          const [error] = await failed;
          assert.equal(error.code, status.NOT_FOUND, path);
        }
        const answer = await collect(client, "/t.T/AtRequest", Buffer.alloc(0));
        assert.equal(answer.details, "etcdserver: requested lease not found");
      });

      it("holds a server stream to one request", async () => {
        const { port } = await start({ "/t.T/Pour": { kind: "serverStream", handle: () => {} } });
        const none = await rawCall(rawSession(port), "/t.T/Pour", undefined);
        assert.equal(decodeURI(String(none["grpc-message"])), "unexpected EOF");
        const two = await rawCall(rawSession(port), "/t.T/Pour", Buffer.alloc(10));
        assert.equal(two["grpc-status"], "13");
      });

      it("tells the handler of a server stream that a second request has ended it", async () => {
        let isTold = false;
        const { port } = await start({
          "/t.T/Pour": {
            kind: "serverStream",
            handle: (_request, stream) => {
              stream.context.onCancel(() => {
                isTold = true;
              });
            },
          },
        });
        await rawCall(rawSession(port), "/t.T/Pour", Buffer.alloc(10));
        assert.ok(isTold);
      });

      it("runs cancel listeners of a stream and takes nothing more", async () => {
        let stream: DuplexStream | undefined;
        let isTold = false;
        const { client } = await start({
          "/t.T/Chat": duplex((opened) => {
            stream = opened;
            opened.context.onCancel(() => {
              isTold = true;
            });
          }),
        });
        const chat = client.makeBidiStreamRequest("/t.T/Chat", same, same);
        chat.on("error", () => {});
        await until(() => stream !== undefined);
        chat.cancel();
        await until(() => isTold);
        assert.equal(stream?.send(Buffer.from("x")), false);
        stream.end(new RequestError("watchCanceled"));
      });

      it("does not call the end of a call by its handler a cancellation", async () => {
        let isTold = false;
        const { client } = await start({
          "/t.T/Chat": duplex((stream) => {
            stream.context.onCancel(() => {
              isTold = true;
            });
            stream.end(new RequestError("noLeader"));
          }),
        });
        const chat = client.makeBidiStreamRequest("/t.T/Chat", same, same);
        const [error] = (await once(chat, "error")) as [ServiceError];
        assert.equal(error.details, "etcdserver: no leader");
        assert.equal(error.code, status.UNAVAILABLE);
        await delay(20);
        assert.equal(isTold, false);
      });
    });

    describe("the observer", () => {
      it("sees each call once, with its code, and the bytes of its messages", async () => {
        const lines: string[] = [];
        const { client } = await start(
          {
            "/t.T/Echo": echo,
            "/t.T/Fail": { kind: "unary", handle: () => Promise.reject(new RequestError("emptyKey")) },
            "/t.T/Never": { kind: "unary", handle: () => new Promise<Buffer>(() => {}) },
          },
          {
            observer: {
              started: (path) => lines.push(`started ${path}`),
              handled: (path, code, ms) => {
                assert.ok(ms >= 0 && ms < 10_000);
                lines.push(`handled ${path} ${code}`);
              },
              received: (path, bytes) => lines.push(`received ${path} ${bytes}`),
              sent: (path, bytes) => lines.push(`sent ${path} ${bytes}`),
            },
          },
        );
        await call(client, "/t.T/Echo", Buffer.alloc(7));
        await failure(client, "/t.T/Fail");
        await failure(client, "/t.T/Echo", Buffer.alloc(MESSAGE_BYTES_MAX + 1));
        await failure(client, "/no.Such/Thing");
        const pending = client.makeUnaryRequest("/t.T/Never", same, same, Buffer.alloc(0), () => {});
        await until(() => lines.includes("received /t.T/Never 0"));
        pending.cancel();
        await until(() => lines.some((line) => line.startsWith("handled /t.T/Never")));
        assert.deepEqual(lines, [
          "started /t.T/Echo",
          "received /t.T/Echo 7",
          "sent /t.T/Echo 7",
          "handled /t.T/Echo 0",
          "started /t.T/Fail",
          "received /t.T/Fail 0",
          "handled /t.T/Fail 3",
          "started /t.T/Echo",
          "handled /t.T/Echo 8",
          "started /t.T/Never",
          "received /t.T/Never 0",
          "handled /t.T/Never 1",
        ]);
      });
    });

    describe("the port", () => {
      it("gives HTTP/1.1 connections to their server and serves gRPC beside it", async () => {
        const http = createHttpServer((request, response) =>
          response.end(`${request.method} ${request.url}`),
        );
        const { client, port } = await start(
          { "/t.T/Echo": echo },
          { onHttp1: (socket) => http.emit("connection", socket) },
        );
        const texts = await Promise.all(
          ["GET", "POST", "PUT", "PROPFIND", "PATCH"].map((method) => httpText(port, method, "/health")),
        );
        assert.deepEqual(texts, [
          "GET /health",
          "POST /health",
          "PUT /health",
          "PROPFIND /health",
          "PATCH /health",
        ]);
        assert.equal((await call(client, "/t.T/Echo", Buffer.from("x"))).toString(), "x");
      });

      it("tells the protocols apart when bytes come one by one", async () => {
        const http = createHttpServer((_request, response) => response.end("one"));
        const { port } = await start({}, { onHttp1: (socket) => http.emit("connection", socket) });
        const socket = rawSocket(port);
        socket.setNoDelay(true);
        for (const byte of "PUT / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n") {
          socket.write(byte);
          await delay(1);
        }
        assert.match(await textOf(socket), /^HTTP\/1\.1 200/);

        const http2 = rawSocket(port);
        http2.setNoDelay(true);
        for (const byte of "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") {
          http2.write(byte);
          await delay(1);
        }
        const [settings] = (await once(http2, "data")) as [Buffer];
        assert.equal(settings[3], 4, "a SETTINGS frame");
      });

      it("closes what is neither: a broken preface, and HTTP/1.1 where none is served", async () => {
        const { port } = await start({});
        for (const text of [
          "PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n",
          "GET / HTTP/1.1\r\n\r\n",
          "\x16\x03\x01\x02",
        ]) {
          const socket = rawSocket(port);
          socket.write(text);
          await once(socket, "close");
        }
      });

      it("closes a connection that shows no protocol within protocolSniffMsMax: silent, or slow at its first words", async () => {
        const timers: { delayMs: number; fn: () => void }[] = [];
        const clock = new SystemClock();
        clock.after = (delayMs, fn) => {
          const timer = { delayMs, fn };
          timers.push(timer);
          return { cancel: () => timers.splice(timers.indexOf(timer), 1) };
        };
        const { port } = await start({}, { clock });
        const silent = rawSocket(port);
        const slow = rawSocket(port);
        slow.write("PRI * HT");
        await until(() => timers.length === 2);
        await delay(20);
        assert.ok(timers.every((timer) => timer.delayMs === limits.protocolSniffMsMax));
        const closed = Promise.all([once(silent, "close"), once(slow, "close")]);
        for (const timer of [...timers]) timer.fn();
        await closed;
        await until(() => timers.length === 0);
      });

      it("listens on several addresses, names and port 0", async () => {
        const { transport, client } = await start(
          { "/t.T/Echo": echo },
          {
            host: "localhost",
            alsoListen: [
              { host: "0.0.0.0", port: 0, tls: undefined },
              { host: "[::]", port: 0, tls: undefined },
              { host: "", port: 0, tls: undefined },
            ],
          },
        );
        assert.equal(transport.ports.length, 4);
        assert.equal(new Set(transport.ports).size, 4);
        assert.equal((await call(client, "/t.T/Echo", Buffer.from("a"))).toString(), "a");
        for (const port of transport.ports) {
          const other = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
          assert.equal((await call(other, "/t.T/Echo", Buffer.from("b"))).toString(), "b");
          other.close();
        }
      });

      it("says why it cannot listen, and lets go of the addresses it had", async () => {
        const { port } = await start({});
        const other = create(new Map(), {
          ...transportOptions,
          alsoListen: [{ host: "127.0.0.1", port, tls: undefined }],
        });
        await assert.rejects(other.listen(), { code: "EADDRINUSE" });
        await other.close(0);
      });
    });

    describe("TLS", () => {
      const cert = readFileSync(new URL("./tls/localhost.cert.pem", import.meta.url));
      const key = readFileSync(new URL("./tls/localhost.key.pem", import.meta.url));

      it("serves gRPC and HTTP/1.1 on one TLS port", async () => {
        const http = createHttpServer((_request, response) => response.end("over TLS"));
        const { port } = await start(
          { "/t.T/Echo": echo },
          { tls: { cert, key, clientCa: undefined }, onHttp1: (socket) => http.emit("connection", socket) },
        );
        const client = new Client(`localhost:${port}`, credentials.createSsl(cert));
        assert.equal((await call(client, "/t.T/Echo", Buffer.from("x"))).toString(), "x");
        client.close();
        const text = await new Promise<string>((resolve, reject) => {
          const request = httpsRequest({ host: "localhost", port, ca: cert, agent: false }, (response) => {
            response.setEncoding("utf8");
            response.once("data", resolve);
          });
          request.on("error", reject);
          request.end();
        });
        assert.equal(text, "over TLS");
      });

      it("asks for a client certificate when it has an authority for them", async () => {
        const { port } = await start({ "/t.T/Echo": echo }, { tls: { cert, key, clientCa: cert } });
        const without = new Client(`localhost:${port}`, credentials.createSsl(cert));
        const error = await failure(without, "/t.T/Echo");
        assert.equal(error.code, status.UNAVAILABLE);
        without.close();
        const certified = new Client(`localhost:${port}`, credentials.createSsl(cert, key, cert));
        assert.equal((await call(certified, "/t.T/Echo", Buffer.from("x"))).toString(), "x");
        certified.close();
      });

      it("outlives plain text and broken handshakes on a TLS port, beside a plain one", async () => {
        const { transport, port } = await start(
          { "/t.T/Echo": echo },
          {
            tls: { cert, key, clientCa: undefined },
            alsoListen: [{ host: "127.0.0.1", port: 0, tls: undefined }],
          },
        );
        for (const text of ["GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]) {
          const socket = rawSocket(port);
          socket.resume();
          socket.write(text);
          await once(socket, "close");
        }
        const brief = rawSocket(port);
        brief.write(Buffer.from([0x16, 0x03, 0x01]));
        await delay(5);
        brief.destroy();
        const plain = new Client(`127.0.0.1:${transport.ports[1]}`, credentials.createInsecure());
        assert.equal((await call(plain, "/t.T/Echo", Buffer.from("x"))).toString(), "x");
        plain.close();
        const secure = new Client(`localhost:${port}`, credentials.createSsl(cert));
        assert.equal((await call(secure, "/t.T/Echo", Buffer.from("x"))).toString(), "x");
        secure.close();
      });
    });

    describe("hostile peers", () => {
      it("refuses the claim of a 100 MB header with bounded memory, and lets the connection go", async () => {
        const clock = new SystemClock();
        const sweeps: (() => void)[] = [];
        clock.every = (_periodMs, fn) => {
          sweeps.push(fn);
          return { cancel: () => {} };
        };
        const { client, port } = await start(
          { "/t.T/Echo": echo },
          { clock, keepalive: { minTimeMs: 5_000, intervalMs: 7_200_000, timeoutMs: 200 } },
        );
        await call(client, "/t.T/Echo", Buffer.from("warm"));
        const before = process.memoryUsage().rss;
        const socket = rawSocket(port);
        socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        socket.write(frame(4, 0, 0, Buffer.alloc(0)));
        // A literal header whose value claims 100 MB, in CONTINUATION frames that never end.
        const claim = [Buffer.from([0x00, 0x01, 0x61, 0x7f]), hpackInteger(100 * 1_048_576 - 127)];
        socket.write(frame(1, 0, 1, Buffer.concat(claim)));
        let isClosed = false;
        socket.on("close", () => {
          isClosed = true;
        });
        socket.resume();
        const filler = frame(9, 0, 1, Buffer.alloc(16_384, 0x61));
        for (let i = 0; i < 6_400 && !isClosed && socket.writableLength < 1_000_000; i++) {
          socket.write(filler);
          if (i % 50 === 0) await delay(1);
        }
        assert.ok(isClosed || socket.writableLength >= 1_000_000, "the server does not read 100 MB");
        assert.ok(process.memoryUsage().rss - before < 60_000_000, "memory stays bounded");
        assert.equal((await call(client, "/t.T/Echo", Buffer.from("on"))).toString(), "on");
        // Twice: the first look at a connection only takes note of what it has read.
        for (const sweep of [...sweeps, ...sweeps]) sweep();
        await until(() => isClosed);
        assert.equal((await call(client, "/t.T/Echo", Buffer.from("on"))).toString(), "on");
      });

      it("refuses headers above the limit and keeps the connection's other calls", async () => {
        const { port } = await start({ "/t.T/Echo": echo }, { headerBytesMax: 16_384 });
        const session = rawSession(port);
        await once(session, "remoteSettings");
        const huge = session.request({ ...grpcHeaders("/t.T/Echo"), "x-huge": "a".repeat(40_000) });
        huge.on("error", () => {});
        huge.end(Buffer.from([0, 0, 0, 0, 0]));
        await new Promise((resolve) => huge.once("close", resolve));
        assert.notEqual(huge.rstCode, constants.NGHTTP2_NO_ERROR);
        const trailers = await rawCall(session, "/t.T/Echo", Buffer.from([0, 0, 0, 0, 0]));
        assert.equal(trailers["grpc-status"], "0");
      });

      it("outlives garbage, truncated frames and sessions that break off", async () => {
        const { client, port } = await start({
          "/t.T/Echo": echo,
          "/t.T/Chat": duplex((stream) => stream.onMessage((message) => stream.send(message))),
        });
        const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        const settings = frame(4, 0, 0, Buffer.alloc(0));
        const hostile = [
          Buffer.concat([preface, Buffer.alloc(1_000, 0xff)]),
          Buffer.concat([preface, settings, frame(0, 0, 1, Buffer.alloc(10))]),
          Buffer.concat([preface, settings, frame(1, 4, 1, Buffer.alloc(100, 0x80))]),
          Buffer.concat([preface, settings, frame(8, 0, 0, Buffer.from([0, 0, 0, 0]))]),
          Buffer.concat([preface, settings, frame(3, 0, 9, Buffer.from([0, 0, 0, 8]))]),
          Buffer.concat([preface, frame(1, 4, 2, Buffer.from([0x82]))]),
          Buffer.concat([preface, settings, Buffer.from([0x00, 0x40])]),
        ];
        for (const bytes of hostile) {
          const socket = rawSocket(port);
          socket.resume();
          socket.write(bytes);
          await delay(5);
          socket.destroy();
        }
        for (let i = 0; i < 20; i++) {
          const session = rawSession(port);
          const stream = session.request(grpcHeaders(i % 2 ? "/t.T/Chat" : "/t.T/Echo"));
          stream.on("error", () => {});
          stream.write(Buffer.from([0, 0, 0, 1, 0, 1, 2]));
          if (i % 3 === 0) await delay(3);
          if (i % 5 === 0) stream.close(constants.NGHTTP2_CANCEL);
          session.destroy();
        }
        assert.equal((await call(client, "/t.T/Echo", Buffer.from("alive"))).toString(), "alive");
      });

      it("lets calls wait while answers of http2QueuedBytesMax wait for their caller", async () => {
        const answers = 96;
        let served = 0;
        const { port } = await start({
          "/t.T/Large": {
            kind: "unary",
            handle: () => {
              served++;
              return Buffer.alloc(1_048_576);
            },
          },
        });
        const session = rawSession(port);
        const streams = Array.from({ length: answers }, () => {
          const stream = session.request(grpcHeaders("/t.T/Large"));
          stream.on("error", () => {});
          stream.end(Buffer.from([0, 0, 0, 0, 0]));
          return stream;
        });
        const most = name === "@grpc/grpc-js" ? answers : limits.http2QueuedBytesMax / 1_048_576 + 8;
        await until(() => served >= Math.min(most, answers) - 10);
        await delay(100);
        assert.ok(served <= most, `${served} answers in memory`);
        const ends = streams.map((stream) => once(stream, "end"));
        for (const stream of streams) stream.resume();
        await Promise.all(ends);
        assert.equal(served, answers);
      });

      it("outlives an illegal frame right behind the headers of a call, known or not", async () => {
        const { client, port } = await start({ "/t.T/Echo": echo });
        const headers = (path: string, contentType: string): Buffer => {
          const text = (value: string): Buffer => Buffer.from([value.length, ...Buffer.from(value)]);
          const block = [
            Buffer.from([0x83, 0x86, 0x04]),
            text(path),
            Buffer.from([0x0f, 0x10]),
            text(contentType),
          ];
          return frame(1, 4, 1, Buffer.concat(block));
        };
        for (const path of ["/t.T/Echo", "/no.Such/Thing"]) {
          for (const contentType of ["application/grpc", "text/plain"]) {
            const socket = rawSocket(port);
            socket.resume();
            socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            socket.write(frame(4, 0, 0, Buffer.alloc(0)));
            await once(socket, "data");
            socket.write(Buffer.concat([headers(path, contentType), frame(8, 0, 0, Buffer.alloc(4))]));
            await delay(20);
            assert.equal((await call(client, "/t.T/Echo", Buffer.from("on"))).toString(), "on");
          }
        }
      });

      it("answers compressed messages that are damaged or too large when opened with an error", async () => {
        const { port } = await start({ "/t.T/Echo": echo });
        const { gzipSync } = await import("node:zlib");
        const bomb = gzipSync(Buffer.alloc(10_000_000));
        for (const [body, code] of [
          [bomb.subarray(0, 3_000), "13"],
          [bomb, "8"],
          [Buffer.from("not gzip"), "13"],
        ] as const) {
          if (body.length > MESSAGE_BYTES_MAX) continue;
          const message = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), body]);
          message.writeUInt32BE(body.length, 1);
          const trailers = await rawCall(rawSession(port), "/t.T/Echo", message, { "grpc-encoding": "gzip" });
          assert.ok(["8", "13"].includes(String(trailers["grpc-status"])), `${code} expected`);
        }
        const odd = await rawCall(rawSession(port), "/t.T/Echo", Buffer.from([1, 0, 0, 0, 1, 9]), {
          "grpc-encoding": "snappy",
        });
        assert.equal(odd["grpc-status"], "12");
      });

      it("sends GOAWAY too_many_pings on the third early ping, and none to a client that is answered", async () => {
        const { port } = await start({ "/t.T/Echo": echo });
        const rude = rawSession(port);
        await once(rude, "connect");
        const goaway = once(rude, "goaway");
        for (let i = 0; i < 5 && !rude.closed; i++) await ping(rude);
        const [code, , data] = (await goaway) as [number, number, Buffer];
        assert.equal(code, constants.NGHTTP2_ENHANCE_YOUR_CALM);
        assert.equal(data.toString(), "too_many_pings");

        const polite = rawSession(port);
        let isRefused = false;
        polite.on("goaway", () => {
          isRefused = true;
        });
        await once(polite, "connect");
        for (let i = 0; i < 10; i++) {
          await rawCall(polite, "/t.T/Echo", Buffer.from([0, 0, 0, 0, 0]));
          await ping(polite);
        }
        assert.equal(isRefused, false);
      });

      it("lets a client cancel thousands of calls without a GOAWAY", async function () {
        // Earlier Node versions have the limit of nghttp2 (1,000 at once, 33 a second) without a way to set it.
        if (name === "@grpc/grpc-js" && Number(process.versions.node.split(".")[0]) < 24) this.skip();
        let count = 0;
        const { port } = await start({
          "/t.T/Chat": duplex((stream) => {
            stream.context.onCancel(() => {
              count++;
            });
          }),
        });
        const session = rawSession(port);
        for (let round = 0; round < 20; round++) {
          const streams = Array.from({ length: 100 }, () => {
            const stream = session.request(grpcHeaders("/t.T/Chat"));
            stream.on("error", () => {});
            return stream;
          });
          await delay(5);
          for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
        }
        await until(() => count >= 1_900);
        assert.equal(session.destroyed, false);
      });
    });

    describe("closing", () => {
      it("lets open calls finish within the grace time", async () => {
        const { transport, client } = await start({
          "/t.T/Slow": { kind: "unary", handle: () => delay(100).then(() => Buffer.from("done")) },
        });
        const answer = call(client, "/t.T/Slow", Buffer.alloc(0));
        await delay(30);
        const closing = transport.close(5_000);
        assert.equal((await answer).toString(), "done");
        await closing;
      });

      it("cuts calls that outlast the grace time, and takes no new connections", async () => {
        let stream: DuplexStream | undefined;
        const { transport, client, port } = await start({
          "/t.T/Chat": duplex((opened) => {
            stream = opened;
          }),
        });
        const chat = client.makeBidiStreamRequest("/t.T/Chat", same, same);
        const failed = once(chat, "error");
        await until(() => stream !== undefined);
        const startedAt = performance.now();
        await transport.close(100);
        assert.ok(performance.now() - startedAt < 10_000);
        await failed;
        await until(() => stream?.context.isCancelled === true);
        const socket = rawSocket(port);
        const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
        assert.equal(error.code, "ECONNREFUSED");
      });

      it("closes twice without harm, and before it ever listened", async () => {
        const { transport } = await start({});
        await transport.close(0);
        await transport.close(0);
        await create(new Map(), transportOptions).close(0);
      });
    });
  });
}

function call(client: Client, path: string, request: Buffer, metadata = new Metadata()): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, same, same, request, metadata, (error, answer) => {
      if (error) reject(error);
      else resolve(answer as Buffer);
    });
  });
}

function failure(
  client: Client,
  path: string,
  request: Buffer = Buffer.alloc(0),
  options: { deadline?: number } = {},
): Promise<ServiceError> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, same, same, request, new Metadata(), options, (error) => {
      if (error) resolve(error);
      else reject(new Error(`${path} did not fail`));
    });
  });
}

async function collect(
  client: Client,
  path: string,
  request: Buffer,
): Promise<{ messages: number[][]; code: number; details: string }> {
  const stream = client.makeServerStreamRequest(path, same, same, request);
  const messages: number[][] = [];
  stream.on("data", (message: Buffer) => messages.push([...message]));
  stream.on("error", () => {});
  const { code, details } = await new Promise<{ code: number; details: string }>((resolve) => {
    stream.once("status", resolve);
  });
  return { messages, code, details };
}

function grpcHeaders(path: string): Record<string, string> {
  return { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
}

/** One call over a bare HTTP/2 session; `body` undefined: no message at all. Its trailers. */
function rawCall(
  session: ClientHttp2Session,
  path: string,
  body: Buffer | undefined,
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ...grpcHeaders(path), ...headers });
    let last: Record<string, unknown> = {};
    stream.on("response", (response) => {
      last = { ...last, ...response };
    });
    stream.on("trailers", (trailers) => {
      last = { ...last, ...trailers };
    });
    stream.on("error", reject);
    stream.on("close", () => resolve(last));
    stream.resume();
    if (body === undefined) stream.end();
    else stream.end(body);
  });
}

function ping(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    if (session.destroyed || !session.ping(() => resolve())) resolve();
  });
}

function httpText(port: number, method: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, method, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    });
    request.on("error", reject);
    request.end();
  });
}

async function textOf(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  await once(socket, "close");
  return text;
}

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

/** The continuation bytes of an HPACK integer. */
function hpackInteger(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `in time: ${condition}`);
    await delay(2);
  }
}
