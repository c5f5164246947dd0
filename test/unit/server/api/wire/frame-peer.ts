import { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { silentLog } from "../../../../../src/lib/log.ts";
import type {
  DuplexStream,
  MethodHandler,
  ServerStream,
  TransportOptions,
} from "../../../../../src/server/api/transport.ts";
import {
  frameFlag,
  frameType,
  http2Error,
  PREFACE,
  readUint31,
  readUint32,
} from "../../../../../src/server/api/wire/frames.ts";
import { HpackDecoder } from "../../../../../src/server/api/wire/hpack-decoder.ts";
import { WireTransport } from "../../../../../src/server/api/wire/wire-transport.ts";
import { SimClock } from "../../../../sim/clock.ts";
import { frame, settings, uint32 } from "../../../../wire/http2-frames.ts";
import { string } from "./reference-encoder.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A socket whose writes arrive at once, or never while it is stuck. */
export class PeerSocket extends Duplex {
  isStuck = false;
  readonly written: Buffer[] = [];
  #release: (() => void) | undefined;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const take = () => {
      // A copy: chunks of the output are used again.
      this.written.push(Buffer.from(chunk));
      done();
    };
    if (this.isStuck) this.#release = take;
    else take();
  }

  release(): void {
    this.isStuck = false;
    this.#release?.();
    this.#release = undefined;
  }
}

export const defaults: TransportOptions = {
  host: "127.0.0.1",
  port: 0,
  messageBytesMax: 4_194_304,
  headerBytesMax: 65_536,
  concurrentStreamsMax: 1_000,
  keepalive: { minTimeMs: 5_000, intervalMs: 7_200_000, timeoutMs: 20_000 },
  tls: undefined,
  alsoListen: [],
  onHttp1: undefined,
  observer: undefined,
  clock: new SimClock(),
  log: silentLog,
};

/**
 * The other end of a connection, frame by frame, on a clock and a socket that stand still between two calls: what a
 * frame is answered with is what `send` returns.
 */
export class FramePeer {
  readonly clock = new SimClock();
  readonly socket = new PeerSocket();
  readonly transport: WireTransport;
  /** What the handlers of /t.T/Chat and /t.T/Stream were given, in the order of the calls. */
  readonly chats: DuplexStream[] = [];
  readonly streams: ServerStream[] = [];
  readonly #decoder = new HpackDecoder({ tableBytesMax: 4_096, listBytesMax: 65_536, fieldsMax: 256 });
  #unread = Buffer.alloc(0);

  constructor(options: Partial<TransportOptions> = {}) {
    const methods = new Map<string, MethodHandler>([
      ["/t.T/Echo", { kind: "unary", handle: (request) => request }],
      ["/t.T/Never", { kind: "unary", handle: () => new Promise<Buffer>(() => {}) }],
      [
        "/t.T/Pour",
        {
          kind: "serverStream",
          handle: (request, stream) => {
            stream.send(contentOf(request.readUInt32BE(0)));
            stream.end();
          },
        },
      ],
      ["/t.T/Stream", { kind: "serverStream", handle: (_request, stream) => this.streams.push(stream) }],
      [
        "/t.T/Chat",
        {
          kind: "duplex",
          handle: (stream) => {
            stream.onMessage((message) => {
              stream.send(message);
            });
            stream.onHalfClose(() => stream.end());
            this.chats.push(stream);
          },
        },
      ],
    ]);
    this.transport = new WireTransport(methods, { ...defaults, clock: this.clock, ...options });
    this.socket.on("error", () => {});
    this.transport.connect(this.socket, "peer:1");
    this.clock.runDeferred();
  }

  /** The preface, and SETTINGS; returns what the server says first and its answer. */
  open(settings: readonly (readonly [id: number, value: number])[] = []): string[] {
    return this.send(PREFACE, settingsFrame(settings));
  }

  /** Delivers the bytes in one chunk; returns what was written up to the end of the turn. */
  send(...parts: Buffer[]): string[] {
    this.socket.emit("data", Buffer.concat(parts));
    return this.read();
  }

  read(): string[] {
    return this.frames().map(nameOf);
  }

