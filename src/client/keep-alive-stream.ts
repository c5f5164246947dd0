import {
  decodeLeaseKeepAliveResponse,
  encodeLeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
} from "../codec/index.ts";
import { DecodeError, grpcCode } from "../lib/errors.ts";
import type { Authenticator } from "./authenticator.ts";
import type { EndpointPool } from "./endpoint-pool.ts";
import { MetaStoreError } from "./errors.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { keepAlivePath } from "./methods.ts";
import type { ResolvedOptions } from "./options.ts";
import { ResumingStream } from "./resuming-stream.ts";

/** All lease keepers of a client on one LeaseKeepAlive call. */
export class KeepAliveStream {
  readonly #openStream: (handlers: ConstructorParameters<typeof ResumingStream>[4]) => ResumingStream;
  readonly #keepers = new Map<bigint, Set<LeaseKeeper>>();
  #stream: ResumingStream | undefined;

  constructor(pool: EndpointPool, authenticator: Authenticator, options: ResolvedOptions) {
    this.#openStream = (handlers) =>
      new ResumingStream(keepAlivePath, pool, authenticator, options, handlers);
  }

  keep(id: bigint): LeaseKeeper {
    const keeper = new LeaseKeeper(id, {
      renew: () => this.#renew(id),
      stop: () => this.#remove(keeper),
      endpoint: () => this.#stream?.endpoint ?? "",
    });
    const keepers = this.#keepers.get(id);
    if (keepers) keepers.add(keeper);
    else this.#keepers.set(id, new Set([keeper]));
    if (this.#stream === undefined) {
      this.#stream = this.#openStream({
        onOpen: () => this.#renewAll(),
        onMessage: (message) => this.#receive(message),
        onLost: (error) => this.#forEach((keeper) => keeper.interrupted(error)),
        onHalt: (error) => this.#forEach((keeper) => keeper.lose(error)),
      });
    } else {
      this.#renew(id);
    }
    return keeper;
  }

  close(): void {
    this.#forEach((keeper) => keeper.stop());
  }

  #renewAll(): void {
    for (const id of this.#keepers.keys()) this.#renew(id);
  }

  #renew(id: bigint): void {
    // Without an open call nothing is sent; the next one renews every lease as it opens.
    if (!this.#stream?.isOpen) return;
    for (const keeper of this.#keepers.get(id) ?? []) keeper.sent();
    this.#stream.send(encodeLeaseKeepAliveRequest({ id }));
  }

  #receive(message: Buffer): void {
    let response: LeaseKeepAliveResponse;
    try {
      response = decodeLeaseKeepAliveResponse(message);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const failure = new MetaStoreError({
        grpc: grpcCode.internal,
        message: `a keep-alive answer does not decode: ${error.message}`,
        endpoint: this.#stream?.endpoint ?? "",
        outcome: "not-applied",
        retryable: false,
      });
      this.#forEach((keeper) => keeper.lose(failure));
      return;
    }
    for (const keeper of [...(this.#keepers.get(response.id) ?? [])]) keeper.answered(response.ttl);
  }

  /** Over copies: the callbacks may remove keepers. */
  #forEach(fn: (keeper: LeaseKeeper) => void): void {
    for (const keepers of [...this.#keepers.values()]) for (const keeper of [...keepers]) fn(keeper);
  }

  #remove(keeper: LeaseKeeper): void {
    const keepers = this.#keepers.get(keeper.id);
    keepers?.delete(keeper);
    if (keepers?.size === 0) this.#keepers.delete(keeper.id);
    if (this.#keepers.size > 0) return;
    this.#stream?.close();
    this.#stream = undefined;
  }
}
