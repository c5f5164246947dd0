import type { IncomingHttpHeaders } from "node:http2";
import type { ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { grpcCode } from "../../../lib/errors.ts";
import { okStatus } from "../status.ts";
import type { TransportOptions, UnaryHandler } from "../transport.ts";
import { GrpcCall } from "./grpc-call.ts";

const nothing = (): void => {};

/** One request, one answer. The handler runs as soon as the request is whole; the half-close is not waited for. */
export class UnaryCall extends GrpcCall {
  readonly #handle: UnaryHandler;
  #hasRequest = false;

  constructor(
    base: ServerInterceptingCallInterface,
    path: string,
    headers: IncomingHttpHeaders,
    options: TransportOptions,
    handle: UnaryHandler,
  ) {
    super(base, path, headers, options);
    this.#handle = handle;
  }

  protected override begin(): void {
    this.base.startRead();
  }

  override onReceiveMessage(message: Buffer): void {
    if (this.isFinished) return;
    this.#hasRequest = true;
    this.options.observer?.received(this.path, message.length);
    let answer: ReturnType<UnaryHandler>;
    try {
      answer = this.#handle(message, this);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (Buffer.isBuffer(answer)) this.#answer(answer);
    else
      answer.then(
        (message) => this.#answer(message),
        (error: unknown) => this.fail(error),
      );
  }

  override onReceiveHalfClose(): void {
    if (!this.#hasRequest) this.finish({ code: grpcCode.internal, text: "unexpected EOF" });
  }

  #answer(message: Buffer): void {
    if (this.isFinished) return;
    this.options.observer?.sent(this.path, message.length);
    // The status is queued behind the message at once: waiting for the write would cost a turn of the loop.
    this.base.sendMessage(message, nothing);
    this.finish(okStatus);
  }
}
