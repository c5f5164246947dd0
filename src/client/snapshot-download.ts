import type { ServiceError } from "@grpc/grpc-js";
import { decodeSnapshotResponse } from "../codec/index.ts";
import { DecodeError, grpcCode } from "../lib/errors.ts";
import type { Authenticator } from "./authenticator.ts";
import { CallFailure, type Connection, type ReadCall, toCallFailure } from "./connection.ts";
import type { EndpointPool } from "./endpoint-pool.ts";
import { isMemberTrouble, isRetryable, isTokenRefusal, MetaStoreError } from "./errors.ts";
import { snapshotPath } from "./methods.ts";
import type { ResolvedOptions } from "./options.ts";

export interface SnapshotDownloadOptions {
  readonly pool: EndpointPool;
  readonly authenticator: Authenticator;
  readonly resolved: ResolvedOptions;
  /** The member to ask; undefined: the first endpoint that answers. */
  readonly connection: Connection | undefined;
  /** Longest wait for the next bytes. */
  readonly silenceMsMax: number;
  readonly signal: AbortSignal | undefined;
}

const noBytes = Buffer.alloc(0);

/**
 * A copy of all that one member holds, on its way: `for await (const bytes of download)`. The server waits while the
 * reader is slow, and goes on serving. The bytes end with the SHA-256 of all before; they are a snapshot only when the
 * iteration has ended without an error. To be iterated once. Throws MetaStoreError.
 */
export class SnapshotDownload implements AsyncIterable<Buffer> {
  /** Bytes that have come. */
  receivedBytes = 0;
  /** About how many are still to come, as the server says; undefined before the first. */
  remainingBytes: number | undefined;
  /** The level of the data's meaning, as etcd counts it; "" before the first bytes, and from old servers. */
  version = "";
  readonly #options: SnapshotDownloadOptions;
  #endpoint: string;

  constructor(options: SnapshotDownloadOptions) {
    this.#options = options;
    this.#endpoint = (options.connection ?? options.pool.current()).endpoint.name;
  }

  /** host:port of the member that sends it. */
  get endpoint(): string {
    return this.#endpoint;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void> {
    const { pool, authenticator, connection: chosen } = this.#options;
    let isTokenRenewed = false;
    for (let triesLeft = chosen === undefined ? pool.size : 1; ; ) {
      const connection = chosen ?? pool.current();
      this.#endpoint = connection.endpoint.name;
      try {
        yield* this.#download(connection);
        return;
      } catch (error) {
        if (!(error instanceof CallFailure)) throw error;
        const isUntouched = this.receivedBytes === 0;
        if (isUntouched && authenticator.hasUser && !isTokenRenewed && isTokenRefusal(error.message)) {
          isTokenRenewed = true;
          authenticator.invalidate();
          continue;
        }
        if (chosen === undefined && isMemberTrouble(error.grpc)) pool.leave(connection);
        triesLeft--;
        if (!isUntouched || triesLeft === 0 || error.grpc !== grpcCode.unavailable) {
          throw this.#toError(error);
        }
      }
    }
  }

  async *#download(connection: Connection): AsyncGenerator<Buffer, void> {
    const { authenticator, resolved, silenceMsMax, signal } = this.#options;
    if (signal?.aborted) throw new CallFailure(grpcCode.canceled, "the call was aborted", false);
    await connection.settle(Math.min(silenceMsMax, resolved.connectTimeoutMs));
    const metadata = await authenticator.metadata(connection, Date.now() + resolved.timeoutMs);
    const call = connection.read(snapshotPath, noBytes, metadata);
    const onAbort = (): void => call.cancel();
    // Cancelling makes an error that nobody waits for any more.
    call.on("error", () => {});
    signal?.addEventListener("abort", onAbort, { once: true });
    // It may have been aborted while the connection was made.
    if (signal?.aborted) onAbort();
    const messages: AsyncIterator<Buffer> = call[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await this.#next(messages, call);
        if (next.done === true) return;
        const message = decodeSnapshotResponse(next.value);
        this.version = message.version;
        this.remainingBytes = message.remainingBytes;
        this.receivedBytes += message.blob.length;
        if (message.blob.length > 0) yield message.blob;
      }
    } catch (error) {
      if (error instanceof DecodeError) {
        throw new CallFailure(
          grpcCode.internal,
          `the answer of the server does not decode: ${error.message}`,
          true,
        );
      }
      throw error instanceof CallFailure ? error : toCallFailure(error as ServiceError);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      call.cancel();
    }
  }

  async #next(messages: AsyncIterator<Buffer>, call: ReadCall): Promise<IteratorResult<Buffer>> {
    const { silenceMsMax } = this.#options;
    let isSilent = false;
    const timer = setTimeout(() => {
      isSilent = true;
      call.cancel();
    }, silenceMsMax);
    try {
      return await messages.next();
    } catch (error) {
      if (!isSilent) throw error;
      throw new CallFailure(grpcCode.deadlineExceeded, `nothing came for ${silenceMsMax} ms`, true);
    } finally {
      clearTimeout(timer);
    }
  }

  #toError(failure: CallFailure): MetaStoreError {
    return new MetaStoreError({
      grpc: failure.grpc,
      message: failure.message,
      endpoint: this.#endpoint,
      outcome: "not-applied",
      retryable: isRetryable(failure.grpc, failure.message),
    });
  }
}
