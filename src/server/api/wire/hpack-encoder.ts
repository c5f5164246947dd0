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

/** One of the fields that answers repeat. */
class RepeatedField {
  readonly #indexed: Buffer;
  readonly #notIndexed: Buffer;
  /** Where it is in the dynamic table, as the byte that stands for it; 0: not there. */
  byte = 0;

  constructor(name: string, value: string) {
    this.#indexed = literalOf(WITH_INDEXING, WITH_INDEXING_MASK, name, value);
    this.#notIndexed = literalOf(WITHOUT_INDEXING, WITHOUT_INDEXING_MASK, name, value);
  }

  write(target: Buffer, offset: number, isIndexing: boolean): number {
    const literal = isIndexing ? this.#indexed : this.#notIndexed;
    literal.copy(target, offset);
    return offset + literal.length;
  }
}

const repeated = {
  contentType: ["content-type", "application/grpc"],
  grpcStatus: ["grpc-status", "0"],
  grpcMessage: ["grpc-message", ""],
} as const;

/** What the peer's table must hold for them all. */
const REPEATED_BYTES = Object.values(repeated).reduce(
  (sum, [name, value]) => sum + name.length + value.length + ENTRY_OVERHEAD_BYTES,
  0,
);

/**
 * Encodes the header blocks of a gRPC server's answers on one connection (RFC 7541). The three fields of every call
 * that goes well enter the peer's dynamic table when they are first sent, and are a byte each from then on; nothing
 * else enters it, so that they never leave. Blocks have to be sent in the order in which they are written.
 */
export class ResponseHeaderEncoder {
  /** Upper bound of what writeGrpcHeaders and writeOkTrailers write. */
  static readonly fixedBytesMax = 64;

  readonly #contentType = new RepeatedField(...repeated.contentType);
  readonly #grpcStatus = new RepeatedField(...repeated.grpcStatus);
  readonly #grpcMessage = new RepeatedField(...repeated.grpcMessage);
  /** The smallest table that the peer ever offered: it may grow again, but three fields do not need it to. */
  #tableBytesMax = TABLE_BYTES_MAX;
  #isUpdateDue = false;
  #isIndexing = true;

  /** Upper bound of what writeFields writes for `fields`. */
  static boundOf(fields: readonly string[]): number {
    let bytes = TABLE_SIZE_UPDATE_BYTES_MAX + fields.length * INTEGER_BYTES_MAX;
    for (let i = 0; i < fields.length; i++) bytes += fields[i]!.length;
    // The byte that begins a field whose name is not in the static table.
    return bytes + fields.length;
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

  #writeRepeated(target: Buffer, offset: number, field: RepeatedField): number {
    if (field.byte === 0) return this.#writeFirst(target, offset, field);
    target[offset] = field.byte;
    return offset + 1;
  }

  #writeFirst(target: Buffer, offset: number, field: RepeatedField): number {
    assert(offset + ResponseHeaderEncoder.fixedBytesMax <= target.length, "there is room for a first block");
    if (this.#isIndexing) {
      this.#makeOlder(this.#contentType);
      this.#makeOlder(this.#grpcStatus);
      this.#makeOlder(this.#grpcMessage);
      field.byte = INDEXED | (STATIC_COUNT + 1);
    }
    return field.write(target, offset, this.#isIndexing);
  }

  #makeOlder(field: RepeatedField): void {
    if (field.byte !== 0) field.byte++;
  }

  #writeUpdate(target: Buffer, offset: number): number {
    this.#isUpdateDue = false;
    return writeInteger(target, offset, TABLE_SIZE_UPDATE, TABLE_SIZE_UPDATE_MASK, this.#tableBytesMax);
  }
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
  const target = Buffer.alloc(ResponseHeaderEncoder.boundOf([name, value]));
  return target.subarray(0, writeLiteral(target, 0, kind, indexMask, name, value));
}

function writeString(target: Buffer, offset: number, text: string): number {
  const { length } = text;
  const at = writeInteger(target, offset, 0, STRING_LENGTH_MASK, length);
  if (length > SHORT_LENGTH_MAX) return at + target.write(text, at, "latin1");
  for (let i = 0; i < length; i++) target[at + i] = text.charCodeAt(i);
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
