const REMEMBERED = 256;

/** How a stream came to its end: reset by us, reset by its peer, or by END_STREAM on both sides. */
export type StreamEnd = "resetByUs" | "resetByPeer" | "ended";

/**
 * How the streams of a connection that were closed last came to their end. A frame on a stream that we have reset may
 * have been under way and is ignored; behind a reset of the peer's own it is an error of that stream (clients that
 * cancel a call have been seen to send one), and behind both ENDs one of the connection (RFC 9113 section 5.1).
 */
export class ClosedStreams {
  readonly #ids = new Int32Array(REMEMBERED);
  readonly #ends: StreamEnd[] = [];
  #next = 0;

  add(streamId: number, end: StreamEnd): void {
    this.#ids[this.#next] = streamId;
    this.#ends[this.#next] = end;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  /** Undefined: it was never open, or is forgotten. */
  find(streamId: number): StreamEnd | undefined {
    const at = this.#ids.indexOf(streamId);
    return at < 0 ? undefined : this.#ends[at];
  }
}
