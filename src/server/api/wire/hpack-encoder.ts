import { assert } from "../../../lib/assert.ts";
import {
  ENTRY_OVERHEAD_BYTES,
  STATIC_COUNT,
  staticIndexOf,
  staticNames,
  staticValues,
} from "./hpack-static.ts";

const INDEXED = 0x80;
const INDEXED_MASK = 0x7f;
const WITH_INDEXING = 0x40;
const WITH_INDEXING_MASK = 0x3f;
const TABLE_SIZE_UPDATE = 0x20;
const TABLE_SIZE_UPDATE_MASK = 0x1f;
const WITHOUT_INDEXING = 0;
const WITHOUT_INDEXING_MASK = 0xf;
const STRING_LENGTH_MASK = 0x7f;

/** The peer's table until it says otherwise. More is not used of what it may offer. */
const TABLE_BYTES_MAX = 4_096;
const TABLE_SIZE_UPDATE_BYTES_MAX = 3;
/** A byte that an integer begins in, and five. */
const INTEGER_BYTES_MAX = 6;
/** Up to here a loop is faster than the call into C++. */
const SHORT_LENGTH_MAX = 16;

/** The index of each `:status` that the static table has. */
const statusIndexOf: ReadonlyMap<string, number> = new Map(
  staticValues.flatMap((value, index) => (staticNames[index] === ":status" ? [[value, index] as const] : [])),
);
const status200 = INDEXED | statusIndexOf.get("200")!;

/** A field that every answer repeats, and how it is written where it is not in the table. */
class RepeatedField {
  /** What it takes in the table. */
  readonly sizeBytes: number;
  readonly indexed: Buffer;
  readonly notIndexed: Buffer;

  constructor(name: string, value: string) {
    this.sizeBytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.indexed = literalOf(WITH_INDEXING, WITH_INDEXING_MASK, name, value);
    this.notIndexed = literalOf(WITHOUT_INDEXING, WITHOUT_INDEXING_MASK, name, value);
  }
}

const contentType = new RepeatedField("content-type", "application/grpc");
const grpcStatus = new RepeatedField("grpc-status", "0");
const grpcMessage = new RepeatedField("grpc-message", "");

/** What the peer's table must hold for them all. */
const REPEATED_BYTES = contentType.sizeBytes + grpcStatus.sizeBytes + grpcMessage.sizeBytes;

/** Where one of them is in the peer's table. */
class Place {
  readonly field: RepeatedField;
  /** The byte that stands for it; 0: it is not in the table. */
  byte = 0;

  constructor(field: RepeatedField) {
    this.field = field;
  }
}

/**
 * Encodes the header blocks of a gRPC server's answers on one connection (RFC 7541). The three fields of every call
 * that goes well enter the peer's dynamic table when they are first sent, and are a byte each from then on; nothing
 * else enters it, so that they never leave. Blocks have to be sent in the order in which they are written.
 */
export class ResponseHeaderEncoder {
  /** Upper bound of what writeGrpcHeaders and writeOkTrailers write. */
  static readonly fixedBytesMax = 64;

  readonly #contentType = new Place(contentType);
  readonly #grpcStatus = new Place(grpcStatus);
  readonly #grpcMessage = new Place(grpcMessage);
  /** The smallest table that the peer ever offered: it may grow again, but three fields do not need it to. */
  #tableBytesMax = TABLE_BYTES_MAX;
  #isUpdateDue = false;
  #isIndexing = true;

