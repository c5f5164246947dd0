import type { Duplex } from "node:stream";

/** Small frames of one turn of the loop share a chunk. */
const CHUNK_BYTES = 16_384;
/** Chunks kept for later use: 4 MiB. */
const CHUNKS_KEPT_MAX = 256;
/** More than this for the socket to take: nothing more is put on it but what control needs. */
const CONGESTED_BYTES = 1_048_576;

const freeChunks: Buffer[] = [];
const noBytes = Buffer.alloc(0);

/**
 * What one connection has to write, gathered until the end of the turn and written at once. Small frames are written
 * into a shared chunk, large payloads are passed on by reference. Chunks come from a pool, since allocating one for
 * each write costs more than all the rest of it (performance.md section 2).
 */
export class Output {
  /** Where frames are written to; valid from `reserve` to the next call. */
  chunk: Buffer = noBytes;
  /** Where the next byte goes: whoever has reserved moves it. */
  offset = 0;

  readonly #socket: Duplex;
  /** Bytes of the chunk before it are in #parts. */
  #start = 0;
  #parts: Buffer[] | undefined;
  #usedChunks: Buffer[] | undefined;
  #partBytes = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Makes room for `bytes` (at most CHUNK_BYTES) in one piece; returns where it begins. */
  reserve(bytes: number): number {
    if (this.chunk.length - this.offset < bytes) this.#nextChunk();
    return this.offset;
  }

  /** Takes a large payload as it is: it must not change any more. */
  reference(payload: Buffer): void {
    this.#closePart();
    this.#parts ??= [];
    this.#parts.push(payload);
    this.#partBytes += payload.length;
  }

  /** Bytes that neither the socket's queue nor the system has taken. */
  get waitingBytes(): number {
    return this.#partBytes + this.offset - this.#start + this.#socket.writableLength;
  }

  /** Whether there is anything to flush. */
  get hasUnflushed(): boolean {
    return this.#partBytes > 0 || this.offset > this.#start;
  }

  get isCongested(): boolean {
    return this.waitingBytes > CONGESTED_BYTES;
  }

  flush(): void {
    const socket = this.#socket;
    if (this.#parts === undefined) {
      if (this.offset === this.#start) return;
      socket.write(this.chunk.subarray(this.#start, this.offset));
    } else {
      this.#closePart();
      socket.cork();
      for (const part of this.#parts) socket.write(part);
      socket.uncork();
      this.#parts = undefined;
      this.#partBytes = 0;
    }
    // Nothing left to write: the system has copied it all, and the chunks are free again.
    const isTaken = socket.writableLength === 0 && !socket.destroyed;
    if (this.#usedChunks !== undefined) {
      if (isTaken) for (const chunk of this.#usedChunks) release(chunk);
      this.#usedChunks = undefined;
    }
    if (isTaken && this.chunk.length > 0) release(this.chunk);
    this.#forgetChunk();
  }

  /** Nothing will be written any more. */
  discard(): void {
    this.#parts = undefined;
    this.#usedChunks = undefined;
    this.#partBytes = 0;
    this.#forgetChunk();
  }

  #forgetChunk(): void {
    this.chunk = noBytes;
    this.offset = 0;
    this.#start = 0;
  }

  #closePart(): void {
    if (this.offset === this.#start) return;
    this.#parts ??= [];
    this.#parts.push(this.chunk.subarray(this.#start, this.offset));
    this.#partBytes += this.offset - this.#start;
    this.#start = this.offset;
  }

  #nextChunk(): void {
    if (this.chunk.length > 0) {
      this.#closePart();
      this.#usedChunks ??= [];
      this.#usedChunks.push(this.chunk);
    }
    this.chunk = freeChunks.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.offset = 0;
    this.#start = 0;
  }
}

function release(chunk: Buffer): void {
  if (freeChunks.length < CHUNKS_KEPT_MAX) freeChunks.push(chunk);
}
