import { assert } from "../lib/assert.ts";
import { type ByteString, EMPTY, writeInto } from "../lib/bytes.ts";

const SLAB_BYTES = 32_768;
/** Messages above this do not live in the slab, so that one of them does not use it up or keep it alive. */
const SLAB_MESSAGE_BYTES_MAX = 4_096;
/** A scratch buffer that grew beyond this for one large message is given back. */
const SCRATCH_KEPT_BYTES_MAX = 4_194_304;
/** Shorter byte strings are copied faster by a loop than by a native call. */
const LOOP_COPY_LENGTH_MAX = 12;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;
const TWO_TO_32 = 4_294_967_296;

const eightBytes = new DataView(new ArrayBuffer(8));

/**
 * Writes a protobuf message from its last byte to its first. The length of an embedded message is then known when
 * its length prefix is due, so nothing is measured beforehand and nothing is moved afterwards. The price: fields
 * and list elements are written in descending order.
 *
 * A tag is `field number << 3 | wire type`, as on the wire (protobuf encoding, "Message Structure"). The methods
 * named after a type leave out the proto3 default; those named `present...` write it, for list elements and
 * members of a oneof.
 */
export class Writer {
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #scratch = Buffer.allocUnsafeSlow(0);
  /** Where this message goes: the slab at first, the scratch buffer when it turns out large. */
  #buffer = this.#slab;
  /** The message ends here ... */
  #end = SLAB_BYTES;
  /** ... and begins here so far. */
  #position = SLAB_BYTES;
  /** Where the slab is filled down to, while a large message is written elsewhere. */
  #slabPosition = SLAB_BYTES;

  /** How many transactions surround the message being written; kept by their codec. */
  depth = 0;

  /** Starts a message, forgetting one that was not finished. */
  begin(): void {
    if (this.#buffer !== this.#slab) {
      this.#buffer = this.#slab;
      this.#position = this.#slabPosition;
    }
    this.#end = this.#position;
    this.depth = 0;
  }

  /** The message written since begin(); later messages do not touch its bytes. */
  finish(): Buffer {
    if (this.#buffer === this.#slab) return this.#slab.subarray(this.#position, this.#end);
    const message = Buffer.allocUnsafeSlow(this.byteLength);
    this.#buffer.copy(message, 0, this.#position, this.#end);
    if (this.#scratch.length > SCRATCH_KEPT_BYTES_MAX) this.#scratch = Buffer.allocUnsafeSlow(0);
    return message;
  }

  /** Bytes written since begin(). */
  get byteLength(): number {
    return this.#end - this.#position;
  }

  bytes(tag: number, value: ByteString): void {
    if (value !== EMPTY) this.presentBytes(tag, value);
  }

  presentBytes(tag: number, value: ByteString): void {
    const { length } = value;
    const position = this.#take(length);
    const buffer = this.#buffer;
    if (length <= LOOP_COPY_LENGTH_MAX) {
      for (let i = 0; i < length; i++) buffer[position + i] = value.charCodeAt(i);
    } else {
      writeInto(buffer, value, position);
    }
    this.#length(tag, length);
  }

  /** A bytes field whose content is a buffer; left out when empty. */
  rawBytes(tag: number, value: Uint8Array): void {
    const { length } = value;
    if (length === 0) return;
    const position = this.#take(length);
    this.#buffer.set(value, position);
    this.#length(tag, length);
  }

  /** Leaves `length` bytes free before what is written, for the caller to fill in the finished message. */
  reserve(length: number): void {
    this.#take(length);
  }

  text(tag: number, value: string): void {
    if (value !== "") this.presentText(tag, value);
  }

  presentText(tag: number, value: string): void {
    const length = Buffer.byteLength(value, "utf8");
    const position = this.#take(length);
    this.#buffer.write(value, position, length, "utf8");
    this.#length(tag, length);
  }

  bool(tag: number, value: boolean): void {
    if (value) this.presentInt64(tag, 1);
  }

  /** int64, uint64, int32, uint32 or enum that a number holds exactly. */
  int64(tag: number, value: number): void {
    if (value !== 0) this.presentInt64(tag, value);
  }

  presentInt64(tag: number, value: number): void {
    this.#varint(value);
    this.#tag(tag);
  }

  /** int64 over its full range. */
  bigInt64(tag: number, value: bigint): void {
    if (value !== 0n) this.presentBigInt64(tag, value);
  }

  presentBigInt64(tag: number, value: bigint): void {
    this.#bigVarint(value);
    this.#tag(tag);
  }

  /** uint64 over its full range. */
  bigUint64(tag: number, value: bigint): void {
    if (value === 0n) return;
    assert(value > 0n && value <= UINT64_MAX, "a uint64 field holds a uint64");
    eightBytes.setBigUint64(0, value, true);
    this.#varint64(eightBytes.getUint32(0, true), eightBytes.getUint32(4, true));
    this.#tag(tag);
  }

  /** An embedded message; undefined leaves the field out. */
  message<T>(tag: number, value: T | undefined, write: (writer: Writer, value: T) => void): void {
    if (value === undefined) return;
    const before = this.byteLength;
    write(this, value);
    this.#length(tag, this.byteLength - before);
  }

  /** A list of embedded messages. */
  messages<T>(tag: number, values: readonly T[], write: (writer: Writer, value: T) => void): void {
    for (let i = values.length - 1; i >= 0; i--) this.message(tag, values[i], write);
  }

  texts(tag: number, values: readonly string[]): void {
    for (let i = values.length - 1; i >= 0; i--) this.presentText(tag, values[i] as string);
  }

  bytesList(tag: number, values: readonly ByteString[]): void {
    for (let i = values.length - 1; i >= 0; i--) this.presentBytes(tag, values[i] as ByteString);
  }

  /** A packed list of int64, int32 or enum values that a number holds exactly. */
  packedInt64(tag: number, values: readonly number[]): void {
    if (values.length === 0) return;
    const before = this.byteLength;
    for (let i = values.length - 1; i >= 0; i--) this.#varint(values[i] as number);
    this.#length(tag, this.byteLength - before);
  }

  /** A packed list of int64 over their full range. */
  packedBigInt64(tag: number, values: readonly bigint[]): void {
    if (values.length === 0) return;
    const before = this.byteLength;
    for (let i = values.length - 1; i >= 0; i--) this.#bigVarint(values[i] as bigint);
    this.#length(tag, this.byteLength - before);
  }

  /** A list of embedded messages that are encoded already. */
  encodedMessages(tag: number, values: readonly Uint8Array[]): void {
    for (let i = values.length - 1; i >= 0; i--) {
      const encoded = values[i] as Uint8Array;
      const position = this.#take(encoded.length);
      this.#buffer.set(encoded, position);
      this.#length(tag, encoded.length);
    }
  }

  /** A negative number takes ten bytes, as an int64 does. */
  #varint(value: number): void {
    if (value === (value & 0x7f)) {
      this.#byte(value);
    } else if (value === value >>> 0) {
      this.#varint32(value);
    } else {
      this.#varint64(value >>> 0, highWord(value));
    }
  }

  #bigVarint(value: bigint): void {
    assert(value >= INT64_MIN && value <= INT64_MAX, "an int64 field holds an int64");
    eightBytes.setBigInt64(0, value, true);
    this.#varint64(eightBytes.getUint32(0, true), eightBytes.getUint32(4, true));
  }

