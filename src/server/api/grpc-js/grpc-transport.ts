import {
  constants,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import {
  Server,
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerMethodDefinition,
} from "@grpc/grpc-js";
import { assert } from "../../../lib/assert.ts";
import { createDeferred } from "../../../lib/deferred.ts";
import { grpcCode } from "../../../lib/errors.ts";
import { Listeners } from "../listener.ts";
import type { MethodHandler, MethodTable, Transport, TransportOptions } from "../transport.ts";
import { unknownPathText } from "../unknown-path.ts";
import { type Http2Seam, openHttp2Seam } from "./http2-seam.ts";
import { enforcePingPolicy } from "./ping-policy.ts";
import { SessionLiveness } from "./session-liveness.ts";
import { StreamCall } from "./stream-call.ts";
import { UnaryCall } from "./unary-call.ts";

/** What one stream may have on the way to us unread: a request of the usual size needs no second round trip. */
const STREAM_WINDOW_BYTES = 262_144;
/** The same for a whole connection; streams have windows of their own. */
const CONNECTION_WINDOW_BYTES = 4_194_304;
/** Name/value pairs in one header block. */
const HEADER_PAIRS_MAX = 256;
/** Cancelled calls of one connection: at once, and per second after that. A busy client cancels watches by the hundred. */
const STREAM_RESET_BURST = 10_000;
const STREAM_RESETS_PER_SECOND = 1_000;
/** grpc-timeout above this many milliseconds is no timeout: timers hold 31 bits. */
const TIMEOUT_MS_MAX = 2_147_483_647;

const identity = (message: Buffer): Buffer => message;
const nothing = (): void => {};

/** @grpc/grpc-js as a Transport: DESIGN.md, "The grpc-js transport". */
export class GrpcTransport implements Transport {
  readonly #methods: MethodTable;
  readonly #services: ReadonlySet<string>;
  readonly #options: TransportOptions;
  readonly #server: Server;
  readonly #seam: Http2Seam;
  readonly #liveness: SessionLiveness;
  readonly #sessions = new Set<ServerHttp2Session>();
  #onSessionsGone: () => void = () => {};
  readonly #listeners: Listeners;
  /** The headers of the stream that grpc-js is being given, until it has made the call of it. */
  #arrivingHeaders: IncomingHttpHeaders | undefined;

  constructor(methods: MethodTable, options: TransportOptions) {
    this.#methods = methods;
    this.#options = options;
    this.#services = new Set([...methods.keys()].map((path) => path.slice(1, path.lastIndexOf("/"))));
    this.#server = new Server({
      "grpc.max_receive_message_length": options.messageBytesMax,
      "grpc.max_send_message_length": -1,
      "grpc.keepalive_time_ms": options.keepalive.intervalMs,
      "grpc.keepalive_timeout_ms": options.keepalive.timeoutMs,
      "grpc.enable_channelz": 0,
      interceptors: [(method, call) => this.#intercept(method, call)],
    });
    for (const [path, handler] of methods) this.#register(path, handler);
    this.#seam = openHttp2Seam(this.#server, {
      maxHeaderListPairs: HEADER_PAIRS_MAX,
      streamResetBurst: STREAM_RESET_BURST,
      streamResetRate: STREAM_RESETS_PER_SECOND,
      // In megabytes, so none: at a limit Node resets streams at random; queues are bounded by the services.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
      settings: {
        maxConcurrentStreams: options.concurrentStreamsMax,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxHeaderListSize: options.headerBytesMax,
      },
    });
    this.#liveness = new SessionLiveness(options.clock, options.keepalive.timeoutMs);
    this.#watchHttp2();
    this.#listeners = new Listeners(options, (socket) => this.#seam.inject(socket));
  }

  get ports(): readonly number[] {
    return this.#listeners.ports;
  }

  listen(): Promise<number> {
    return this.#listeners.listen();
  }

  async close(graceMs: number): Promise<void> {
    this.#listeners.stopAccepting();
    this.#server.tryShutdown((error) => {
      if (error) this.#options.log.debug("the gRPC server closed with an error", { error });
    });
    // Not by tryShutdown's word: from Node 24 on it comes at once, since closing the server marks the sessions closed.
    const drained = createDeferred<void>();
    this.#onSessionsGone = drained.resolve;
    if (this.#sessions.size === 0) drained.resolve();
    const timer = this.#options.clock.after(graceMs, drained.resolve);
    await drained.promise;
    timer.cancel();
    this.#liveness.stop();
    this.#server.forceShutdown();
    this.#listeners.closeConnections();
  }

  #register(path: string, handler: MethodHandler): void {
    const type = { unary: "unary", serverStream: "serverStream", duplex: "bidi" }[handler.kind];
    // The function is never called: #intercept keeps every call.
    const isNew = this.#server.register(path, nothing, identity, identity, type);
    assert(isNew, `one handler for ${path}`);
  }

  #watchHttp2(): void {
    const { http2 } = this.#seam;
    const { log, keepalive, clock } = this.#options;
    http2.on("session", (session) => {
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      this.#liveness.watch(session);
      this.#sessions.add(session);
      session.once("close", () => {
        this.#sessions.delete(session);
        if (this.#sessions.size === 0) this.#onSessionsGone();
      });
      enforcePingPolicy(session, keepalive.minTimeMs, clock);
    });
    http2.on("sessionError", (error) => log.debug("HTTP/2 session error", { error }));
    http2.on("stream", (stream, headers) => this.#accept(stream, headers));
  }

  #accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // A session that a frame behind these headers has destroyed still announces its streams, and their errors.
    stream.on("error", (error) => this.#options.log.debug("HTTP/2 stream error", { error }));
    if (stream.destroyed || stream.closed) return;
    const path = headers[":path"] ?? "";
    if (!this.#methods.has(path) && isGrpc(headers)) {
      this.#refuseUnknown(stream, path);
      return;
    }
    this.#arrivingHeaders = headers;
    this.#seam.dispatch(stream, headersForGrpcJs(headers));
    this.#arrivingHeaders = undefined;
  }

  /** Not observed: the path is the caller's invention and would become a label of the metrics. */
  #refuseUnknown(stream: ServerHttp2Stream, path: string): void {
    stream.respond(
      {
        ":status": constants.HTTP_STATUS_OK,
        "content-type": "application/grpc",
        "grpc-status": grpcCode.unimplemented,
        "grpc-message": encodeURI(unknownPathText(path, this.#services)),
      },
      { endStream: true },
    );
    stream.resume();
  }

  #intercept(
    method: ServerMethodDefinition<Buffer, Buffer>,
    call: ServerInterceptingCallInterface,
  ): ServerInterceptingCall {
    const handler = this.#methods.get(method.path);
    const headers = this.#arrivingHeaders;
    assert(
      handler !== undefined && headers !== undefined,
      "grpc-js makes the call while it is given the stream",
    );
    return handler.kind === "unary"
      ? new UnaryCall(call, method.path, headers, this.#options, handler.handle)
      : new StreamCall(call, method.path, headers, this.#options, handler);
  }
}

function isGrpc(headers: IncomingHttpHeaders): boolean {
  return headers["content-type"]?.startsWith("application/grpc") === true;
}

/**
 * Only what grpc-js itself needs: it copies and checks each header it sees, complains of odd values on the console,
 * and the services read the original.
 */
function headersForGrpcJs(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const seen: IncomingHttpHeaders = {
    ":path": headers[":path"],
    ":authority": headers[":authority"],
    "content-type": headers["content-type"],
  };
  const timeout = headers["grpc-timeout"];
  if (typeof timeout === "string" && !isBeyondTimers(timeout)) seen["grpc-timeout"] = timeout;
  const encoding = headers["grpc-encoding"];
  if (encoding !== undefined) seen["grpc-encoding"] = encoding;
  return seen;
}

const msPerUnit: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000 };

function isBeyondTimers(timeout: string): boolean {
  const unit = msPerUnit[timeout.at(-1) ?? ""];
  return unit !== undefined && Number.parseInt(timeout, 10) * unit > TIMEOUT_MS_MAX;
}
