import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { Client, credentials } from "@grpc/grpc-js";
import type { ConnectOptions, HostileConnection } from "./hostile-connection.ts";
import type { ServerNumbers, ServerPorts } from "./hostile-server.ts";
import {
  call,
  data,
  frame,
  frameFlag,
  frameHead,
  frameType,
  grpcMessage,
  headers,
  http2Error,
  literal,
  PREFACE,
  repeatedBlocks,
  requestBlock,
  reset,
  setting,
  settings,
  uint32,
  windowUpdate,
} from "./http2-frames.ts";
import { PATIENCE_MS } from "./patience.ts";
import { SYNTHETIC } from "./synthetic-methods.ts";

/** What a case has to work with; connections opened here are destroyed when it is over. */
export interface Arena {
  readonly ports: ServerPorts;
  /** Whether GOAWAY must carry the code that RFC 9113 names; Node's HTTP/2 says INTERNAL_ERROR for many. */
  readonly isStrict: boolean;
  /** How long a flood may last. */
  readonly floodMs: number;
  open(options?: ConnectOptions): Promise<HostileConnection>;
  numbers(): Promise<ServerNumbers>;
}

/** `run` says what was seen; it throws when that is not what must be. */
export interface FrameCase {
  readonly name: string;
  /** The most that the server's memory may rise above what it was. */
  readonly riseBytesMax: number;
  run(arena: Arena): Promise<string>;
}

const MB = 1_048_576;
/** What a laden Node heap rises by without anybody's ill will. */
const USUAL_RISE = 96 * MB;
const ECHO = `${SYNTHETIC}/Echo`;
const QUIET = `${SYNTHETIC}/Quiet`;
const MAX_WINDOW = 0x7fff_ffff;
const DEFAULT_WINDOW = 65_535;
/** Small frames are sent together, as an attacker would. */
const TOGETHER = 1_000;

/** A request that is no gRPC. */
const notGrpc = Buffer.concat([
  Buffer.from([0x83, 0x86]),
  literal(":path", ECHO),
  literal(":authority", "test"),
  literal("content-type", "text/plain"),
]);

const huge = settings([setting.initialWindowSize, MAX_WINDOW]);
const hugeConnection = windowUpdate(0, MAX_WINDOW - DEFAULT_WINDOW);

const repeated = (count: number, bytes: Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, () => bytes));

/** A flood of the same frames that the server may bear or refuse, but must not be harmed by. */
function floodCase(
  name: string,
  total: number,
  unit: Buffer,
  options: {
    readonly connect?: ConnectOptions;
    readonly first?: Buffer;
    readonly isRefusalDue?: boolean;
  } = {},
): FrameCase {
  return {
    name,
    riseBytesMax: USUAL_RISE,
    run: async (arena) => {
      const connection = await arena.open(options.connect);
      if (options.first !== undefined) connection.send(options.first);
      const chunk = repeated(TOGETHER, unit);
      const sent = await connection.flood(total / TOGETHER, () => chunk, arena.floodMs);
      if (options.isRefusalDue === true) await connection.mustBeLetGo();
      else await connection.settle();
      return `${sent * TOGETHER} sent; ${connection.seen()}`;
    },
  };
}

/** Bytes after which the server must refuse the connection and let go of its socket. */
function violation(
  name: string,
  bytes: Buffer,
  codes: readonly number[],
  connect: ConnectOptions = {},
): FrameCase {
  return {
    name,
    riseBytesMax: USUAL_RISE,
    run: async (arena) => {
      const connection = await arena.open(connect);
      connection.send(bytes);
      const seen = await connection.mustBeLetGo();
      const meant = arena.isStrict ? codes : [...codes, http2Error.internalError];
      const { goawayCodes } = connection;
      if (!goawayCodes.some((code) => meant.includes(code))) {
        throw new Error(`GOAWAY ${codes.join(" or ")} is meant: ${seen}`);
      }
      return seen;
    },
  };
}