  /** Upper bound of what writeFields writes for `fields`. */
  static boundOf(fields: readonly string[]): number {
    return TABLE_SIZE_UPDATE_BYTES_MAX + boundOf(fields);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE changed. */
  setTableBytesMax(bytes: number): void {
    if (bytes >= this.#tableBytesMax) return;
    this.#isUpdateDue = true;
    if (bytes >= REPEATED_BYTES) {
      this.#tableBytesMax = bytes;
      return;
    }
    // What a small table could hold is not worth an account of it.
    this.#tableBytesMax = 0;
    this.#isIndexing = false;
    this.#contentType.byte = 0;
    this.#grpcStatus.byte = 0;
    this.#grpcMessage.byte = 0;
  }

  /** The headers of an answer: `:status` 200 and the content type of gRPC. Returns the offset after them. */
  writeGrpcHeaders(target: Buffer, offset: number): number {
    let at = this.#isUpdateDue ? this.#writeUpdate(target, offset) : offset;
    target[at++] = status200;
    return this.#writeRepeated(target, at, this.#contentType);
  }

  /** The trailers of a call that went well: `grpc-status` 0 and an empty `grpc-message`. */
  writeOkTrailers(target: Buffer, offset: number): number {
    const start = this.#isUpdateDue ? this.#writeUpdate(target, offset) : offset;
    const at = this.#writeRepeated(target, start, this.#grpcStatus);
    return this.#writeRepeated(target, at, this.#grpcMessage);
  }

  /**
   * Any other list, of names and values alternating: names in lower case, values of characters up to U+00FF. The
   * target has room for `boundOf(fields)`.
   */
  writeFields(target: Buffer, offset: number, fields: readonly string[]): number {
    let at = this.#isUpdateDue ? this.#writeUpdate(target, offset) : offset;
    for (let i = 0; i + 1 < fields.length; i += 2) at = writeField(target, at, fields[i]!, fields[i + 1]!);
    assert(at <= target.length, "a header block fits its buffer");
    return at;
  }

  #writeRepeated(target: Buffer, offset: number, place: Place): number {
    if (place.byte === 0) return this.#writeLiteral(target, offset, place);
    target[offset] = place.byte;
    return offset + 1;
  }

  #writeLiteral(target: Buffer, offset: number, place: Place): number {
    const literal = this.#isIndexing ? place.field.indexed : place.field.notIndexed;
    if (this.#isIndexing) {
      this.#makeOlder(this.#contentType);
      this.#makeOlder(this.#grpcStatus);
      this.#makeOlder(this.#grpcMessage);
      place.byte = INDEXED | (STATIC_COUNT + 1);
    }
    assert(offset + literal.length <= target.length, "a header block fits its buffer");
    literal.copy(target, offset);
    return offset + literal.length;
  }

  #makeOlder(place: Place): void {
    if (place.byte !== 0) place.byte++;
  }

  #writeUpdate(target: Buffer, offset: number): number {
    this.#isUpdateDue = false;
    return writeInteger(target, offset, TABLE_SIZE_UPDATE, TABLE_SIZE_UPDATE_MASK, this.#tableBytesMax);
  }
}

/** Each string has an integer before it, and each field begins with a byte. */
function boundOf(fields: readonly string[]): number {
  let bytes = fields.length * (INTEGER_BYTES_MAX + 1);
  for (let i = 0; i < fields.length; i++) bytes += fields[i]!.length;
  return bytes;
}

function writeField(target: Buffer, offset: number, name: string, value: string): number {
  const index = name === ":status" ? statusIndexOf.get(value) : undefined;
  if (index !== undefined) return writeInteger(target, offset, INDEXED, INDEXED_MASK, index);
  return writeLiteral(target, offset, WITHOUT_INDEXING, WITHOUT_INDEXING_MASK, name, value);
}

function writeLiteral(
  target: Buffer,
  offset: number,
  kind: number,
  indexMask: number,
  name: string,
  value: string,
): number {
  const index = staticIndexOf.get(name) ?? 0;
  let at = writeInteger(target, offset, kind, indexMask, index);
  if (index === 0) at = writeString(target, at, name);
  return writeString(target, at, value);
}

function literalOf(kind: number, indexMask: number, name: string, value: string): Buffer {
  const target = Buffer.alloc(boundOf([name, value]));
  return target.subarray(0, writeLiteral(target, 0, kind, indexMask, name, value));
}

function writeString(target: Buffer, offset: number, text: string): number {
  const { length } = text;
  const at = writeInteger(target, offset, 0, STRING_LENGTH_MASK, length);
  assert(at + length <= target.length, "a header block fits its buffer");
  if (length > SHORT_LENGTH_MAX) target.write(text, at, "latin1");
  else for (let i = 0; i < length; i++) target[at + i] = text.charCodeAt(i);
  return at + length;
}

/** RFC 7541 section 5.1: `value` in the low bits of a byte that also tells the `kind`, and in as many as it needs. */
function writeInteger(target: Buffer, offset: number, kind: number, mask: number, value: number): number {
  if (value < mask) {
    target[offset] = kind | value;
    return offset + 1;
  }
  target[offset] = kind | mask;
  let at = offset + 1;
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) target[at++] = (rest % 128) | 0x80;
  target[at] = rest;
  return at + 1;
}
