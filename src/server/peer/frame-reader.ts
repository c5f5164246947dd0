import { crc32 } from "../../lib/crc32.ts";
import { DecodeError } from "../../lib/errors.ts";
import { FRAME_HEADER_BYTES } from "./frame.ts";

/** A frame up to this long gets its memory at once; a longer one only as its bytes arrive. */
const TRUSTED_BYTES_MAX = 262_144;
const NOTHING = Buffer.alloc(0);

/**
 * Cuts a stream of bytes into the payloads of its frames. A payload is a view of memory that is used for nothing
 * else. What a frame claims to be costs nothing before it arrives: memory stays below twice the bytes received.
 */
export class FrameReader {
  readonly #payloadBytesMax: number;
  readonly #onPayload: (payload: Buffer) => void;
  /** The frame that is not whole yet: its first #filled bytes. */
  #partial: Buffer = NOTHING;
  #filled = 0;

  constructor(payloadBytesMax: number, onPayload: (payload: Buffer) => void) {
    this.#payloadBytesMax = payloadBytesMax;
    this.#onPayload = onPayload;
  }

  /** Whether the bytes so far end with a whole frame. */
  get isBetweenFrames(): boolean {
    return this.#filled === 0;
  }

  /** Takes over `chunk`. Throws DecodeError for a frame that is too long or fails its checksum: nothing follows then. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#filled === 0) {
        const whole = this.#frameBytes(chunk, at);
        if (whole !== undefined && whole <= chunk.length - at) {
          this.#deliver(chunk.subarray(at, at + whole));
          at += whole;
          continue;
        }
      }
      at += this.#gather(chunk, at);
    }
  }

  /** Adds to the partial frame what belongs to it; the number of bytes taken. */
  #gather(chunk: Buffer, at: number): number {
    if (this.#filled < FRAME_HEADER_BYTES) {
      const taken = Math.min(FRAME_HEADER_BYTES - this.#filled, chunk.length - at);
      this.#reserve(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES);
      chunk.copy(this.#partial, this.#filled, at, at + taken);
      this.#filled += taken;
      if (this.#frameBytes(this.#partial.subarray(0, this.#filled), 0) === FRAME_HEADER_BYTES) this.#finish();
      return taken;
    }
    const whole = this.#frameBytes(this.#partial, 0) ?? FRAME_HEADER_BYTES;
    const taken = Math.min(whole - this.#filled, chunk.length - at);
    this.#reserve(this.#filled + taken, whole);
    chunk.copy(this.#partial, this.#filled, at, at + taken);
    this.#filled += taken;
    if (this.#filled === whole) this.#finish();
    return taken;
  }

  #finish(): void {
    const frame = this.#partial;
    this.#partial = NOTHING;
    this.#filled = 0;
    this.#deliver(frame);
  }

  /** Makes the partial frame's memory at least `needed`, of the `whole` bytes that the frame will have. */
  #reserve(needed: number, whole: number): void {
    if (this.#partial.length >= needed) return;
    const capacity =
      whole <= TRUSTED_BYTES_MAX ? whole : Math.min(whole, Math.max(needed, 2 * this.#partial.length));
    const grown = Buffer.allocUnsafeSlow(capacity);
    this.#partial.copy(grown, 0, 0, this.#filled);
    this.#partial = grown;
  }

  /** Bytes of the frame that begins at `at`, header included; undefined while the header is not whole. */
  #frameBytes(bytes: Buffer, at: number): number | undefined {
    if (bytes.length - at < FRAME_HEADER_BYTES) return undefined;
    const length = bytes.readUInt32LE(at);
    if (length > this.#payloadBytesMax) {
      throw new DecodeError(`a frame claims ${length} bytes; ${this.#payloadBytesMax} are allowed`);
    }
    return FRAME_HEADER_BYTES + length;
  }

  #deliver(frame: Buffer): void {
    if (crc32(frame, 0, FRAME_HEADER_BYTES) !== frame.readUInt32LE(4)) {
      throw new DecodeError("a frame fails its checksum");
    }
    this.#onPayload(frame.subarray(FRAME_HEADER_BYTES));
  }
}