  /** `value` is below 2^32. */
  #varint32(value: number): void {
    // The number of groups of seven bits.
    const groups = ((38 - Math.clz32(value | 1)) / 7) | 0;
    const position = this.#take(groups);
    const last = position + groups - 1;
    const buffer = this.#buffer;
    let rest = value;
    for (let i = position; i < last; i++) {
      buffer[i] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[last] = rest;
  }

  #varint64(low: number, high: number): void {
    if (high === 0) {
      this.#varint32(low);
      return;
    }
    const groups = ((70 - Math.clz32(high)) / 7) | 0;
    const position = this.#take(groups);
    const last = position + groups - 1;
    const buffer = this.#buffer;
    let lowRest = low;
    let highRest = high;
    for (let i = position; i < last; i++) {
      buffer[i] = (lowRest & 0x7f) | 0x80;
      lowRest = ((lowRest >>> 7) | (highRest << 25)) >>> 0;
      highRest >>>= 7;
    }
    buffer[last] = lowRest;
  }

  #length(tag: number, length: number): void {
    this.#varint(length);
    this.#tag(tag);
  }

  #tag(tag: number): void {
    if (tag < 0x80) this.#byte(tag);
    else this.#varint32(tag);
  }

  #byte(value: number): void {
    // #take may replace the buffer, so it comes first.
    const position = this.#take(1);
    this.#buffer[position] = value;
  }

  /** Makes room for `length` bytes before those written; returns where they start. */
  #take(length: number): number {
    if (this.#position < length) this.#grow(length);
    this.#position -= length;
    return this.#position;
  }

  #grow(length: number): void {
    const written = this.byteLength;
    const needed = written + length;
    let target: Buffer<ArrayBuffer>;
    if (needed <= SLAB_MESSAGE_BYTES_MAX && this.#buffer === this.#slab) {
      target = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slab = target;
    } else {
      if (this.#buffer === this.#slab) this.#slabPosition = this.#end;
      if (this.#scratch.length < needed) this.#scratch = Buffer.allocUnsafeSlow(needed * 2);
      target = this.#scratch;
    }
    const position = target.length - written;
    this.#buffer.copy(target, position, this.#position, this.#end);
    this.#buffer = target;
    this.#position = position;
    this.#end = target.length;
  }
}

/** The upper 32 bits of `value` as a two's complement int64. */
function highWord(value: number): number {
  assert(Number.isSafeInteger(value), "an integer field holds a safe integer");
  return Math.floor(value / TWO_TO_32) >>> 0;
}