  frames(): Frame[] {
    this.clock.runDeferred();
    let bytes = Buffer.concat([this.#unread, ...this.socket.written.splice(0)]);
    const frames: Frame[] = [];
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3);
      frames.push({
        type: bytes[3]!,
        flags: bytes[4]!,
        stream: readUint31(bytes, 5),
        payload: bytes.subarray(9, end),
      });
      bytes = bytes.subarray(end);
    }
    this.#unread = bytes;
    return frames;
  }

  /** Header fields of a frame; every HEADERS frame has to be given to it, in order. */
  fieldsOf(frame: Frame): readonly string[] {
    return this.#decoder.decode(frame.payload, 0, frame.payload.length).fields;
  }

  /** Lets streams of Node do what they put off, such as `drain` and `close`. */
  async settle(): Promise<string[]> {
    const names: string[] = [];
    for (let i = 0; i < 5; i++) {
      await nextTurn();
      names.push(...this.read());
    }
    return names;
  }

  /** Whether the server has ended the connection, in whatever way. */
  get isOver(): boolean {
    return this.socket.destroyed || this.socket.writableEnded;
  }
}

export { frame as frameOf, uint32, windowUpdate } from "../../../../wire/http2-frames.ts";

export function settingsFrame(pairs: readonly (readonly [id: number, value: number])[] = []): Buffer {
  return settings(...pairs);
}

export const settingsAck = (): Buffer => frame(frameType.settings, frameFlag.ack, 0);
export const dataFrame = (stream: number, payload: Buffer, flags = 0): Buffer =>
  frame(frameType.data, flags, stream, payload);
export const resetFrame = (stream: number, code: number = http2Error.cancel): Buffer =>
  frame(frameType.rstStream, 0, stream, uint32(code));
export const pingFrame = (flags = 0): Buffer => frame(frameType.ping, flags, 0, Buffer.alloc(8, 7));

export function headerBlock(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    parts.push(Buffer.from([0]), string(fields[i]!, false), string(fields[i + 1]!, false));
  }
  return Buffer.concat(parts);
}

export const requestFields = (path: string, ...more: string[]): string[] => [
  ...[":method", "POST", ":scheme", "http", ":path", path, ":authority", "peer"],
  ...["content-type", "application/grpc", "te", "trailers", ...more],
];

export function headersFrame(stream: number, fields: readonly string[], flags = 0): Buffer {
  return frame(frameType.headers, frameFlag.endHeaders | flags, stream, headerBlock(fields));
}

/** A gRPC message with its prefix. */
export function messageOf(payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0]), uint32(payload.length), payload]);
}

/** HEADERS and one message; END_STREAM with it unless told otherwise. */
export function callOf(
  stream: number,
  method: string,
  payload: Buffer,
  flags: number = frameFlag.endStream,
): Buffer {
  return Buffer.concat([
    headersFrame(stream, requestFields(`/t.T/${method}`)),
    dataFrame(stream, messageOf(payload), flags),
  ]);
}

/** Bytes of which each place can be told from its neighbours. */
export function contentOf(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8)) & 0xff;
  return bytes;
}

const typeNames = [
  ...["DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY"],
  ...["WINDOW_UPDATE", "CONTINUATION"],
];

function codeName(code: number): string {
  const name = Object.entries(http2Error).find(([, value]) => value === code)?.[0] ?? String(code);
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

/** "DATA 1 100 END", "RST_STREAM 1 CANCEL", "GOAWAY 1 NO_ERROR", "SETTINGS ACK". */
function nameOf({ type, flags, stream, payload }: Frame): string {
  const words: (string | number)[] = [typeNames[type] ?? `type ${type}`];
  if (type === frameType.settings || type === frameType.ping) {
    if ((flags & frameFlag.ack) !== 0) words.push("ACK");
  } else if (type === frameType.goaway) {
    words.push(readUint31(payload, 0), codeName(readUint32(payload, 4)));
    if (payload.length > 8) words.push(payload.toString("latin1", 8));
  } else {
    words.push(stream);
    if (type === frameType.data) words.push(payload.length);
    if (type === frameType.windowUpdate) words.push(readUint31(payload, 0));
    if (type === frameType.rstStream) words.push(codeName(readUint32(payload, 0)));
    if (type <= frameType.headers && (flags & frameFlag.endStream) !== 0) words.push("END");
  }
  return words.join(" ");
}
