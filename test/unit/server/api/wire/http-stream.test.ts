import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { SystemClock } from "../../../../../src/lib/clock.ts";
import { createDeferred } from "../../../../../src/lib/deferred.ts";
import { limits } from "../../../../../src/lib/limits.ts";
import { frameFlag } from "../../../../../src/server/api/wire/frames.ts";
import { WireTransport } from "../../../../../src/server/api/wire/wire-transport.ts";
import { contentOf, dataFrame, defaults, FramePeer, headersFrame, resetFrame } from "./frame-peer.ts";

type Headers = Record<string, string | number | string[] | undefined>;

async function bodyOf(stream: IncomingMessage | ClientHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function answerOf(stream: ClientHttp2Stream): Promise<{ headers: Headers; body: Buffer }> {
  const [headers] = (await once(stream, "response")) as [Headers];
  return { headers, body: await bodyOf(stream) };
}

describe("HttpStream", () => {
  let transport: WireTransport;
  let http: Server;
  let session: ClientHttp2Session;

  async function start(listener: RequestListener): Promise<void> {
    http = createServer((request, response) => {
      if (request.url === "/alive") response.end();
      else listener(request, response);
    });
    const onHttp1 = (socket: unknown) => http.emit("connection", socket);
    transport = new WireTransport(new Map(), { ...defaults, clock: new SystemClock(), onHttp1 });
    const port = await transport.listen();
    session = connect(`http://127.0.0.1:${port}`);
    session.on("error", () => {});
  }

  async function assertServes(): Promise<void> {
    const { headers } = await answerOf(session.request({ ":path": "/alive" }));
    assert.equal(headers[":status"], 200);
  }

  /** So many round trips: whatever was on its way has arrived. */
  async function settle(): Promise<void> {
    for (let i = 0; i < 20; i++) await assertServes();
  }

  afterEach(async () => {
    session.destroy();
    await transport.close(0);
    http.closeAllConnections();
  });

  it("gives a GET to the application with its headers, and its answer to the client", async () => {
    await start((request, response) => {
      assert.equal(request.socket.remoteAddress, "127.0.0.1");
      response.writeHead(207, { "X-One": "1", "Set-Cookie": ["a=1", "b=2"] });
      const { method, url, headers } = request;
      response.end(
        JSON.stringify({ method, url, host: headers.host, x: headers["x-asked"], te: headers.te }),
      );
    });
    const { headers, body } = await answerOf(
      session.request({ ":path": "/a?b=c%20d", ":authority": "there:1", "x-asked": "yes", te: "trailers" }),
    );
    assert.equal(headers[":status"], 207);
    assert.equal(headers["x-one"], "1");
    assert.deepEqual(headers["set-cookie"], ["a=1", "b=2"]);
    for (const name of ["connection", "keep-alive", "transfer-encoding"])
      assert.equal(headers[name], undefined);
    assert.deepEqual(JSON.parse(body.toString()), {
      ...{ method: "GET", url: "/a?b=c%20d", host: "there:1", x: "yes" },
    });
  });

  it("gives a body to the application, with its length or without", async () => {
    await start(async (request, response) => {
      const body = await bodyOf(request);
      response.setHeader("x-length", request.headers["content-length"] ?? "none");
      response.end(body.reverse());
    });
    const content = contentOf(300_000);
    for (const length of [String(content.length), undefined]) {
      const stream = session.request({
        ...{ ":path": "/", ":method": "POST" },
        ...(length === undefined ? {} : { "content-length": length }),
      });
      stream.end(content);
      const { headers, body } = await answerOf(stream);
      assert.equal(headers["x-length"], length ?? "none");
      assert.ok(body.equals(contentOf(300_000).reverse()));
    }
  });

  it("answers HEAD with the length of the body and without the body", async () => {
    await start((_request, response) => response.writeHead(200, { "content-length": 1_234 }).end());
    const { headers, body } = await answerOf(session.request({ ":path": "/", ":method": "HEAD" }));
    assert.equal(headers["content-length"], "1234");
    assert.equal(body.length, 0);
  });

  it("reads no more of a large answer than the client takes, and delivers all of it", async () => {
    const piece = contentOf(65_536);
    const pieces = 256;
    let written = 0;
    await start((_request, response) => {
      const write = () => {
        while (written < pieces) {
          written++;
          if (!response.write(piece)) {
            response.once("drain", write);
            return;
          }
        }
        response.end();
      };
      write();
    });
    const stream = session.request({ ":path": "/" });
    await once(stream, "response");
    await settle();
    assert.ok(written < 32, `${written} of ${pieces} pieces`);
    const body = await bodyOf(stream);
    assert.equal(body.length, pieces * piece.length);
    for (let i = 0; i < pieces; i++) {
      const part = body.subarray(i * piece.length, (i + 1) * piece.length);
      assert.ok(part.equals(piece), `piece ${i}`);
    }
  });

  it("takes no more of a large body than the application reads", async () => {
    const asked = createDeferred<IncomingMessage>();
    await start(async (request, response) => {
      asked.resolve(request);
      request.on("end", () => response.end("read"));
    });
    const stream = session.request({ ":path": "/", ":method": "POST" });
    const total = 4_194_304;
    stream.end(Buffer.alloc(total));
    const request = await asked.promise;
    await settle();
    assert.equal(stream.writableFinished, false);
    await assertServes();
    let read = 0;
    request.on("data", (chunk: Buffer) => {
      read += chunk.length;
    });
    const { body } = await answerOf(stream);
    assert.equal(body.toString(), "read");
    assert.equal(read, total);
  });

  it("refuses CONNECT", async () => {
    await start((_request, response) => response.end());
    const peer = new FramePeer({ onHttp1: () => assert.fail("nothing is to be served") });
    peer.open();
    const fields = [":method", "CONNECT", ":scheme", "http", ":path", "/", ":authority", "there:1"];
    const names = peer.send(headersFrame(1, fields));
    assert.deepEqual(names, ["HEADERS 1", "DATA 1 0 END", "RST_STREAM 1 NO_ERROR"]);
    const stream = session.request({ ":method": "CONNECT", ":authority": "there:1" });
    stream.on("error", () => {});
    stream.resume();
    await new Promise((resolve) => stream.on("close", resolve));
    await assertServes();
  });

  it("answers 400 to a path that HTTP/1.1 cannot have, and serves on", async () => {
    await start((_request, response) => response.end());
    const peer = new FramePeer({ onHttp1: () => {} });
    peer.open();
    const fields = [":method", "GET", ":scheme", "http", ":path", "/a b", ":authority", "there"];
    peer.socket.emit("data", headersFrame(1, fields, frameFlag.endStream));
    const [headers, text] = peer.frames();
    assert.ok(peer.fieldsOf(headers!).includes("400"));
    assert.match(text!.payload.toString(), /unescaped characters/);
    await assertServes();
  });

  it("takes the authority from `host` where there is no other", async () => {
    await start((request, response) => response.end(request.headers.host));
    const peer = new FramePeer({ onHttp1: (socket) => http.emit("connection", socket) });
    peer.open();
    const fields = [":method", "GET", ":scheme", "http", ":path", "/", "host", "elsewhere"];
    peer.socket.emit("data", headersFrame(1, fields, frameFlag.endStream));
    let body = "";
    while (body === "") {
      await settle();
      body = peer
        .frames()
        .filter(({ type }) => type === 0)
        .map(({ payload }) => payload.toString())
        .join("");
    }
    assert.equal(body, "elsewhere");
    peer.socket.destroy();
  });

  it("serves a GET once it is known to be sound to its end", async () => {
    let served = 0;
    const server = createServer((_request, response) => {
      served++;
      response.end("body");
    });
    const peer = new FramePeer({ onHttp1: (socket) => server.emit("connection", socket) });
    peer.open();
    const fields = [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "here"];
    peer.send(headersFrame(1, fields), headersFrame(3, fields));
    await peer.settle();
    assert.equal(served, 0);
    const trailers = peer.send(headersFrame(1, [":path", "/"], frameFlag.endStream));
    assert.deepEqual(trailers, ["RST_STREAM 1 PROTOCOL_ERROR"]);
    peer.send(dataFrame(3, Buffer.alloc(0), frameFlag.endStream));
    await peer.settle();
    assert.equal(served, 1);
    peer.socket.destroy();
    server.closeAllConnections();
  });

  it("ends an answer with its request, which may turn out malformed before, or http2AnswerHeldMsMax later", async () => {
    const server = createServer((_request, response) => response.end("early"));
    const peer = new FramePeer({ onHttp1: (socket) => server.emit("connection", socket) });
    peer.open();
    const fields = [":method", "POST", ":scheme", "http", ":path", "/a", ":authority", "a"];
    const wait = async (names: string[]): Promise<string[]> => {
      const found: string[] = [];
      for (let i = 0; i < 50 && found.length < names.length; i++) {
        found.push(...(await peer.settle()));
      }
      return found;
    };
    const answer = (stream: number): string[] => [`HEADERS ${stream}`, `DATA ${stream} 5`];
    peer.send(headersFrame(1, fields), dataFrame(1, contentOf(4)));
    assert.deepEqual(await wait(answer(1)), answer(1));
    assert.deepEqual(peer.send(headersFrame(1, [":method", "POST"])), ["RST_STREAM 1 PROTOCOL_ERROR"]);
    peer.send(headersFrame(3, fields), dataFrame(3, contentOf(4)));
    assert.deepEqual(await wait(answer(3)), answer(3));
    assert.deepEqual(peer.send(dataFrame(3, contentOf(0), frameFlag.endStream)), ["DATA 3 0 END"]);
    peer.send(headersFrame(5, fields), dataFrame(5, contentOf(4)));
    assert.deepEqual(await wait(answer(5)), answer(5));
    peer.clock.advance(limits.http2AnswerHeldMsMax - 1);
    assert.deepEqual(peer.read(), []);
    peer.clock.advance(1);
    assert.deepEqual(peer.read(), ["DATA 5 0 END", "RST_STREAM 5 NO_ERROR"]);
    peer.socket.destroy();
    server.closeAllConnections();
  });

  it("tells the application that the client has gone, and serves on", async () => {
    const closed = createDeferred<void>();
    await start((_request, response) => {
      response.on("close", () => closed.resolve());
      response.write("a beginning");
    });
    const stream = session.request({ ":path": "/" });
    await once(stream, "response");
    stream.close(constants.NGHTTP2_CANCEL);
    await closed.promise;
    await assertServes();
  });

  it("breaks off a stream whose answer was broken off, and serves on", async () => {
    await start((request, response) => {
      if (request.url === "/early") response.destroy();
      else response.write("a beginning", () => response.destroy());
    });
    for (const path of ["/early", "/late"]) {
      const stream = session.request({ ":path": path });
      stream.on("error", () => {});
      stream.resume();
      await new Promise((resolve) => stream.on("close", resolve));
      assert.equal(stream.rstCode, constants.NGHTTP2_INTERNAL_ERROR);
    }
    await assertServes();
  });

  it("gives the connection back what was sent of a body that nobody reads, when its stream is over", async () => {
    await start(() => {});
    const peer = new FramePeer({ onHttp1: (socket) => http.emit("connection", socket) });
    peer.open();
    const given: string[] = [];
    for (let id = 1; id < 80; id += 2) {
      const fields = [":method", "POST", ":scheme", "http", ":path", "/", ":authority", "here"];
      given.push(...peer.send(headersFrame(id, fields)));
      for (let i = 0; i < 16; i++) given.push(...peer.send(dataFrame(id, contentOf(16_384))));
      given.push(...(await peer.settle()), ...peer.send(resetFrame(id)), ...(await peer.settle()));
    }
    peer.socket.destroy();
    const credit = given
      .filter((name) => name.startsWith("WINDOW_UPDATE 0 "))
      .reduce((sum, name) => sum + Number(name.split(" ")[2]), 0);
    assert.equal(
      given.find((name) => name.startsWith("GOAWAY")),
      undefined,
    );
    assert.ok(credit > 10_485_760 - 2_097_152, `${credit} of 10485760`);
  });

  it("holds no more than http2PlainRequestsMax requests in the application, resets or not", async () => {
    let open = 0;
    let highest = 0;
    const server = createServer((_request, response) => {
      highest = Math.max(highest, ++open);
      response.on("close", () => open--);
    });
    const peer = new FramePeer({ onHttp1: (socket) => server.emit("connection", socket) });
    peer.open();
    for (let id = 1; id < 2_000; id += 2) {
      peer.send(headersFrame(id, [":method", "GET", ":scheme", "http", ":path", "/", ":authority", "a"], 1));
      await peer.settle();
      peer.send(resetFrame(id));
      await peer.settle();
    }
    peer.socket.destroy();
    server.closeAllConnections();
    assert.ok(highest <= limits.http2PlainRequestsMax, `${highest}`);
  });
});
