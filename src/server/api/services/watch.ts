import { decodeWatchRequest, type WatchRequest } from "../../../codec/index.ts";
import { RequestError } from "../../../lib/errors.ts";
import { limits } from "../../../lib/limits.ts";
import type { WatchDelivery, WatchSink, WatchStream } from "../../mvcc/index.ts";
import type { DuplexStream, MethodHandler } from "../transport.ts";
import type { ServiceContext } from "./service-context.ts";
import { WatchResponseEncoder } from "./watch-response.ts";

/** etcdserverpb.Watch (semantics-watch-lease, part A). */
export function createWatchService(context: ServiceContext): Record<string, MethodHandler> {
  const encoder = new WatchResponseEncoder(context.node, context.requestBytesMax + limits.grpcOverheadBytes);
  return {
    Watch: {
      kind: "duplex",
      handle: (stream) => {
        new WatchCall(stream, encoder, context).open();
      },
    },
  };
}

/**
 * One Watch call: requests in, responses out, in the order of both. Responses to requests are never dropped;
 * instead no more requests are read while the peer does not take what it has asked for. Events wait in history,
 * not here: `send` tells the hub when enough is queued.
 */
class WatchCall implements WatchSink {
  readonly #stream: DuplexStream;
  readonly #encoder: WatchResponseEncoder;
  readonly #context: ServiceContext;
  #watchers: WatchStream | undefined;
  #stopRequiringLeader: (() => void) | undefined;
  #isOutputFull = false;
  #isInputPaused = false;

  constructor(stream: DuplexStream, encoder: WatchResponseEncoder, context: ServiceContext) {
    this.#stream = stream;
    this.#encoder = encoder;
    this.#context = context;
  }

  open(): void {
    const stream = this.#stream;
    this.#stopRequiringLeader = this.#context.guard.admitStream(stream, () => this.#close());
    this.#watchers = this.#context.node.watchHub.openStream(this);
    stream.context.onCancel(() => {
      this.#close();
      stream.end(new RequestError("watchCanceled"));
    });
    stream.onDrain(() => this.#drained());
    // The half-close is not listened for: the call goes on after it (A1).
    stream.onMessage((message) => this.#receive(message));
  }

  send(delivery: WatchDelivery): boolean {
    const stream = this.#stream;
    let hasRoom = true;
    for (const message of this.#encoder.encode(delivery)) hasRoom = stream.send(message);
    if (hasRoom || !this.#isQueueFull()) return true;
    this.#isOutputFull = true;
    return false;
  }

  #receive(message: Buffer): void {
    const watchers = this.#watchers;
    if (watchers === undefined) return;
    try {
      route(decodeWatchRequest(message), watchers);
    } catch (error) {
      this.#close();
      throw error;
    }
    if (this.#isQueueFull()) {
      this.#isInputPaused = true;
      this.#stream.pause();
    }
  }

  #close(): void {
    this.#stopRequiringLeader?.();
    this.#watchers?.close();
    this.#watchers = undefined;
  }

  #isQueueFull(): boolean {
    const { queuedBytes, queuedMessages } = this.#stream;
    return queuedMessages >= limits.watchQueueResponsesMax || queuedBytes >= limits.watchQueueBytesMax;
  }

  #drained(): void {
    if (this.#isOutputFull) {
      this.#isOutputFull = false;
      this.#watchers?.resume();
    }
    if (this.#isInputPaused && !this.#isQueueFull()) {
      this.#isInputPaused = false;
      this.#stream.resume();
    }
  }
}

/** A request without content is ignored (A1). */
function route(request: WatchRequest, watchers: WatchStream): void {
  switch (request.case) {
    case "create":
      watchers.create(request.request);
      break;
    case "cancel":
      watchers.cancel(request.watchId);
      break;
    case "progress":
      watchers.requestProgress();
      break;
    case undefined:
      break;
  }
}
