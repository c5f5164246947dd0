import { isUtf8 } from "node:buffer";
import { asBuffer, type ByteString, EMPTY, sliceOf } from "../lib/bytes.ts";
import { DecodeError } from "../lib/errors.ts";

const wireType = {
  varint: 0,
  fixed64: 1,
  lengthDelimited: 2,
  startGroup: 3,
  endGroup: 4,
  fixed32: 5,
} as const;
const VARINT_BYTES_MAX = 10;
const TWO_TO_32 = 4_294_967_296;

const eightBytes = new DataView(new ArrayBuffer(8));

/**
 * Reads a protobuf message field by field (protobuf encoding, "Message Structure"). Every method throws
 * DecodeError when the bytes do not hold what it is asked for, and none reads beyond the message it is in.
 */
export class Reader {
  readonly #buffer: Buffer;
  #position = 0;
  /** End of the message being read: the whole input or an embedded message. */
  #limit: number;
  /** The last varint, as two halves of 32 bits, unsigned. */
  #low = 0;
  #high = 0;
  /** How many transactions surround the message being read; kept by their codec. */
  depth = 0;
  /** How long each list of a transaction may be. */
  readonly opsMax: number;

  constructor(bytes: Uint8Array, opsMax = Number.POSITIVE_INFINITY) {
    this.#buffer = asBuffer(bytes);
    this.#limit = bytes.length;
    this.opsMax = opsMax;
  }

  /** Whether the message has a field left. */
  get hasMore(): boolean {
    return this.#position < this.#limit;
  }

  /** The next tag: `field number << 3 | wire type`. */
  tag(): number {
    this.#varint();
    const tag = this.#low;
    if (this.#high !== 0 || tag < 8) throw new DecodeError("a field number is out of range");
    return tag;
  }

  /** Passes over the field that `tag` began: unknown to us, or of another type than ours. */
  skip(tag: number): void {
    switch (tag & 7) {
      case wireType.varint:
        this.#varint();
        return;
      case wireType.fixed64:
        this.#advance(8);
        return;
      case wireType.lengthDelimited:
        this.#advance(this.#length());
        return;
      case wireType.fixed32:
        this.#advance(4);
        return;
      default:
        // Groups are proto2 and no message of ours ever had one; 6 and 7 do not exist.
        throw new DecodeError(`field ${tag >>> 3} has the unsupported wire type ${tag & 7}`);
    }
  }

  bytes(): ByteString {
    const length = this.#length();
    if (length === 0) return EMPTY;
    const start = this.#position;
    this.#position = start + length;
    return sliceOf(this.#buffer, start, this.#position);
  }

  /** A bytes field as a view of the input: valid as long as nobody changes the input. */
  view(): Buffer {
    const length = this.#length();
    const start = this.#position;
    this.#position = start + length;
    return this.#buffer.subarray(start, this.#position);
  }

  /** UTF-8 text; invalid sequences are refused, as proto3 asks for. */
  text(): string {
    const length = this.#length();
    if (length === 0) return "";
    const start = this.#position;
    this.#position = start + length;
    if (!isUtf8(this.#buffer.subarray(start, this.#position))) {
      throw new DecodeError("a string field is not valid UTF-8");
    }
    return this.#buffer.toString("utf8", start, this.#position);
  }

  bool(): boolean {
    this.#varint();
    return (this.#low | this.#high) !== 0;
  }

  /** int32 or enum: the low 32 bits, as every protobuf decoder takes them. */
  int32(): number {
    this.#varint();
    return this.#low | 0;
  }

  uint32(): number {
    this.#varint();
    return this.#low;
  }

  /** int64 that must fit a number exactly. */
  int64(): number {
    this.#varint();
    const high = this.#high;
    if (high === 0) return this.#low;
    const value = (high | 0) * TWO_TO_32 + this.#low;
    if (!Number.isSafeInteger(value)) throw new DecodeError(`the integer ${this.#signed()} is out of range`);
    return value;
  }

  /**
   * int64 in a place where every number of 2^53 or more means the same: a bound, a limit or a point in time that
   * no store reaches. Such a number becomes the nearest safe integer. Clients do send the largest int64 there.
   */
  clampedInt64(): number {
    this.#varint();
    const high = this.#high;
    if (high === 0) return this.#low;
    const value = (high | 0) * TWO_TO_32 + this.#low;
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));
  }

  /** uint64 that must fit a number exactly. */
  uint64(): number {
    this.#varint();
    const value = this.#high * TWO_TO_32 + this.#low;
    if (!Number.isSafeInteger(value)) {
      throw new DecodeError(`the integer ${BigInt.asUintN(64, this.#signed())} is out of range`);
    }
    return value;
  }

  bigInt64(): bigint {
    this.#varint();
    return this.#signed();
  }

  bigUint64(): bigint {
    this.#varint();
    eightBytes.setUint32(0, this.#low, true);
    eightBytes.setUint32(4, this.#high, true);
    return eightBytes.getBigUint64(0, true);
  }

  /** An embedded message. */
  message<T>(read: (reader: Reader) => T): T {
    const outerLimit = this.#limit;
    const length = this.#length();
    this.#limit = this.#position + length;
    const message = read(this);
    this.#limit = outerLimit;
    return message;
  }

  /** The elements of a packed list, added to `list`. */
  packed<T>(list: T[], read: (reader: Reader) => T): void {
    const outerLimit = this.#limit;
    const length = this.#length();
    this.#limit = this.#position + length;
    while (this.hasMore) list.push(read(this));
    this.#limit = outerLimit;
  }

  #signed(): bigint {
    eightBytes.setUint32(0, this.#low, true);
    eightBytes.setUint32(4, this.#high, true);
    return eightBytes.getBigInt64(0, true);
  }

  /** A length prefix, whose bytes are there. */
  #length(): number {
    this.#varint();
    const length = this.#low;
    if (this.#high !== 0 || length > this.#limit - this.#position) {
      throw new DecodeError("a field is longer than the message it is in");
    }
    return length;
  }

  #advance(length: number): void {
    if (length > this.#limit - this.#position) {
      throw new DecodeError("a field is longer than the message it is in");
    }
    this.#position += length;
  }

  /** Reads a varint into #low and #high. */
  #varint(): void {
    const position = this.#position;
    if (position < this.#limit) {
      const first = this.#buffer[position] as number;
      if (first < 0x80) {
        this.#position = position + 1;
        this.#low = first;
        this.#high = 0;
        return;
      }
    }
    this.#longVarint();
  }

  #longVarint(): void {
    const buffer = this.#buffer;
    const end = Math.min(this.#limit, this.#position + VARINT_BYTES_MAX);
    let low = 0;
    let high = 0;
    let shift = 0;
    for (let position = this.#position; position < end; position++, shift += 7) {
      const byte = buffer[position] as number;
      const bits = byte & 0x7f;
      if (shift < 28) {
        low |= bits << shift;
      } else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else {
        high |= bits << (shift - 32);
      }
      if (byte < 0x80) {
        if (shift === 63 && byte > 1) break;
        this.#position = position + 1;
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw new DecodeError("a varint is cut short or too long");
  }
}
