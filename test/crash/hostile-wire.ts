import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";

/** A gRPC frame: a flag, the length, the message. */
export function frame(message: Buffer, claimedLength = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(claimedLength, 1);
  return Buffer.concat([head, message]);
}

/** An HTTP/2 connection that reads nothing of its streams unless told to. */
export class MuteSession {
  readonly #session: ClientHttp2Session;

  constructor(endpoint: string) {
    this.#session = connectHttp2(`http://${endpoint}`);
    this.#session.on("error", () => {}); // the server may close on us: that is what the cases look at
  }

  open(path: string): ClientHttp2Stream {
    const stream = this.#session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.on("error", () => {});
    return stream;
  }

  destroy(): void {
    this.#session.destroy();
  }
}

export interface CallEnd {
  readonly status: string;
  readonly message: string;
}

/** How the server ends a call: its grpc-status, or what the stream was reset with. */
export function endOf(stream: ClientHttp2Stream, limitMs: number): Promise<CallEnd> {
  return new Promise((resolve) => {
    const settle = (end: CallEnd): void => {
      clearTimeout(timer);
      resolve(end);
    };
    // The status comes while the request is still open; the stream itself closes when both sides have ended.
    const note = (headers: Record<string, unknown>): void => {
      const status = headers["grpc-status"];
      if (status === undefined) return;
      settle({ status: String(status), message: decodeURIComponent(String(headers["grpc-message"] ?? "")) });
    };
    const timer = setTimeout(
      () => settle({ status: "open", message: `no end within ${limitMs} ms` }),
      limitMs,
    );
    stream.on("response", note);
    stream.on("trailers", note);
    stream.on("close", () => settle({ status: "reset", message: `HTTP/2 error ${stream.rstCode}` }));
    stream.resume();
  });
}

export interface FloodEnd {
  /** Bytes that left before the server closed the connection. */
  readonly sentBytes: number;
  readonly closed: boolean;
  /** The first bytes of the answer, as text. */
  readonly answer: string;
}

/** Sends `first`, then `chunk` again and again up to `limitBytes` or until the server closes. */
export function flood(
  endpoint: string,
  first: Buffer,
  chunk: Buffer,
  limitBytes: number,
  limitMs: number,
): Promise<FloodEnd> {
  return new Promise((resolve) => {
    const [host = "", port = ""] = endpoint.split(":");
    const socket: Socket = connect(Number(port), host);
    let [sentBytes, answer, settled] = [0, "", false];
    const settle = (closed: boolean): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      socket.destroy();
      resolve({ sentBytes, closed, answer });
    };
    const timer = setTimeout(() => settle(false), limitMs);
    const send = (): void => {
      while (!settled && sentBytes < limitBytes) {
        sentBytes += chunk.length;
        if (!socket.write(chunk)) {
          socket.once("drain", send);
          return;
        }
      }
    };
    socket.on("data", (data) => {
      if (answer.length < 200) answer += data.toString("latin1");
    });
    socket.on("error", () => settle(true));
    socket.on("close", () => settle(true));
    socket.on("connect", () => {
      socket.write(first);
      send();
    });
  });
}

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const HEADERS = 1;
const SETTINGS = 4;
const CONTINUATION = 9;

/** ":method: POST" and ":scheme: http" from the static table, ":path: /x" as a literal. */
const PSEUDO_HEADERS = Buffer.concat([Buffer.from([0x83, 0x86, 0x04, 0x02]), Buffer.from("/x")]);

/** An open header block, and a further 16 KiB piece of it full of small headers that say nothing new. */
export function endlessHeaders(): { first: Buffer; chunk: Buffer } {
  // A literal without indexing: a one-byte name and a value of 100 bytes.
  const header = Buffer.concat([
    Buffer.from([0x00, 0x01]),
    Buffer.from("x"),
    Buffer.from([100]),
    Buffer.alloc(100, "y"),
  ]);
  const piece = Buffer.concat(Array.from({ length: Math.floor(16_384 / header.length) }, () => header));
  return {
    first: Buffer.concat([
      PREFACE,
      http2Frame(SETTINGS, 0, 0, Buffer.alloc(0)),
      http2Frame(HEADERS, 0, 1, PSEUDO_HEADERS),
    ]),
    chunk: http2Frame(CONTINUATION, 0, 1, piece),
  };
}

/** A header whose value claims 100 MB, and a further piece of that value. */
export function hugeHeaderValue(): { first: Buffer; chunk: Buffer } {
  // HPACK: the length as an integer with a 7-bit prefix.
  const length = [0x7f];
  let rest = 100_000_000 - 127;
  while (rest >= 128) {
    length.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  length.push(rest);
  const claim = Buffer.concat([
    PSEUDO_HEADERS,
    Buffer.from([0x00, 0x01]),
    Buffer.from("x"),
    Buffer.from(length),
  ]);
  return {
    first: Buffer.concat([
      PREFACE,
      http2Frame(SETTINGS, 0, 0, Buffer.alloc(0)),
      http2Frame(HEADERS, 0, 1, claim),
    ]),
    chunk: http2Frame(CONTINUATION, 0, 1, Buffer.alloc(16_384, "y")),
  };
}

/** An HTTP/1.1 request whose header never ends. */
export function endlessHttp1Header(): { first: Buffer; chunk: Buffer } {
  return { first: Buffer.from("GET /health HTTP/1.1\r\nHost: x\r\nX: "), chunk: Buffer.alloc(65_536, "y") };
}
