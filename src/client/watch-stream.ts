import {
  decodeWatchResponse,
  type Event,
  encodeWatchRequest,
  type WatchCreateRequest,
  type WatchResponse,
  watchFilter,
} from "../codec/index.ts";
import { DecodeError, errorTable, grpcCode } from "../lib/errors.ts";
import type { Authenticator } from "./authenticator.ts";
import type { EndpointPool } from "./endpoint-pool.ts";
import { CompactedError, isRetryable, MetaStoreError } from "./errors.ts";
import { type KeyTarget, toInterval } from "./key.ts";
import { watchPath } from "./methods.ts";
import type { ResolvedOptions } from "./options.ts";
import { ResumingStream } from "./resuming-stream.ts";
import { Watcher, type WatchOptions } from "./watcher.ts";

/** Watch id of answers that concern the stream and of creations that failed (semantics-watch-lease A9). */
const streamWatchId = -1;

interface Subscription {
  readonly watcher: Watcher;
  readonly request: WatchCreateRequest;
  /** First revision not delivered yet; 0 until the server has said where the watch begins. */
  nextRevision: number;
  /** undefined while the server has not answered the creation on the current call. */
  watchId: number | undefined;
  /** Parts of a split revision, kept back until it is whole: resuming starts at whole revisions only. */
  fragments: Event[];
}

/** All watches of a client on one Watch call; it is opened with the first and closed after the last. */
export class WatchStream {
  readonly #openStream: (handlers: ConstructorParameters<typeof ResumingStream>[4]) => ResumingStream;
  readonly #subscriptions = new Set<Subscription>();
  readonly #byWatchId = new Map<number, Subscription>();
  /** Creations the server has yet to answer; it answers in order. */
  #creating: Subscription[] = [];
  #stream: ResumingStream | undefined;

  constructor(pool: EndpointPool, authenticator: Authenticator, options: ResolvedOptions) {
    this.#openStream = (handlers) => new ResumingStream(watchPath, pool, authenticator, options, handlers);
  }

