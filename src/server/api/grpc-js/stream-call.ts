import type { IncomingHttpHeaders } from "node:http2";
import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { grpcCode } from "../../../lib/errors.ts";
import { SendBacklog } from "../send-backlog.ts";
import { okStatus } from "../status.ts";
import type { CallContext, DuplexStream, MethodHandler, TransportOptions } from "../transport.ts";
import { GrpcCall } from "./grpc-call.ts";

type StreamHandler = Exclude<MethodHandler, { kind: "unary" }>;

/** A call that answers with a stream, and for `duplex` reads one too. Messages are read one at a time, on demand. */
export class StreamCall extends GrpcCall implements DuplexStream {
  readonly #backlog = new SendBacklog();
  readonly #handler: StreamHandler;
  #messageListener: ((message: Buffer) => void) | undefined;
  #halfCloseListener: (() => void) | undefined;
  #isPaused = false;
  #isReading = false;
  #isPumping = false;
  #isHalfClosed = false;
  #hasRequest = false;

  constructor(
    base: ServerInterceptingCallInterface,
    path: string,
    headers: IncomingHttpHeaders,
    options: TransportOptions,
    handler: StreamHandler,
  ) {
    super(base, path, headers, options);
    this.#handler = handler;
  }

  get queuedBytes(): number {
    return this.#backlog.bytes;
  }

  get queuedMessages(): number {
    return this.#backlog.messages;
  }

  get context(): CallContext {
    return this;
  }

  protected override begin(): void {
    const handler = this.#handler;
    if (handler.kind === "duplex") {
      try {
        handler.handle(this);
      } catch (error) {
        this.fail(error);
        return;
      }
    }
    this.#pump();
  }

  override onReceiveMessage(message: Buffer): void {
    this.#isReading = false;
    if (this.isFinished) return;
    this.options.observer?.received(this.path, message.length);
    try {
      if (this.#handler.kind === "duplex") this.#messageListener?.(message);
      else if (!this.#hasRequest) {
        this.#hasRequest = true;
        this.#handler.handle(message, this);
      } else {
        this.endByTransport({
          code: grpcCode.internal,
          text: "grpc: more than one request of a server stream",
        });
      }
    } catch (error) {
      this.fail(error);
    }
    this.#pump();
  }

  override onReceiveHalfClose(): void {
    this.#isReading = false;
    this.#isHalfClosed = true;
    if (this.isFinished) return;
    if (this.#handler.kind === "serverStream" && !this.#hasRequest) {
      this.finish({ code: grpcCode.internal, text: "unexpected EOF" });
      return;
    }
    try {
      this.#halfCloseListener?.();
    } catch (error) {
      this.fail(error);
    }
  }

  send(message: Buffer): boolean {
    if (this.isFinished) return false;
    const { length } = message;
    this.#backlog.add(length);
    this.options.observer?.sent(this.path, length);
    this.base.sendMessage(message, () => this.#backlog.remove(length, this.isFinished));
    return this.#backlog.hasRoom();
  }

  onMessage(fn: (message: Buffer) => void): void {
    this.#messageListener = fn;
  }

  onHalfClose(fn: () => void): void {
    this.#halfCloseListener = fn;
  }

  onDrain(fn: () => void): void {
    this.#backlog.onDrain = fn;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#pump();
  }

  end(error?: Error): void {
    if (this.isFinished) return;
    if (error === undefined) this.finish(okStatus);
    else this.fail(error);
  }

  /** A loop, since grpc-js delivers from within startRead() what it has: recursion would follow the peer's will. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#isReading && !this.#isPaused && !this.#isHalfClosed && !this.isFinished) {
      this.#isReading = true;
      this.base.startRead();
    }
    this.#isPumping = false;
  }
}
