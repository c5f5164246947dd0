import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { Duplex } from "node:stream";
import { silentLog } from "../../src/lib/log.ts";
import type { Transport, TransportFactory } from "../../src/server/api/index.ts";
import { transportOptions } from "../suites/transport-suite.ts";
import { CallRecords } from "./call-records.ts";
import { HastyClock } from "./hasty-clock.ts";
import { grpcMessage } from "./http2-frames.ts";
import { happened } from "./patience.ts";
import { SYNTHETIC, syntheticMethods } from "./synthetic-methods.ts";

const HASTE = 100;

/** A transport in this process, and the way to it. */
export class FuzzTarget {
  readonly records = new CallRecords();
  readonly #transport: Transport;
  #port = 0;

  private constructor(factory: TransportFactory) {
    this.#transport = factory(this.records.recorded(syntheticMethods), {
      ...transportOptions,
      messageBytesMax: 4_096,
      headerBytesMax: 16_384,
      concurrentStreamsMax: 100,
      clock: new HastyClock(HASTE),
      log: silentLog,
    });
  }

  static async start(factory: TransportFactory): Promise<FuzzTarget> {
    const target = new FuzzTarget(factory);
    target.#port = await target.#transport.listen();
    return target;
  }

  /** The seam: the client's end of a new connection. A transport that takes any Duplex can be given a pair here. */
  connect(): Duplex {
    return connectTcp(this.#port, "127.0.0.1");
  }

  close(): Promise<void> {
    return this.#transport.close(0);
  }

  /** A well-formed call on a connection of its own; undefined, or what was wrong with it. */
  async soundCall(): Promise<string | undefined> {
    const socket = this.connect();
    const session = connectHttp2("http://test", { createConnection: () => socket });
    session.on("error", () => {});
    try {
      const message = Buffer.from("a sound call");
      const stream = session.request({
        ":method": "POST",
        ":path": `${SYNTHETIC}/EchoLater`,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const parts: Buffer[] = [];
      let status: unknown;
      stream.on("error", () => {});
      stream.on("data", (chunk: Buffer) => parts.push(chunk));
      stream.on("trailers", (trailers) => {
        status = trailers["grpc-status"];
      });
      stream.end(grpcMessage(message));
      if (!(await happened((done) => stream.on("close", done)))) return "a sound call is not answered";
      if (status !== "0") return `a sound call ended with status ${String(status)}`;
      return Buffer.concat(parts).equals(grpcMessage(message))
        ? undefined
        : "a sound call got another answer";
    } finally {
      session.destroy();
    }
  }

  /** What Node's HTTP/2 client sends for calls of each kind, Huffman codes, table entries and all. */
  async recordSession(): Promise<Buffer> {
    const tap = new Tap(this.connect());
    const session = connectHttp2("http://test", { createConnection: () => tap });
    session.on("error", () => {});
    for (const method of ["Echo", "Chat", "Fail", "Quiet", "Echo"]) {
      const stream = session.request({
        ":method": "POST",
        ":path": `${SYNTHETIC}/${method}`,
        "content-type": "application/grpc",
        te: "trailers",
        "x-recorded": method,
        "grpc-timeout": "10S",
      });
      stream.on("error", () => {});
      stream.resume();
      stream.write(grpcMessage(Buffer.from("one")));
      if (method === "Quiet") stream.close(8);
      else stream.end(grpcMessage(Buffer.from("two")));
      await happened((done) => stream.on("close", done));
    }
    session.destroy();
    return Buffer.concat(tap.written);
  }
}

/** A duplex that keeps what goes through it to the server. */
class Tap extends Duplex {
  readonly written: Buffer[] = [];
  readonly #inner: Duplex;

  constructor(inner: Duplex) {
    super();
    this.#inner = inner;
    inner.on("data", (chunk: Buffer) => this.push(chunk));
    inner.on("end", () => this.push(null));
    inner.on("error", () => {});
    inner.on("close", () => this.destroy());
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.written.push(chunk);
    this.#inner.write(chunk, () => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#inner.destroy();
    done(error);
  }
}
