import {
  decodeLeaseKeepAliveRequest,
  encodeLeaseKeepAliveResponse,
  type LeaseKeepAliveResponse,
} from "../../../codec/index.ts";
import { limits } from "../../../lib/limits.ts";
import type { ServerNode } from "../../node/index.ts";
import type { Guard } from "../guard.ts";
import { headerAt } from "../response-header.ts";
import type { DuplexStream } from "../transport.ts";

interface PendingAnswer {
  readonly response: LeaseKeepAliveResponse;
  isReady: boolean;
}

/**
 * One LeaseKeepAlive call (semantics-watch-lease B3): an answer per request, in order, its header made before the
 * renewal. Renewals of one stream run side by side, because one client keeps all its leases on one stream and a
 * renewal may wait for the log; reading stops while too many wait or the peer takes no answers.
 */
export class KeepAliveCall {
  readonly #stream: DuplexStream;
  readonly #node: ServerNode;
  readonly #pending: PendingAnswer[] = [];
  #isHalfClosed = false;
  #isClosed = false;
  #stopRequiringLeader: (() => void) | undefined;

  constructor(stream: DuplexStream, node: ServerNode) {
    this.#stream = stream;
    this.#node = node;
  }

  /** Throws RequestError when the guard refuses the call. */
  open(guard: Guard): void {
    this.#stopRequiringLeader = guard.admitStream(this.#stream, () => this.#close());
    this.#stream.context.onCancel(() => this.#close());
    this.#stream.onDrain(() => this.#readOn());
    this.#stream.onHalfClose(() => {
      this.#isHalfClosed = true;
      this.#endWhenAnswered();
    });
    this.#stream.onMessage((message) => this.#receive(message));
  }

  #receive(message: Buffer): void {
    if (this.#isClosed) return;
    const node = this.#node;
    const id = this.#leaseOf(message);
    const answer: PendingAnswer = {
      response: { header: headerAt(node.kv.currentRevision, node), id, ttl: 0 },
      isReady: false,
    };
    this.#pending.push(answer);
    if (this.#pending.length >= limits.keepAlivesInFlightPerStreamMax) this.#stream.pause();
    node.leaseRenew(id).then(
      (ttl) => {
        answer.response.ttl = ttl;
        answer.isReady = true;
        this.#answerReady();
      },
      (error: Error) => {
        if (this.#isClosed) return;
        this.#close();
        this.#stream.end(error);
      },
    );
  }

  #leaseOf(message: Buffer): bigint {
    try {
      return decodeLeaseKeepAliveRequest(message).id;
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  #answerReady(): void {
    if (this.#isClosed) return;
    let ready = 0;
    let hasRoom = true;
    for (const answer of this.#pending) {
      if (!answer.isReady) break;
      hasRoom = this.#stream.send(encodeLeaseKeepAliveResponse(answer.response));
      ready++;
    }
    this.#pending.splice(0, ready);
    if (hasRoom) this.#readOn();
    else this.#stream.pause();
    this.#endWhenAnswered();
  }

  #readOn(): void {
    if (this.#pending.length < limits.keepAlivesInFlightPerStreamMax) this.#stream.resume();
  }

  #close(): void {
    this.#isClosed = true;
    this.#pending.length = 0;
    this.#stopRequiringLeader?.();
  }

  #endWhenAnswered(): void {
    if (!this.#isHalfClosed || this.#isClosed || this.#pending.length > 0) return;
    this.#close();
    this.#stream.end();
  }
}
