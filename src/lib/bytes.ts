/**
 * Byte strings: keys and values inside the server are JavaScript strings that hold one byte per character
 * (latin1). They compare in byte order with `<`, hash as Map keys, cost 16 bytes over their content, and copy
 * to and from buffers in one native call. The brand keeps them apart from ordinary text.
 */
declare const byteString: unique symbol;
export type ByteString = string & { readonly [byteString]: true };

export const EMPTY = "" as ByteString;
/** The range end that means "every key from here on" (etcd RangeRequest.range_end = "\0"). */
export const OPEN_END = "\0" as ByteString;

/** The UTF-8 encoding of `text`. */
export function fromUtf8(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1") as ByteString;
}

/** Decodes as UTF-8; invalid sequences become U+FFFD. */
export function toUtf8(bytes: ByteString): string {
  return Buffer.from(bytes, "latin1").toString("utf8");
}

export function fromBytes(bytes: Uint8Array): ByteString {
  return asBuffer(bytes).toString("latin1") as ByteString;
}

/** The bytes from `start` to `end`. What Buffer.toString comes to in the end; Node's types leave it out. */
export function sliceOf(buffer: Buffer, start: number, end: number): ByteString {
  return (buffer as Buffer & { latin1Slice(start: number, end: number): string }).latin1Slice(
    start,
    end,
  ) as ByteString;
}

/** Writes `bytes` at `offset`, where there is room for them. What Buffer.write comes to in the end. */
export function writeInto(buffer: Buffer, bytes: ByteString, offset: number): void {
  (buffer as Buffer & { latin1Write(text: string, offset: number, length: number): number }).latin1Write(
    bytes,
    offset,
    bytes.length,
  );
}

export function toBytes(bytes: ByteString): Buffer {
  return Buffer.from(bytes, "latin1");
}

/** A Buffer over the same memory, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** -1, 0 or 1 in byte order. */
export function compare(left: ByteString, right: ByteString): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * The end of the range that holds every key starting with `prefix`: the last byte below 0xff incremented, what
 * follows dropped; OPEN_END when there is no such byte (etcd semantics, KV section 3.1).
 */
export function prefixEnd(prefix: ByteString): ByteString {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const code = prefix.charCodeAt(i);
    if (code < 0xff) return (prefix.slice(0, i) + String.fromCharCode(code + 1)) as ByteString;
  }
  return OPEN_END;
}

/** Whether `key` lies in the interval that (start, rangeEnd) names in etcd's notation. */
export function inRange(key: ByteString, start: ByteString, rangeEnd: ByteString): boolean {
  if (rangeEnd === EMPTY) return key === start;
  if (key < start) return false;
  return rangeEnd === OPEN_END || key < rangeEnd;
}