/** The connection is over before its streams have come to anybody: chance has a part in it, so many try. */
function behindIt(name: string, bytes: Buffer): FrameCase {
  return {
    name,
    riseBytesMax: USUAL_RISE,
    run: async (arena) => {
      for (let attempt = 0; attempt < 40; attempt++) {
        const connection = await arena.open({ isBare: attempt % 2 === 0 });
        connection.send(attempt % 2 === 0 ? session(bytes, windowUpdate(0, 0)) : bytes, windowUpdate(0, 0));
        await connection.mustBeLetGo();
      }
      return "40 connections were refused";
    },
  };
}

/** Bytes that end a stream at most: the connection goes on. */
function borne(name: string, bytes: Buffer, connect: ConnectOptions = {}): FrameCase {
  return {
    name,
    riseBytesMax: USUAL_RISE,
    run: async (arena) => {
      const connection = await arena.open(connect);
      connection.send(bytes);
      return connection.mustServe();
    },
  };
}

/** Either is lawful: a stream that is reset, or a connection that is refused. But one of them. */
function refusedSomehow(name: string, bytes: Buffer): FrameCase {
  return {
    name,
    riseBytesMax: USUAL_RISE,
    run: async (arena) => {
      const connection = await arena.open();
      connection.send(bytes);
      if (!(await connection.until(() => connection.isRefused || connection.resets.size > 0))) {
        throw new Error(`neither a reset nor a refusal: ${connection.seen()}`);
      }
      await connection.settle();
      if (connection.isRefused) await connection.mustBeLetGo();
      return connection.seen();
    },
  };
}

const quietStream = (streamId: number): Buffer => headers(streamId, requestBlock(QUIET));

function rapidReset(name: string, options: ConnectOptions): FrameCase {
  return {
    name,
    riseBytesMax: 2 * USUAL_RISE,
    run: async (arena) => {
      const connection = await arena.open(options);
      const { first, again } = repeatedBlocks(ECHO);
      connection.send(headers(1, first), reset(1, http2Error.cancel));
      const pairs = 500;
      const pair = (streamId: number): Buffer =>
        Buffer.concat([headers(streamId, again), reset(streamId, http2Error.cancel)]);
      const sent = await connection.flood(
        1_000_000 / pairs,
        (index) =>
          Buffer.concat(Array.from({ length: pairs }, (_, at) => pair(3 + 2 * (index * pairs + at)))),
        4 * arena.floodMs,
      );
      await connection.settle();
      return `${sent * pairs} pairs sent; ${connection.seen()}`;
    },
  };
}

/** A header block that opens to 240 MB: one entry of the table, named 60,000 times. */
function hpackBomb(): FrameCase {
  return {
    name: "HPACK bomb: an entry of 4 KB named 60,000 times a block",
    riseBytesMax: 2 * USUAL_RISE,
    run: async (arena) => {
      const connection = await arena.open();
      connection.send(
        headers(1, Buffer.concat([requestBlock(ECHO), literal("bomb", "b".repeat(4_000), true)])),
      );
      const named = Buffer.alloc(15_000, 0x80 | 62);
      const blocks = await connection.flood(
        100,
        (index) => {
          const streamId = 3 + 2 * index;
          return Buffer.concat([
            headers(streamId, requestBlock(ECHO), 0),
            ...Array.from({ length: 3 }, () => frame(frameType.continuation, 0, streamId, named)),
            frame(frameType.continuation, frameFlag.endHeaders, streamId, named),
          ]);
        },
        arena.floodMs,
      );
      await connection.settle(500);
      const { openedCalls } = await arena.numbers();
      return `${blocks} blocks of 240 MB sent; ${connection.seen()}; ${openedCalls} calls ever opened`;
    },
  };
}

const pourRequest = (count: number, bytes: number): Buffer => Buffer.from(JSON.stringify({ count, bytes }));

