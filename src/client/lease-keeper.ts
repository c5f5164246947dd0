import { EventEmitter } from "node:events";
import { errorTable, grpcCode } from "../lib/errors.ts";
import { MetaStoreError } from "./errors.ts";

interface LeaseKeeperEvents {
  /** The server renewed the lease for so many seconds. */
  renewed: [ttl: number];
  /** The connection broke; renewals go on over another one while the TTL lasts. */
  disconnected: [error: MetaStoreError];
  /** The lease is gone, or can no longer be vouched for. */
  lost: [error: MetaStoreError];
}

/** How long the first renewal may take before the lease counts as lost: its TTL is not known before. */
const firstRenewalTimeoutMs = 6_000;

/** What a keeper asks of the stream it shares. */
export interface LeaseKeeperFeed {
  renew(): void;
  stop(): void;
  endpoint(): string;
}

/**
 * Keeps one lease alive by renewing it every third of its TTL until stop(). `signal` aborts, with a
 * MetaStoreError as reason, when the lease is gone or its TTL has passed on our clock without a renewal: stop
 * doing what the lease protects.
 */
export class LeaseKeeper extends EventEmitter<LeaseKeeperEvents> {
  readonly id: bigint;
  readonly #feed: LeaseKeeperFeed;
  readonly #abort = new AbortController();
  #renewTimer: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout;
  #sentMs = performance.now();
  #isStopped = false;
  #lastDisconnect: MetaStoreError | undefined;

  constructor(id: bigint, feed: LeaseKeeperFeed) {
    super();
    this.id = id;
    this.#feed = feed;
    this.#expiryTimer = setTimeout(() => this.expire(), firstRenewalTimeoutMs);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Ends the renewals; the lease lives on until its TTL passes or it is revoked. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#renewTimer);
    clearTimeout(this.#expiryTimer);
    this.#feed.stop();
  }

  /** Called by the stream when it asks for a renewal. */
  sent(): void {
    this.#sentMs = performance.now();
  }

  /** Called by the stream with the server's answer, in seconds; 0 or less: no such lease. */
  answered(ttl: number): void {
    if (this.#isStopped) return;
    if (ttl <= 0) {
      this.lose(this.#error(errorTable.leaseNotFound.grpc, errorTable.leaseNotFound.text));
      return;
    }
    this.#lastDisconnect = undefined;
    clearTimeout(this.#expiryTimer);
    clearTimeout(this.#renewTimer);
    // Counted from the request: the server may have renewed any time after it.
    const leftMs = ttl * 1_000 - (performance.now() - this.#sentMs);
    this.#expiryTimer = setTimeout(() => this.expire(), clampTimer(leftMs));
    this.#renewTimer = setTimeout(() => this.#feed.renew(), Math.min((ttl * 1_000) / 3, longestTimerMs / 3));
    this.emit("renewed", ttl);
  }

  /** Called by the stream when its call breaks. */
  interrupted(error: MetaStoreError): void {
    if (this.#isStopped) return;
    this.#lastDisconnect = error;
    this.emit("disconnected", error);
  }

  lose(error: MetaStoreError): void {
    if (this.#isStopped) return;
    this.stop();
    this.#abort.abort(error);
    this.emit("lost", error);
  }

  /** Gives up on the lease: no renewal came in time. */
  expire(): void {
    this.lose(
      this.#lastDisconnect ??
        this.#error(grpcCode.deadlineExceeded, "the lease could not be renewed within its TTL"),
    );
  }

  #error(grpc: number, message: string): MetaStoreError {
    return new MetaStoreError({
      grpc,
      message,
      endpoint: this.#feed.endpoint(),
      outcome: "not-applied",
      retryable: false,
    });
  }
}

/** Timers hold 31 bits of milliseconds; leases last up to 285 years. */
const longestTimerMs = 0x7fff_ffff;

function clampTimer(delayMs: number): number {
  return Math.min(Math.max(delayMs, 0), longestTimerMs);
}
