import type { ServiceError } from "@grpc/grpc-js";
import { grpcCode } from "../lib/errors.ts";
import type { Authenticator } from "./authenticator.ts";
import { CallFailure, type DuplexCall, toCallFailure } from "./connection.ts";
import type { EndpointPool } from "./endpoint-pool.ts";
import {
  isLearnerRefusal,
  isRetryable,
  isTokenRefusal,
  isTransientStreamCode,
  MetaStoreError,
} from "./errors.ts";
import type { ResolvedOptions } from "./options.ts";
import { backoffMs } from "./retry.ts";

export interface StreamHandlers {
  /** A call is open: send what the server must know. */
  onOpen(): void;
  onMessage(message: Buffer): void;
  /** The call broke or could not be opened; another is on its way. */
  onLost(error: MetaStoreError): void;
  /** The server refused for good; the stream is closed. */
  onHalt(error: MetaStoreError): void;
}

/** A bidi call that is opened again, on the next endpoint, each time it breaks, until close() or a refusal. */
export class ResumingStream {
  readonly #path: string;
  readonly #pool: EndpointPool;
  readonly #authenticator: Authenticator;
  readonly #options: ResolvedOptions;
  readonly #handlers: StreamHandlers;
  #call: DuplexCall | undefined;
  #endpoint: string;
  #isClosed = false;
  #isPaused = false;
  #failures = 0;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(
    path: string,
    pool: EndpointPool,
    authenticator: Authenticator,
    options: ResolvedOptions,
    handlers: StreamHandlers,
  ) {
    this.#path = path;
    this.#pool = pool;
    this.#authenticator = authenticator;
    this.#options = options;
    this.#handlers = handlers;
    this.#endpoint = pool.endpoints[0]!.name;
    void this.#open();
  }

  get isOpen(): boolean {
    return this.#call !== undefined;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get endpoint(): string {
    return this.#endpoint;
  }

  /** Sends on the open call; without one the message is dropped, since onOpen starts over. */
  send(message: Buffer): void {
    this.#call?.write(message);
  }

  /** Stops reading: the server's flow control window fills and it waits. */
  pause(): void {
    this.#isPaused = true;
    this.#call?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#call?.resume();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    const call = this.#call;
    this.#call = undefined;
    call?.cancel();
  }

  async #open(): Promise<void> {
    const connection = this.#pool.current();
    this.#endpoint = connection.endpoint.name;
    let call: DuplexCall;
    try {
      await connection.settle(this.#options.connectTimeoutMs);
      const metadata = await this.#authenticator.metadata(connection, Date.now() + this.#options.timeoutMs);
      if (this.#isClosed) return;
      const streamMetadata = metadata.clone();
      // A member cut off from its cluster ends the stream instead of staying silent.
      streamMetadata.set("hasleader", "true");
      call = connection.duplex(this.#path, streamMetadata);
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error;
      this.#pool.leave(connection);
      this.#broken(error);
      return;
    }
    this.#call = call;
    // A status may follow the end or the data; only the first end of a call counts.
    const ended = (failure: CallFailure): void => {
      if (this.#call !== call) return;
      this.#call = undefined;
      this.#pool.leave(connection);
      this.#broken(failure);
    };
    call.on("data", (message: Buffer) => {
      if (this.#call !== call) return;
      this.#failures = 0;
      this.#handlers.onMessage(message);
    });
    call.on("error", (error: ServiceError) => ended(toCallFailure(error)));
    call.on("end", () => ended(new CallFailure(grpcCode.unavailable, "the server ended the stream", true)));
    if (this.#isPaused) call.pause();
    this.#handlers.onOpen();
  }

  #broken(failure: CallFailure): void {
    if (this.#isClosed) return;
    const error = new MetaStoreError({
      grpc: failure.grpc,
      message: failure.message,
      endpoint: this.#endpoint,
      outcome: "not-applied",
      retryable: isRetryable(failure.grpc, failure.message),
    });
    const isTokenRenewable = this.#authenticator.hasUser && isTokenRefusal(failure.message);
    if (isTokenRenewable) this.#authenticator.invalidate();
    const isAnotherWilling = this.#pool.size > 1 && isLearnerRefusal(failure.message);
    this.#failures += 1;
    const isTransient =
      isTransientStreamCode(failure.grpc) || isAnotherWilling || (isTokenRenewable && this.#failures === 1);
    if (!isTransient) {
      this.#isClosed = true;
      this.#handlers.onHalt(error);
      return;
    }
    this.#handlers.onLost(error);
    if (this.#isClosed) return;
    // The first loss goes to the next endpoint at once; a full round of losses waits.
    const round = Math.floor((this.#failures - 1) / this.#pool.size);
    const delayMs = round === 0 && this.#failures < this.#pool.size ? 0 : backoffMs(Math.max(round, 1));
    this.#retryTimer = setTimeout(() => void this.#open(), delayMs);
  }
}