/** Calls that answer much, to a peer that takes nothing. */
function stalled(
  name: string,
  calls: number,
  riseBytesMax: number,
  path: string,
  request: Buffer,
  connect: ConnectOptions,
): FrameCase {
  return {
    name,
    riseBytesMax,
    run: async (arena) => {
      const connection = await arena.open(connect);
      for (let number = 0; number < calls; number++) connection.send(call(1 + 2 * number, path, request));
      // Longer than an idle connection may be silent on the server's hasty clock.
      await connection.until(() => connection.isClosed, PATIENCE_MS);
      const { openCalls } = await arena.numbers();
      return `${openCalls} calls wait after ${PATIENCE_MS / 1_000} s; ${connection.seen()}`;
    },
  };
}

/** What a sound client sends in a session with a unary call and a stream, byte for byte. */
async function recordSession(port: number): Promise<Buffer> {
  const recorded: Buffer[] = [];
  const proxy = createServer((socket) => {
    const server = connectTcp(port, "127.0.0.1");
    socket.on("data", (chunk: Buffer) => recorded.push(chunk));
    for (const end of [socket, server]) end.on("error", () => {});
    socket.pipe(server);
    server.pipe(socket);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const client = new Client(
    `127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    credentials.createInsecure(),
  );
  const same = (message: Buffer): Buffer => message;
  await new Promise<void>((resolve, reject) => {
    client.makeUnaryRequest(ECHO, same, same, Buffer.from("recorded"), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    const chat = client.makeBidiStreamRequest(`${SYNTHETIC}/Chat`, same, same);
    chat.on("data", () => {});
    chat.on("error", reject);
    chat.on("status", () => resolve());
    chat.write(Buffer.from("one"));
    chat.write(Buffer.from("two"));
    chat.end();
  });
  client.close();
  proxy.close();
  return Buffer.concat(recorded);
}

function cutSession(name: string, isTls: boolean): FrameCase {
  return {
    name,
    riseBytesMax: 2 * USUAL_RISE,
    run: async (arena) => {
      const session = await recordSession(arena.ports.plain);
      const lengths = Array.from({ length: session.length + 1 }, (_, length) => length);
      let cuts = 0;
      const cutter = async (): Promise<void> => {
        for (let length = lengths.pop(); length !== undefined; length = lengths.pop()) {
          for (const isHalf of [false, true]) {
            const connection = await arena.open({ isBare: true, isTls });
            if (length > 0) connection.send(session.subarray(0, length));
            await new Promise<void>((resolve) => connection.socket.write("", () => resolve()));
            if (isHalf) connection.socket.end();
            else connection.destroy();
            if (!(await connection.until(() => connection.isClosed, 2 * PATIENCE_MS))) {
              throw new Error(`the half-closed connection stays open after ${length} bytes`);
            }
            cuts++;
          }
        }
      };
      await Promise.all(Array.from({ length: 16 }, cutter));
      return `${cuts} connections, cut after 0 to ${session.length} bytes, all let go of`;
    },
  };
}

/** Bytes and then silence: nobody may hold a connection for nothing. */
function silence(name: string, bytes: Buffer): FrameCase {
  return {
    name,
    riseBytesMax: USUAL_RISE,
    run: async (arena) => {
      const connections = await Promise.all(Array.from({ length: 50 }, () => arena.open({ isBare: true })));
      for (const connection of connections) if (bytes.length > 0) connection.send(bytes);
      for (const connection of connections) {
        if (!(await connection.until(() => connection.isClosed, 4 * PATIENCE_MS))) {
          throw new Error(`held open for ${(4 * PATIENCE_MS) / 1_000} s: ${connection.seen()}`);
        }
      }
      return "50 connections were let go of";
    },
  };
}

const session = (...parts: readonly Buffer[]): Buffer => Buffer.concat([PREFACE, settings(), ...parts]);

/** One byte of a header block a frame, for as long as it is borne. */
const slowLoris: FrameCase = {
  name: "slow-loris: a header block of one byte a frame",
  riseBytesMax: USUAL_RISE,
  run: async (arena) => {
    const connection = await arena.open({ isMute: true });
    connection.send(headers(1, Buffer.from([0x83]), 0));
    const block = literal("slow", "s".repeat(60_000));
    const deadline = performance.now() + 2 * PATIENCE_MS;
    let sent = 0;
    while (!connection.isRefused && performance.now() < deadline && sent < block.length) {
      connection.send(frame(frameType.continuation, 0, 1, block.subarray(sent, ++sent)));
      await connection.settle(5);
    }
    if (connection.isRefused) await connection.mustBeLetGo();
    return `${sent} frames of one byte sent; ${connection.seen()}`;
  },
};

const oneByteData: FrameCase = {
  name: "a message of 1 MB in DATA frames of one byte",
  riseBytesMax: 2 * USUAL_RISE,
  run: async (arena) => {
    // The answer of 1 MB needs a window too.
    const connection = await arena.open({ settings: Buffer.concat([huge, hugeConnection]) });
    connection.send(headers(1, requestBlock(ECHO)));
    const message = grpcMessage(Buffer.alloc(1_000_000, "m"));
    const byte = (at: number): Buffer => data(1, message.subarray(at, at + 1), at === message.length - 1);
    const room = (): number => Math.min(...connection.windows, TOGETHER);
    let sent = 0;
    while (sent < message.length && !connection.isRefused) {
      if (!(await connection.until(() => room() > 0 || connection.isRefused))) break;
      const count = Math.min(room(), message.length - sent);
      connection.send(Buffer.concat(Array.from({ length: count }, (_, at) => byte(sent + at))));
      sent += count;
      for (const at of [0, 1]) connection.windows[at] = (connection.windows[at] ?? 0) - count;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await connection.until(() => connection.endedCalls > 0 || connection.isRefused);
    if (connection.endedCalls === 0 && !connection.isRefused) {
      throw new Error(
        `neither answered nor refused: ${sent} sent, windows ${connection.windows}, ${connection.seen()}`,
      );
    }
    return `${sent} frames sent; ${connection.seen()}`;
  },
};

const crumbWindows: FrameCase = {
  name: "WINDOW_UPDATE of 1 at a time for answers of 1 MB",
  riseBytesMax: USUAL_RISE,
  run: async (arena) => {
    const connection = await arena.open({ settings: settings([setting.initialWindowSize, 0]) });
    const streams = 20;
    for (let number = 0; number < streams; number++) {
      connection.send(call(1 + 2 * number, `${SYNTHETIC}/Pour`, pourRequest(200, 5_000)));
    }
    const crumbs = Buffer.concat(Array.from({ length: streams }, (_, at) => windowUpdate(1 + 2 * at, 1)));
    const sent = await connection.flood(10_000, () => crumbs, arena.floodMs);
    await connection.settle();
    const taken = connection.frameCounts.get(frameType.data) ?? 0;
    return `${sent * streams} updates sent, ${taken} DATA frames came; ${connection.seen()}`;
  },
};

const manyStreams: FrameCase = {
  name: "10,000 streams open at once on a connection",
  riseBytesMax: 400 * MB,
  run: async (arena) => {
    const connection = await arena.open();
    const { first, again } = repeatedBlocks(QUIET);
    connection.send(headers(1, first));
    await connection.flood(
      100,
      (index) =>
        Buffer.concat(Array.from({ length: 100 }, (_, at) => headers(3 + 2 * (index * 100 + at), again))),
      2 * arena.floodMs,
    );
    await connection.settle(1_000);
    const { openCalls } = await arena.numbers();
    if (openCalls < 10_000 && !connection.isRefused && connection.resets.size === 0) {
      throw new Error(`${openCalls} calls are open, and nothing was refused`);
    }
    return `${openCalls} open; ${connection.seen()}`;
  },
};

const {
  protocolError: protocol,
  flowControlError: flowControl,
  frameSizeError: frameSize,
  streamClosed,
  compressionError: compression,
  enhanceYourCalm: calm,
} = http2Error;
const paddedData = (padding: number): Buffer =>
  frame(frameType.data, frameFlag.padded, 1, Buffer.concat([Buffer.from([padding]), Buffer.alloc(8)]));

export const frameCases: readonly FrameCase[] = [
  rapidReset("rapid reset: 1,000,000 calls opened and reset", {}),
  rapidReset("rapid reset over TLS", { isTls: true }),
  floodCase("CONTINUATION flood, empty frames", 1_000_000, frame(frameType.continuation, 0, 1), {
    first: headers(1, requestBlock(ECHO), 0),
    connect: { isMute: true },
  }),
  {
    name: "CONTINUATION flood, full frames",
    riseBytesMax: USUAL_RISE,
    run: async (arena) => {
      const connection = await arena.open({ isMute: true });
      connection.send(headers(1, requestBlock(ECHO), 0));
      const chunk = frame(frameType.continuation, 0, 1, repeated(100, literal("x", "y".repeat(150))));
      const sent = await connection.flood(20_000, () => chunk, arena.floodMs);
      const seen = await connection.mustBeLetGo(4 * PATIENCE_MS);
      return `${sent} frames of 15 KB sent; ${seen}`;
    },
  },
  hpackBomb(),
  floodCase("PING flood", 1_000_000, frame(frameType.ping, 0, 0, Buffer.alloc(8))),
  floodCase("PING flood, answers unread", 1_000_000, frame(frameType.ping, 0, 0, Buffer.alloc(8)), {
    connect: { isDeaf: true },
  }),
  floodCase("SETTINGS flood", 1_000_000, settings([setting.initialWindowSize, DEFAULT_WINDOW])),
  floodCase("SETTINGS flood, acknowledgements unread", 1_000_000, settings(), { connect: { isDeaf: true } }),
  floodCase("PRIORITY flood", 1_000_000, frame(frameType.priority, 0, 1, Buffer.from([0, 0, 0, 0, 7]))),
  floodCase(
    "PRIORITY flood over TLS",
    1_000_000,
    frame(frameType.priority, 0, 1, Buffer.from([0, 0, 0, 0, 7])),
    {
      connect: { isTls: true },
    },
  ),
  floodCase("empty DATA flood", 1_000_000, data(1, Buffer.alloc(0)), { first: quietStream(1) }),
  floodCase("RST_STREAM flood on a closed stream", 1_000_000, reset(1, http2Error.cancel), {
    first: Buffer.concat([quietStream(1), reset(1, http2Error.cancel)]),
  }),
  floodCase("unknown frame types flood", 1_000_000, frame(0x42, 0xff, 0, Buffer.alloc(20, 7))),
  violation(
    "WINDOW_UPDATE overflow of the connection",
    Buffer.concat([windowUpdate(0, MAX_WINDOW), windowUpdate(0, MAX_WINDOW)]),
    [flowControl],
  ),
  refusedSomehow(
    "WINDOW_UPDATE overflow of a stream",
    Buffer.concat([quietStream(1), windowUpdate(1, MAX_WINDOW), windowUpdate(1, MAX_WINDOW)]),
  ),
  violation("WINDOW_UPDATE of 0 for the connection", windowUpdate(0, 0), [protocol]),
  refusedSomehow("WINDOW_UPDATE of 0 for a stream", Buffer.concat([quietStream(1), windowUpdate(1, 0)])),
  crumbWindows,
  oneByteData,
  stalled(
    "windows of zero, 200 streams that would pour 5 MB each",
    200,
    USUAL_RISE,
    `${SYNTHETIC}/Pour`,
    pourRequest(1_000, 5_000),
    { settings: settings([setting.initialWindowSize, 0]) },
  ),
  stalled(
    "windows of zero, 1,000 unary answers of 50 KB: no more than the answers themselves",
    1_000,
    USUAL_RISE + 1_000 * 50_000 * 1.5,
    `${SYNTHETIC}/Grow`,
    Buffer.from("50000"),
    { settings: settings([setting.initialWindowSize, 0]) },
  ),
  stalled(
    "huge windows and a socket that is never read, 50 streams that would pour 50 MB each",
    50,
    USUAL_RISE,
    `${SYNTHETIC}/Pour`,
    pourRequest(10_000, 5_000),
    { settings: Buffer.concat([huge, hugeConnection]), isDeaf: true },
  ),
  stalled(
    "huge windows and a TLS socket that is never read, 50 streams that would pour 50 MB each",
    50,
    USUAL_RISE,
    `${SYNTHETIC}/Pour`,
    pourRequest(10_000, 5_000),
    { settings: Buffer.concat([huge, hugeConnection]), isDeaf: true, isTls: true },
  ),
  manyStreams,
  silence("silent connections", Buffer.alloc(0)),
  silence("half a preface that waits", PREFACE.subarray(0, 11)),
  silence("half a frame head that waits", session(Buffer.from([0, 0]))),
  silence(
    "half a SETTINGS frame that waits",
    session(frameHead(6, frameType.settings, 0, 0), Buffer.alloc(3)),
  ),
  silence("an open header block that waits", session(headers(1, Buffer.from([0x83]), 0))),
  silence(
    "half a message that waits",
    session(headers(1, requestBlock(ECHO)), data(1, grpcMessage(Buffer.alloc(3), 0, 1_000))),
  ),
  slowLoris,
  cutSession("a sound session cut at every byte", false),
  cutSession("a sound session cut at every byte, over TLS", true),
  violation("SETTINGS: window above 2^31-1", settings([setting.initialWindowSize, 0x8000_0000]), [
    flowControl,
  ]),
  violation("SETTINGS: frame size below 16,384", settings([setting.maxFrameSize, 16_383]), [protocol]),
  violation("SETTINGS: frame size above 16,777,215", settings([setting.maxFrameSize, 16_777_216]), [
    protocol,
  ]),
  violation("SETTINGS: push neither 0 nor 1", settings([setting.enablePush, 2]), [protocol]),
  violation("SETTINGS: length no multiple of 6", frame(frameType.settings, 0, 0, Buffer.alloc(5)), [
    frameSize,
  ]),
  violation("SETTINGS: an acknowledgement with content", frame(frameType.settings, 1, 0, Buffer.alloc(6)), [
    frameSize,
  ]),
  violation("SETTINGS: on a stream", frame(frameType.settings, 0, 1), [protocol]),
  borne("SETTINGS: ids that nobody knows", settings([0x99, 1], [0xffff, 0xffff_ffff])),
  violation("preface without SETTINGS", Buffer.concat([PREFACE, quietStream(1)]), [protocol], {
    isBare: true,
  }),
  violation("a frame of 16 MB", Buffer.concat([quietStream(1), frameHead(0xff_ffff, 0, 0, 1)]), [frameSize]),
  violation("a HEADERS frame of 16 MB", frameHead(0xff_ffff, frameType.headers, 4, 1), [frameSize]),
  violation("an unknown frame of 16 MB", frameHead(0xff_ffff, 0x42, 0, 0), [frameSize]),
  violation("PING of seven bytes", frame(frameType.ping, 0, 0, Buffer.alloc(7)), [frameSize]),
  violation("PING on a stream", frame(frameType.ping, 0, 1, Buffer.alloc(8)), [protocol]),
  violation("GOAWAY on a stream", frame(frameType.goaway, 0, 1, Buffer.alloc(8)), [protocol]),
  violation("RST_STREAM of three bytes", Buffer.concat([quietStream(1), frame(3, 0, 1, Buffer.alloc(3))]), [
    frameSize,
  ]),
  violation("RST_STREAM of an idle stream", reset(99, 8), [protocol]),
  violation("WINDOW_UPDATE of an idle stream", windowUpdate(99, 1), [protocol]),
  violation("WINDOW_UPDATE of three bytes", frame(frameType.windowUpdate, 0, 0, Buffer.alloc(3)), [
    frameSize,
  ]),
  violation("PUSH_PROMISE from a client", frame(frameType.pushPromise, 4, 1, uint32(2)), [protocol]),
  violation("CONTINUATION without HEADERS", frame(frameType.continuation, 4, 1, requestBlock(ECHO)), [
    protocol,
  ]),
  violation(
    "another frame inside a header block",
    Buffer.concat([headers(1, requestBlock(ECHO), 0), frame(frameType.ping, 0, 0, Buffer.alloc(8))]),
    [protocol],
  ),
  violation("DATA on an idle stream", data(1, Buffer.alloc(8)), [protocol, streamClosed]),
  violation("DATA on stream 0", data(0, Buffer.alloc(8)), [protocol]),
  refusedSomehow(
    "DATA on a stream that the caller has closed",
    Buffer.concat([headers(1, requestBlock(QUIET), 5), data(1, Buffer.alloc(8))]),
  ),
  violation("HEADERS on stream 0", headers(0, requestBlock(ECHO)), [protocol]),
  violation("HEADERS on a stream of the server's", headers(2, requestBlock(ECHO)), [protocol]),
  violation("padding longer than the frame", Buffer.concat([quietStream(1), paddedData(200)]), [protocol]),
  violation(
    "padding longer than a header block",
    frame(
      frameType.headers,
      frameFlag.padded | 4,
      1,
      Buffer.concat([Buffer.from([250]), requestBlock("/x")]),
    ),
    [protocol],
  ),
  violation("padded without a pad length", Buffer.concat([quietStream(1), frame(0, frameFlag.padded, 1)]), [
    protocol,
    frameSize,
  ]),
  borne("padding as long as the frame allows", Buffer.concat([quietStream(1), paddedData(8)])),
  borne(
    "reserved bits set",
    Buffer.concat([
      headers(1, requestBlock(QUIET)),
      frame(frameType.windowUpdate, 0xff, 0x8000_0001, uint32(0x8000_0005)),
    ]),
  ),
  violation("a header block that is no HPACK", headers(1, Buffer.alloc(40, 0xff)), [compression, protocol]),
  violation("an index beyond the table", headers(1, Buffer.from([0x80 | 100])), [compression, protocol]),
  violation("a table size above the setting", headers(1, Buffer.from([0x3f, 0xe1, 0xff, 0x7f])), [
    compression,
    protocol,
  ]),
  behindIt("an unknown path, and a violation right behind it", headers(1, requestBlock("/no.Such/Thing"))),
  behindIt("another content-type, and a violation right behind it", headers(1, notGrpc)),
  behindIt(
    "sound calls, and a violation right behind them",
    Buffer.concat([
      call(1, ECHO, Buffer.from("x")),
      quietStream(3),
      call(5, `${SYNTHETIC}/Fail`, Buffer.from("{}")),
    ]),
  ),
  violation("garbage behind the preface", Buffer.alloc(4_096, 0xff), [protocol, frameSize, calm], {}),
  {
    name: "HTTP/1.1 upgrade to h2c",
    riseBytesMax: USUAL_RISE,
    run: async (arena) => {
      const connection = await arena.open({ isBare: true });
      connection.send(
        Buffer.from(
          "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        ),
      );
      let answer = "";
      connection.socket.on("data", (chunk: Buffer) => {
        answer += chunk.toString("latin1");
      });
      if (!(await connection.until(() => connection.isClosed))) throw new Error("stays open");
      if (answer.startsWith("HTTP/1.1 101")) throw new Error("the server upgrades");
      return `not upgraded (${answer.split("\r\n")[0] ?? ""}), closed`;
    },
  },
  {
    name: "plain HTTP/2 and garbage on the TLS port",
    riseBytesMax: USUAL_RISE,
    run: async (arena) => {
      for (const bytes of [
        session(call(1, ECHO, Buffer.alloc(3))),
        Buffer.alloc(2_000, 0x16),
        Buffer.alloc(500, 0xff),
      ]) {
        const socket = connectTcp(arena.ports.tls, "127.0.0.1");
        const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
        socket.on("error", () => {});
        socket.resume();
        socket.write(bytes);
        await closed;
      }
      return "three connections were closed";
    },
  },
];
