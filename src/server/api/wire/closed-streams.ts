const REMEMBERED = 256;

/**
 * Which streams of a connection were closed last, and by whom: a frame on a stream that we have reset may have been
 * under way and is ignored, one on a stream that its peer has ended is an error (RFC 9113 section 5.1).
 */
export class ClosedStreams {
  /** Ids; negative: closed by us. */
  readonly #ids = new Int32Array(REMEMBERED);
  #next = 0;

  add(streamId: number, isByUs: boolean): void {
    this.#ids[this.#next] = isByUs ? -streamId : streamId;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  find(streamId: number): "byUs" | "byPeer" | undefined {
    for (const id of this.#ids) {
      if (id === streamId) return "byPeer";
      if (id === -streamId) return "byUs";
    }
    return undefined;
  }
}
