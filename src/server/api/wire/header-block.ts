import { ConnectionError, http2Error } from "./frames.ts";

/** Compressed bytes of a block, as a multiple of what it may hold when opened; larger ones are not even collected. */
const COMPRESSED_FACTOR = 4;
/** Frames of one block: a header list of the limit fits into far fewer. */
const FRAMES_MAX = 64;

/** What the HEADERS frame says that a block begins with. */
export interface BlockStart {
  readonly streamId: number;
  readonly isEnd: boolean;
  /** The frame says that the stream depends on itself, which is an error of the stream. */
  readonly isSelfDependent: boolean;
}

/** A header block that goes on in CONTINUATION frames. */
export class HeaderBlock implements BlockStart {
  readonly streamId: number;
  readonly isEnd: boolean;
  readonly isSelfDependent: boolean;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(streamId: number, isEnd: boolean, isSelfDependent: boolean) {
    this.streamId = streamId;
    this.isEnd = isEnd;
    this.isSelfDependent = isSelfDependent;
  }

  /** Keeps a copy of source[start, end). Throws ConnectionError beyond what a block may be. */
  append(source: Buffer, start: number, end: number, headerBytesMax: number): void {
    this.#bytes += end - start;
    if (this.#bytes > COMPRESSED_FACTOR * headerBytesMax || this.#parts.length >= FRAMES_MAX)
      throw new ConnectionError(http2Error.enhanceYourCalm, "a header block without end");
    this.#parts.push(Buffer.from(source.subarray(start, end)));
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts, this.#bytes);
  }
}