  watch(target: KeyTarget, options: WatchOptions): Watcher {
    const filters =
      options.only === "put" ? [watchFilter.noDelete] : options.only === "delete" ? [watchFilter.noPut] : [];
    const watcher = new Watcher({
      cancel: () => this.#cancel(subscription),
      requestProgress: () => this.#stream?.send(encodeWatchRequest({ case: "progress" })),
      queueChanged: () => this.#balance(),
    });
    const subscription: Subscription = {
      watcher,
      request: {
        ...toInterval(target),
        startRevision: 0,
        progressNotify: options.progressNotify ?? false,
        filters,
        prevKv: options.previous ?? false,
        watchId: 0,
        fragment: options.fragment ?? false,
      },
      nextRevision: options.startRevision ?? 0,
      watchId: undefined,
      fragments: [],
    };
    if (options.signal?.aborted) {
      watcher.finish(undefined);
      return watcher;
    }
    const onAbort = (): void => watcher.cancel();
    options.signal?.addEventListener("abort", onAbort, { once: true });
    watcher.once("end", () => options.signal?.removeEventListener("abort", onAbort));
    this.#subscriptions.add(subscription);
    if (this.#stream === undefined) {
      this.#stream = this.#openStream({
        onOpen: () => this.#resume(),
        onMessage: (message) => this.#receive(message),
        onLost: (error) => this.#lost(error),
        onHalt: (error) => this.#failAll(error),
      });
    } else if (this.#stream.isOpen) {
      this.#create(subscription);
    }
    return watcher;
  }

  close(): void {
    for (const subscription of [...this.#subscriptions]) subscription.watcher.cancel();
  }

  #resume(): void {
    for (const subscription of this.#subscriptions) this.#create(subscription);
  }

  #create(subscription: Subscription): void {
    this.#creating.push(subscription);
    this.#stream?.send(
      encodeWatchRequest({
        case: "create",
        request: { ...subscription.request, startRevision: subscription.nextRevision },
      }),
    );
  }

  #lost(error: MetaStoreError): void {
    this.#forgetCall();
    for (const subscription of this.#subscriptions) subscription.watcher.emit("disconnected", error);
  }

  #forgetCall(): void {
    this.#creating = [];
    this.#byWatchId.clear();
    for (const subscription of this.#subscriptions) {
      subscription.watchId = undefined;
      subscription.fragments = [];
    }
  }

  #receive(message: Buffer): void {
    let response: WatchResponse;
    try {
      response = decodeWatchResponse(message);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#failAll(this.#error(grpcCode.internal, `a watch answer does not decode: ${error.message}`));
      return;
    }
    if (response.created) {
      this.#created(response);
      return;
    }
    if (response.watchId === streamWatchId) {
      for (const subscription of this.#byWatchId.values()) this.#progress(subscription, response);
      return;
    }
    const subscription = this.#byWatchId.get(response.watchId);
    // Answers to a watch cancelled a moment ago are still on their way.
    if (subscription === undefined) return;
    if (response.canceled) {
      this.#remove(subscription, this.#cancellation(response));
      return;
    }
    if (response.events.length === 0) {
      if (subscription.fragments.length === 0) {
        subscription.nextRevision = Math.max(subscription.nextRevision, (response.header?.revision ?? 0) + 1);
      }
      this.#progress(subscription, response);
      return;
    }
    this.#events(subscription, response);
  }

  #created(response: WatchResponse): void {
    const subscription = this.#creating.shift();
    if (subscription === undefined) return;
    if (!this.#subscriptions.has(subscription)) {
      // Cancelled before the server answered.
      if (!response.canceled) this.#sendCancel(response.watchId);
      return;
    }
    if (response.canceled) {
      this.#remove(subscription, this.#cancellation(response));
      return;
    }
    subscription.watchId = response.watchId;
    this.#byWatchId.set(response.watchId, subscription);
    const revision = response.header?.revision ?? 0;
    if (subscription.nextRevision === 0) subscription.nextRevision = revision + 1;
    subscription.watcher.opened(revision);
  }

  #events(subscription: Subscription, response: WatchResponse): void {
    if (response.fragment) {
      subscription.fragments.push(...response.events);
      return;
    }
    const events =
      subscription.fragments.length === 0 ? response.events : [...subscription.fragments, ...response.events];
    subscription.fragments = [];
    subscription.nextRevision = Math.max(subscription.nextRevision, events.at(-1)!.kv.modRevision + 1);
    subscription.watcher.deliver(events);
  }

  /** An answer without events. On the whole stream it moves no resume point: old servers send it too early. */
  #progress(subscription: Subscription, response: WatchResponse): void {
    subscription.watcher.progressed(response.header?.revision ?? 0);
  }

  #cancellation(response: WatchResponse): MetaStoreError {
    if (response.compactRevision !== 0) return new CompactedError(response.compactRevision, this.#endpoint());
    if (response.cancelReason === "") {
      return this.#error(errorTable.futureRevision.grpc, errorTable.futureRevision.text);
    }
    // Servers write the reason of a refusal as Go prints a gRPC status.
    const status = /^rpc error: code = (\w+) desc = (.*)$/s.exec(response.cancelReason);
    const text = status?.[2] ?? response.cancelReason;
    const grpc = goStatusCodes.get(status?.[1] ?? "") ?? grpcCode.canceled;
    return this.#error(grpc, text);
  }

  #cancel(subscription: Subscription): void {
    if (!this.#subscriptions.has(subscription)) return;
    if (subscription.watchId !== undefined) this.#sendCancel(subscription.watchId);
    this.#remove(subscription, undefined);
  }

  #sendCancel(watchId: number): void {
    this.#stream?.send(encodeWatchRequest({ case: "cancel", watchId }));
  }

  #remove(subscription: Subscription, error: MetaStoreError | undefined): void {
    this.#subscriptions.delete(subscription);
    if (subscription.watchId !== undefined) this.#byWatchId.delete(subscription.watchId);
    subscription.watcher.finish(error);
    if (this.#subscriptions.size === 0) this.#closeStream();
    else if (this.#stream?.isPaused) this.#balance();
  }

  #failAll(error: MetaStoreError): void {
    const subscriptions = [...this.#subscriptions];
    this.#subscriptions.clear();
    this.#closeStream();
    for (const subscription of subscriptions) subscription.watcher.finish(error);
  }

  #closeStream(): void {
    this.#forgetCall();
    this.#stream?.close();
    this.#stream = undefined;
  }

  /** One slow reader pauses the stream for all: memory stays bounded, and the server queues by its own bounds. */
  #balance(): void {
    const isAnyFull = [...this.#subscriptions].some((subscription) => subscription.watcher.isFull);
    if (isAnyFull) this.#stream?.pause();
    else this.#stream?.resume();
  }

  #endpoint(): string {
    return this.#stream?.endpoint ?? "";
  }

  #error(grpc: number, message: string): MetaStoreError {
    return new MetaStoreError({
      grpc,
      message,
      endpoint: this.#endpoint(),
      outcome: "not-applied",
      retryable: isRetryable(grpc, message),
    });
  }
}

/** Go's names of the status codes that servers put in a cancel reason. */
const goStatusCodes = new Map<string, number>([
  ["InvalidArgument", grpcCode.invalidArgument],
  ["PermissionDenied", grpcCode.permissionDenied],
  ["Unauthenticated", grpcCode.unauthenticated],
  ["Unavailable", grpcCode.unavailable],
  ["FailedPrecondition", grpcCode.failedPrecondition],
  ["ResourceExhausted", grpcCode.resourceExhausted],
]);
