/**
 * One receiving half of HTTP/2's flow control (RFC 9113 section 5.2): what the peer may still send, and when to give
 * it more. Credit is given in halves of the window, so that a WINDOW_UPDATE is rare.
 */
export class ReceiveWindow {
  readonly #sizeBytes: number;
  #leftBytes: number;
  /** Consumed and not yet given back. */
  #owedBytes = 0;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
    this.#leftBytes = sizeBytes;
  }

  /** The peer has sent so much. False: more than it was allowed. */
  take(bytes: number): boolean {
    this.#leftBytes -= bytes;
    return this.#leftBytes >= 0;
  }

  /** So much of it is out of the way. Returns the credit to send now, mostly 0. */
  consume(bytes: number): number {
    this.#owedBytes += bytes;
    if (this.#owedBytes < this.#sizeBytes / 2) return 0;
    const credit = this.#owedBytes;
    this.#owedBytes = 0;
    this.#leftBytes += credit;
    return credit;
  }
}
