import { DecodeError, grpcCode } from "../lib/errors.ts";
import type { Authenticator } from "./authenticator.ts";
import { CallFailure, type Connection } from "./connection.ts";
import type { EndpointPool } from "./endpoint-pool.ts";
import {
  isLearnerRefusal,
  isMemberTrouble,
  isRetryable,
  isTokenRefusal,
  MetaStoreError,
  outcomeOfWrite,
} from "./errors.ts";
import type { UnaryMethod } from "./methods.ts";
import type { CallOptions, ResolvedOptions } from "./options.ts";
import { backoffMs, sleep } from "./retry.ts";

/** The connection to use in place of the pool's choice, for calls about one member. */
export interface CallTarget {
  readonly connection?: Connection;
  /** The first failure is the answer: for questions about how a member is. */
  readonly isTriedOnce?: boolean;
}

/**
 * Makes unary calls: deadline, failover, retries. A read is tried again on Unavailable; a write only when its
 * request surely was not sent (errors.md section 5), since trying again could apply it twice.
 */
export class UnaryCaller {
  readonly #pool: EndpointPool;
  readonly #authenticator: Authenticator;
  readonly #options: ResolvedOptions;

  constructor(pool: EndpointPool, authenticator: Authenticator, options: ResolvedOptions) {
    this.#pool = pool;
    this.#authenticator = authenticator;
    this.#options = options;
  }

  /**
   * @param isRead whether the request changes nothing; by default what its method says
   * @throws MetaStoreError
   */
  async call<Request, Response>(
    method: UnaryMethod<Request, Response>,
    request: Request,
    options: CallOptions & CallTarget = {},
    isRead: boolean = method.isRead,
  ): Promise<Response> {
    const bytes = method.encode(request);
    const deadlineMs = Date.now() + (options.timeoutMs ?? this.#options.timeoutMs);
    let isTokenRenewed = false;
    for (let attempt = 1; ; attempt++) {
      const connection = options.connection ?? this.#pool.current();
      let failure: CallFailure;
      try {
        const response = await this.#attempt(connection, method.path, bytes, deadlineMs, options.signal);
        return decodeResponse(method, response, connection, isRead);
      } catch (error) {
        if (!(error instanceof CallFailure)) throw error;
        failure = error;
      }
      if (this.#authenticator.hasUser && !isTokenRenewed && isTokenRefusal(failure.message)) {
        isTokenRenewed = true;
        this.#authenticator.invalidate();
        continue;
      }
      const error = toMetaStoreError(failure, connection, isRead);
      const endpoints = options.connection ? 1 : this.#pool.size;
      const isSafe =
        options.isTriedOnce !== true &&
        ((failure.grpc === grpcCode.unavailable && (isRead || !failure.isSent)) ||
          (endpoints > 1 && isLearnerRefusal(failure.message)));
      // Also when this call is not repeated: the calls after it must not wait for a member that is cut off.
      if (!options.connection && (isSafe || isMemberTrouble(failure.grpc))) this.#pool.leave(connection);
      if (!isSafe || attempt >= this.#options.retryRoundsMax * endpoints) throw error;
      if (attempt % endpoints === 0) {
        const delayMs = backoffMs(attempt / endpoints);
        if (Date.now() + delayMs >= deadlineMs) throw error;
        await sleep(delayMs);
        if (options.signal?.aborted) throw error;
      }
    }
  }

  async #attempt(
    connection: Connection,
    path: string,
    bytes: Buffer,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    if (signal?.aborted) throw new CallFailure(grpcCode.canceled, "the call was aborted", false);
    const leftMs = deadlineMs - Date.now();
    await connection.settle(Math.min(Math.max(leftMs, 0), this.#options.connectTimeoutMs));
    const metadata = await this.#authenticator.metadata(connection, deadlineMs);
    return connection.unary(path, bytes, metadata, deadlineMs, signal);
  }
}

function decodeResponse<Request, Response>(
  method: UnaryMethod<Request, Response>,
  response: Buffer,
  connection: Connection,
  isRead: boolean,
): Response {
  try {
    return method.decode(response);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new MetaStoreError({
      grpc: grpcCode.internal,
      message: `the answer of ${method.path} does not decode: ${error.message}`,
      endpoint: connection.endpoint.name,
      outcome: isRead ? "not-applied" : "unknown",
      retryable: false,
      cause: error,
    });
  }
}

function toMetaStoreError(failure: CallFailure, connection: Connection, isRead: boolean): MetaStoreError {
  const isUnsure = !isRead && failure.isSent && outcomeOfWrite(failure.grpc, failure.message) === "unknown";
  return new MetaStoreError({
    grpc: failure.grpc,
    message: failure.message,
    endpoint: connection.endpoint.name,
    outcome: isUnsure ? "unknown" : "not-applied",
    retryable: isRetryable(failure.grpc, failure.message),
  });
}
