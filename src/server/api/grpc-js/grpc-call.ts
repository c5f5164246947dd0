import type { IncomingHttpHeaders } from "node:http2";
import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from "@grpc/grpc-js";
import { type GrpcCode, grpcCode } from "../../../lib/errors.ts";
import type { CallStatus } from "../status.ts";
import { toStatus } from "../status.ts";
import type { CallContext, TransportOptions } from "../transport.ts";
import { inGoWords } from "./go-texts.ts";
import { RequestMetadata } from "./request-metadata.ts";

/**
 * One call. It is an interceptor that keeps the call to itself: grpc-js gives the HTTP/2 stream, message framing
 * and deadline, and its own handler objects (a Readable, a Writable or an EventEmitter per call) are never made.
 * It is its own CallContext and its own listener, to save the allocations.
 */
export abstract class GrpcCall extends ServerInterceptingCall implements CallContext {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly timeoutMs: number | undefined;
  isCancelled = false;

  protected readonly base: ServerInterceptingCallInterface;
  protected readonly options: TransportOptions;
  /** A status was sent, or will never be. */
  protected isFinished = false;
  readonly #sendStatus: ServerInterceptingCallInterface["sendStatus"];
  readonly #startedAtMs: number;
  #isBegun = false;
  #isEndedByHandler = false;
  #cancelListeners: (() => void)[] | undefined;

  constructor(
    base: ServerInterceptingCallInterface,
    path: string,
    headers: IncomingHttpHeaders,
    options: TransportOptions,
  ) {
    super(base);
    this.base = base;
    this.path = path;
    this.metadata = new RequestMetadata(headers);
    this.options = options;
    const deadline = base.getDeadline();
    this.timeoutMs =
      deadline === Number.POSITIVE_INFINITY
        ? undefined
        : Math.max(0, Number(deadline) - options.clock.wallMs());
    this.#startedAtMs = options.observer === undefined ? 0 : options.clock.nowMs();
    // grpc-js ends calls by itself too (deadline, message too large); those statuses pass here as well.
    this.#sendStatus = base.sendStatus.bind(base);
    base.sendStatus = (status) =>
      this.#endedByTransport(status.code ?? grpcCode.unknown, status.details ?? "");
  }

  get peer(): string {
    const { remoteAddress, remotePort } = this.base.getConnectionInfo();
    return `${remoteAddress ?? "unknown"}:${remotePort ?? 0}`;
  }

  onCancel(fn: () => void): void;
  /** grpc-js: the call is over, whoever ended it. */
  onCancel(): void;
  onCancel(fn?: () => void): void {
    if (fn === undefined) this.#over();
    else if (this.isCancelled) fn();
    else if (this.#cancelListeners === undefined) this.#cancelListeners = [fn];
    else this.#cancelListeners.push(fn);
  }

  override start(): void {
    this.options.observer?.started(this.path, this.metadata);
    this.base.start(this);
    if (!this.#isBegun) this.#over();
  }

  onReceiveMetadata(_metadata: Metadata): void {
    this.#isBegun = true;
    this.begin();
  }

  abstract onReceiveMessage(message: Buffer): void;
  abstract onReceiveHalfClose(): void;
  /** The call may start to read. */
  protected abstract begin(): void;

  protected fail(error: unknown): void {
    this.finish(toStatus(error, this.options.log));
  }

  protected finish(status: CallStatus): void {
    if (this.isFinished) return;
    this.#isEndedByHandler = true;
    this.#conclude(status);
  }

  /** The call ends with a status that its handler does not know of: it is told of it as of a cancel. */
  protected endByTransport(status: CallStatus): void {
    if (this.isFinished) return;
    this.#conclude(status);
    this.#over();
  }

  #endedByTransport(code: number, details: string): void {
    if (!this.isFinished) this.#conclude(inGoWords(code, details));
  }

  #conclude(status: CallStatus): void {
    this.isFinished = true;
    this.#observe(status.code);
    this.#sendStatus({ code: status.code, details: status.text, metadata: null });
  }

  #over(): void {
    if (this.#isEndedByHandler || this.isCancelled) return;
    if (!this.isFinished) {
      this.isFinished = true;
      this.#observe(grpcCode.canceled);
    }
    this.isCancelled = true;
    const listeners = this.#cancelListeners;
    this.#cancelListeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener();
  }

  #observe(code: GrpcCode): void {
    const { observer, clock } = this.options;
    observer?.handled(this.path, code, clock.nowMs() - this.#startedAtMs);
  }
}
