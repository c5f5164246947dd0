import { toBytes } from "../lib/bytes.ts";
import type { KeepAliveStream } from "./keep-alive-stream.ts";
import { type Header, toHeader } from "./key-value.ts";
import type { LeaseKeeper } from "./lease-keeper.ts";
import { methods } from "./methods.ts";
import type { CallOptions, ResolvedOptions } from "./options.ts";
import type { UnaryCaller } from "./unary-caller.ts";

export interface LeaseStatus {
  readonly header: Header;
  readonly id: bigint;
  /** Seconds left. */
  readonly ttl: number;
  /** Seconds it was granted for. */
  readonly grantedTtl: number;
  /** Only with the option `keys`. */
  readonly keys: readonly Buffer[];
}

/** Leases: keys put with one are deleted when it ends. Every method throws MetaStoreError. */
export class LeaseClient {
  readonly #caller: UnaryCaller;
  readonly #keepAliveStream: KeepAliveStream;

  readonly #options: ResolvedOptions;
  readonly #endpoints: number;

  constructor(
    caller: UnaryCaller,
    keepAliveStream: KeepAliveStream,
    options: ResolvedOptions,
    endpoints: number,
  ) {
    this.#caller = caller;
    this.#keepAliveStream = keepAliveStream;
    this.#options = options;
    this.#endpoints = endpoints;
  }

  /**
   * @param ttl seconds; the server raises it to its smallest (2 by default) and answers what it granted
   * @param options.id in place of an id that the server chooses
   */
  async grant(
    ttl: number,
    options: CallOptions & { readonly id?: bigint } = {},
  ): Promise<{ readonly header: Header; readonly id: bigint; readonly ttl: number }> {
    const response = await this.#caller.call(methods.leaseGrant, { ttl, id: options.id ?? 0n }, options);
    return { header: toHeader(response.header), id: response.id, ttl: response.ttl };
  }

  /** Ends the lease and deletes its keys. */
  async revoke(id: bigint, options: CallOptions = {}): Promise<Header> {
    const response = await this.#caller.call(methods.leaseRevoke, { id }, options);
    return toHeader(response.header);
  }

  /** What the lease has left; undefined when there is no such lease. */
  async timeToLive(
    id: bigint,
    options: CallOptions & { readonly keys?: boolean } = {},
  ): Promise<LeaseStatus | undefined> {
    const request = { id, keys: options.keys ?? false };
    const response = await this.#caller.call(methods.leaseTimeToLive, request, options);
    if (response.ttl === -1 && response.grantedTtl === 0) return undefined;
    return {
      header: toHeader(response.header),
      id: response.id,
      ttl: response.ttl,
      grantedTtl: response.grantedTtl,
      keys: response.keys.map(toBytes),
    };
  }

  async list(options: CallOptions = {}): Promise<bigint[]> {
    const response = await this.#caller.call(methods.leaseLeases, undefined, options);
    return response.leases.map((lease) => lease.id);
  }

  /** Renews the lease now and every third of its TTL. */
  keepAlive(id: bigint): LeaseKeeper {
    return this.#keepAliveStream.keep(id);
  }

  /**
   * Renews the lease once and answers its TTL in seconds.
   *
   * @throws MetaStoreError with etcdCode "leaseNotFound" when there is no such lease
   */
  async keepAliveOnce(id: bigint, options: { readonly timeoutMs?: number } = {}): Promise<number> {
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs;
    const keeper = this.#keepAliveStream.keep(id);
    let disconnects = 0;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<number>((resolve, reject) => {
        keeper.once("renewed", resolve);
        keeper.once("lost", reject);
        keeper.on("disconnected", (error) => {
          disconnects += 1;
          if (disconnects >= this.#options.retryRoundsMax * this.#endpoints) reject(error);
        });
        timer = setTimeout(() => keeper.expire(), timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      keeper.stop();
    }
  }
}
