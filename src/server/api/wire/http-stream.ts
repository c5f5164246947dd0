import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { type Duplex, duplexPair } from "node:stream";
import type { Clock, Timer } from "../../../lib/clock.ts";
import { limits } from "../../../lib/limits.ts";
import type { Log } from "../../../lib/log.ts";
import { http2Error } from "./frames.ts";
import type { RequestHead } from "./request-head.ts";
import { type StreamHost, WireStream } from "./wire-stream.ts";

/** Fields that HTTP/1.1 has of its own, or that mean a connection. */
const notForwarded = new Set(["te", "expect", "host", "content-length"]);
const notAnswered = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"]);
/** Methods whose requests have no body that means anything: they are served once they are known to be sound to their end. */
const bodiless = new Set(["GET", "HEAD"]);
/** Bytes of a response body that wait for the peer before no more is read of it. */
const QUEUED_BYTES_MAX = 65_536;

/**
 * A request over HTTP/2 that is not gRPC: it is given to the server of HTTP/1.1 connections over a pair of streams in
 * memory, so that one application serves both, with the same limits.
 */
export class HttpStream extends WireStream {
  readonly #head: RequestHead;
  readonly #serve: (socket: Duplex) => void;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Runs while the end of the answer waits. */
  #held: Timer | undefined;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #halves: readonly Duplex[] = [];
  /** Bytes of DATA that the application has not taken: the peer has no credit for them. */
  #heldBytes = 0;
  #isGone = false;

  constructor(
    host: StreamHost,
    id: number,
    head: RequestHead,
    serve: (socket: Duplex) => void,
    clock: Clock,
    log: Log,
  ) {
    super(host, id, head.declaredBytes);
    this.#head = head;
    this.#serve = serve;
    this.#clock = clock;
    this.#log = log;
  }

  override begin(): void {
    this.host.plainRequests++;
    const { method } = this.#head;
    if (method === "CONNECT") {
      this.host.sender.headers(this, [":status", "405"]);
      this.host.sender.end(this, "data");
      return;
    }
    const mayHaveBody = !bodiless.has(method) || this.declaredBytes >= 0;
    if (mayHaveBody || this.isRemoteClosed) this.#dispatch();
  }

  #dispatch(): void {
    const [client, server] = duplexPair();
    this.#halves = [client, server];
    // One half does not hear of the other's end when that is no regular one.
    server.once("close", () => client.destroy());
    this.#serve(Object.assign(server, { remoteAddress: this.host.peer.replace(/:\d+$/, "") }));
    let request: ClientRequest;
    try {
      request = httpRequest({
        method: this.#head.method,
        path: this.#head.path,
        headers: this.#headers(),
        setHost: false,
        createConnection: () => client,
      });
    } catch (error) {
      // A path or a header that Node does not send: its text names it.
      client.destroy();
      this.#answerBadRequest(error);
      return;
    }
    this.#request = request;
    request.on("response", (response) => this.#respond(response));
    request.on("error", (error) => this.#break(error));
    request.on("upgrade", (_response, socket) => socket.destroy());
  }

  override onData(source: Buffer, start: number, end: number, frameBytes: number): void {
    const request = this.#request;
    if (request === undefined || request.destroyed || request.writableEnded) {
      this.host.consumed(this, frameBytes);
      return;
    }
    this.#heldBytes += frameBytes;
    request.write(source.subarray(start, end), () => {
      if (this.#isGone) return;
      this.#heldBytes -= frameBytes;
      this.host.consumed(this, frameBytes);
    });
  }

  override onRemoteEnd(): void {
    if (this.#halves.length === 0 && !this.isSendClosed) this.#dispatch();
    this.#request?.end();
    if (this.#held !== undefined) this.#endAnswer();
  }

  override onTaken(): void {
    if (this.waitingBytes <= QUEUED_BYTES_MAX / 2) this.#response?.resume();
  }

  override onGone(): void {
    this.#isGone = true;
    this.#held?.cancel();
    this.host.plainRequests--;
    this.#request?.destroy();
    this.#response?.destroy();
    for (const half of this.#halves) half.destroy();
    // The connection goes on without it.
    this.host.consumed(this, this.#heldBytes);
  }

  #headers(): string[] {
    const headers = ["host", this.#head.authority];
    const { fields } = this.#head;
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i] as string;
      if (name === "host" && this.#head.authority === "") headers[1] = fields[i + 1] as string;
      if (!notForwarded.has(name)) headers.push(name, fields[i + 1] as string);
    }
    if (this.declaredBytes >= 0) headers.push("content-length", String(this.declaredBytes));
    else if (!this.isRemoteClosed) headers.push("transfer-encoding", "chunked");
    headers.push("connection", "close");
    return headers;
  }

  #respond(response: IncomingMessage): void {
    this.#response = response;
    const fields = [":status", String(response.statusCode ?? 500)];
    for (let i = 0; i < response.rawHeaders.length; i += 2) {
      const name = (response.rawHeaders[i] as string).toLowerCase();
      if (!notAnswered.has(name)) fields.push(name, response.rawHeaders[i + 1] as string);
    }
    const { sender } = this.host;
    sender.headers(this, fields);
    response.on("data", (chunk: Buffer) => {
      if (!sender.data(this, chunk) && this.waitingBytes > QUEUED_BYTES_MAX) response.pause();
    });
    response.on("end", () => {
      if (this.isRemoteClosed) this.#endAnswer();
      else this.#held = this.#clock.after(limits.http2AnswerHeldMsMax, () => this.#endAnswer());
    });
    response.on("error", (error) => this.#break(error));
  }

  #endAnswer(): void {
    this.#held?.cancel();
    this.#held = undefined;
    this.host.sender.end(this, "data");
  }

  #answerBadRequest(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const { sender } = this.host;
    sender.headers(this, [":status", "400", "content-type", "text/plain; charset=utf-8"]);
    sender.data(this, Buffer.from(`${text}\n`, "utf8"));
    sender.end(this, "data");
  }

  #break(error: Error): void {
    if (this.#isGone) return;
    this.#log.debug("an HTTP/2 request was broken off", { error });
    this.host.abort(this, http2Error.internalError);
  }
}
