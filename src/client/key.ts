import { type ByteString, EMPTY, fromBytes, fromUtf8, OPEN_END, prefixEnd } from "../lib/bytes.ts";

/** A key or value: text is sent as UTF-8, bytes as they are. */
export type Bytes = string | Uint8Array;

/** One key, or a range made by prefix(), fromKey(), between() or allKeys. */
export type KeyTarget = Bytes | KeyRange;

/** An interval of keys in etcd's notation. */
export class KeyRange {
  readonly start: ByteString;
  /** Exclusive; "\0" means no end. */
  readonly end: ByteString;

  constructor(start: ByteString, end: ByteString) {
    this.start = start;
    this.end = end;
  }
}

/** Every key that starts with `bytes`; the empty prefix is every key. */
export function prefix(bytes: Bytes): KeyRange {
  const start = toByteString(bytes);
  return start === EMPTY ? allKeys : new KeyRange(start, prefixEnd(start));
}

/** Every key from `key` on, in byte order. */
export function fromKey(key: Bytes): KeyRange {
  const start = toByteString(key);
  return new KeyRange(start === EMPTY ? OPEN_END : start, OPEN_END);
}

/** The keys from `start` up to but without `end`. */
export function between(start: Bytes, end: Bytes): KeyRange {
  return new KeyRange(toByteString(start), toByteString(end));
}

export const allKeys = new KeyRange(OPEN_END, OPEN_END);

export function toByteString(bytes: Bytes): ByteString {
  return typeof bytes === "string" ? fromUtf8(bytes) : fromBytes(bytes);
}

/** The (key, rangeEnd) pair that requests carry. */
export function toInterval(target: KeyTarget): { key: ByteString; rangeEnd: ByteString } {
  if (target instanceof KeyRange) return { key: target.start, rangeEnd: target.end };
  return { key: toByteString(target), rangeEnd: EMPTY };
}
