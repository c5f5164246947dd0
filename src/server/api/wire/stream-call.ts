import { grpcCode } from "../../../lib/errors.ts";
import { SendBacklog } from "../send-backlog.ts";
import { okStatus } from "../status.ts";
import type { CallContext, DuplexStream, MethodHandler, TransportOptions } from "../transport.ts";
import { GrpcCall } from "./grpc-call.ts";
import { unexpectedEnd } from "./grpc-status.ts";
import type { RequestHead } from "./request-head.ts";
import type { StreamHost } from "./wire-stream.ts";

type StreamHandler = Exclude<MethodHandler, { kind: "unary" }>;

/** A call that answers with a stream, and for `duplex` reads one too. */
export class StreamCall extends GrpcCall implements DuplexStream {
  readonly #backlog = new SendBacklog();
  readonly #handler: StreamHandler;
  #messageListener: ((message: Buffer) => void) | undefined;
  #halfCloseListener: (() => void) | undefined;
  #hasRequest = false;

  constructor(
    host: StreamHost,
    id: number,
    head: RequestHead,
    options: TransportOptions,
    handler: StreamHandler,
  ) {
    super(host, id, head, options);
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

  send(message: Buffer): boolean {
    if (this.isFinished) return false;
    const { length } = message;
    this.options.observer?.sent(this.path, length);
    this.open();
    if (!this.host.sender.message(this, message)) this.#backlog.add(length);
    return this.#backlog.hasRoom();
  }

  override onTaken(messageBytes: number): void {
    this.#backlog.remove(messageBytes, this.isFinished);
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
    this.holdMessages(true);
  }

  resume(): void {
    this.holdMessages(false);
  }

  end(error?: Error): void {
    if (this.isFinished) return;
    if (error === undefined) this.finish(okStatus);
    else this.fail(error);
  }

  protected override start(): void {
    if (this.#handler.kind !== "duplex") return;
    try {
      this.#handler.handle(this);
    } catch (error) {
      this.fail(error);
    }
  }

  protected override receive(message: Buffer): void {
    if (this.#handler.kind === "duplex") this.#messageListener?.(message);
    else if (!this.#hasRequest) {
      this.#hasRequest = true;
      this.#handler.handle(message, this);
    } else
      this.endByTransport({
        code: grpcCode.internal,
        text: "grpc: more than one request of a server stream",
      });
  }

  protected override halfClosed(): void {
    if (this.#handler.kind === "serverStream" && !this.#hasRequest) this.finish(unexpectedEnd);
    else this.#halfCloseListener?.();
  }
}
