import {
  ConnectionError,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  http2Error,
  PREFACE,
  readUint31,
} from "./frames.ts";

/** Takes one frame; the payload is source[start, end), valid during the call, and longer only as a view of its own. */
export interface FrameSink {
  onFrame(type: number, flags: number, streamId: number, source: Buffer, start: number, end: number): void;
}

/**
 * Cuts what a socket delivers into frames. Frames that are whole within a chunk are handed on in place; a frame that
 * spans chunks is put together in a buffer of its own, of at most one frame.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  #prefaceBytes = 0;
  /** The beginning of a frame whose end has not arrived, or the part of one. */
  #partial: Buffer | undefined;
  #partialBytes = 0;
  #isStopped = false;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Nothing that is pushed, nor the rest of what is being cut, is looked at any more. */
  stop(): void {
    this.#isStopped = true;
    this.#partial = undefined;
  }

  /** Throws ConnectionError: a preface that is none, a frame that is too large, and whatever the sink throws. */
  push(chunk: Buffer): void {
    let at = this.#prefaceBytes < PREFACE.length ? this.#takePreface(chunk) : 0;
    while (at < chunk.length && !this.#isStopped) {
      at = this.#partial === undefined ? this.#cutWhole(chunk, at) : this.#completePartial(chunk, at);
    }
  }

  #takePreface(chunk: Buffer): number {
    const bytes = Math.min(PREFACE.length - this.#prefaceBytes, chunk.length);
    if (chunk.compare(PREFACE, this.#prefaceBytes, this.#prefaceBytes + bytes, 0, bytes) !== 0) {
      throw new ConnectionError(http2Error.protocolError, "the connection preface is another one");
    }
    this.#prefaceBytes += bytes;
    return bytes;
  }

  /** Hands on the frames that are whole in the chunk; keeps the rest. Returns the chunk's end. */
  #cutWhole(chunk: Buffer, from: number): number {
    let at = from;
    const { length } = chunk;
    while (length - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + payloadBytesOf(chunk, at);
      if (end > length) break;
      this.#emit(chunk, at, end);
      if (this.#isStopped) return length;
      at = end;
    }
    if (at < length) {
      const have = length - at;
      const whole =
        have < FRAME_HEADER_BYTES ? FRAME_HEADER_BYTES : FRAME_HEADER_BYTES + payloadBytesOf(chunk, at);
      this.#partial = Buffer.allocUnsafe(whole);
      this.#partialBytes = chunk.copy(this.#partial, 0, at);
    }
    return length;
  }

  /** Adds to the partial frame what it lacks; returns the position behind it. */
  #completePartial(chunk: Buffer, from: number): number {
    let partial = this.#partial as Buffer;
    const taken = chunk.copy(partial, this.#partialBytes, from);
    this.#partialBytes += taken;
    if (this.#partialBytes < partial.length) return from + taken;
    const whole = FRAME_HEADER_BYTES + payloadBytesOf(partial, 0);
    if (partial.length < whole) {
      // Only the header was known to be missing.
      const header = partial;
      partial = Buffer.allocUnsafe(whole);
      header.copy(partial);
      this.#partial = partial;
      return from + taken;
    }
    this.#partial = undefined;
    this.#emit(partial, 0, whole);
    return from + taken;
  }

  #emit(source: Buffer, at: number, end: number): void {
    this.#sink.onFrame(
      source[at + 3] as number,
      source[at + 4] as number,
      readUint31(source, at + 5),
      source,
      at + FRAME_HEADER_BYTES,
      end,
    );
  }
}

function payloadBytesOf(source: Buffer, at: number): number {
  const bytes =
    ((source[at] as number) << 16) | ((source[at + 1] as number) << 8) | (source[at + 2] as number);
  if (bytes > FRAME_PAYLOAD_BYTES_MAX) {
    throw new ConnectionError(http2Error.frameSizeError, `a frame of ${bytes} bytes`);
  }
  return bytes;
}
