import { crc32 } from "../../lib/crc32.ts";
import { sectorBytes, writeUint64 } from "./wal-layout.ts";

/**
 * The frame: what one write puts into the log (DESIGN.md, "Frames"). Frames start at multiples of 32 bytes, so
 * that a header never lies across two disk sectors.
 *
 *   0  u32 body bytes     4  u32 type      8  u64 sequence    16  u32 mask
 *  20  u32 zero          24  u32 checksum of bytes 0..23, begun with the segment's seed
 *  28  u32 header magic  32  body, zeros up to a multiple of 32 less 8
 *  -8  u32 chain value   -4  u32 end magic
 *
 * Data frames have all of it; markers and ends are a header alone.
 */
export const frameType = { data: 1, marker: 2, end: 3 } as const;
export type FrameType = (typeof frameType)[keyof typeof frameType];

export const slotBytes = 32;
export const frameHeaderBytes = 32;
export const frameTrailerBytes = 8;

// The last byte of both magics has several bits set: no single flipped bit makes it the zero of a write cut short.
const HEADER_MAGIC = 0xd51c_a7e9;
const END_MAGIC = 0xb65e_93d3;

export interface FrameHeader {
  readonly type: FrameType;
  readonly bodyBytes: number;
  /** Of a data frame: its number in the log. Of a marker or end: the number of the newest frame it vouches for. */
  readonly sequence: number;
  /** Each 32-bit word of the body, from its start, is stored exclusive-or this. */
  readonly mask: number;
}

/** Size of a data frame with `bodyBytes` bytes of records. */
export function dataFrameBytes(bodyBytes: number): number {
  const bytes = frameHeaderBytes + bodyBytes + frameTrailerBytes;
  return Math.ceil(bytes / slotBytes) * slotBytes;
}

export function encodeFrameHeader(target: Buffer, at: number, header: FrameHeader, seed: number): void {
  target.writeUInt32LE(header.bodyBytes, at);
  target.writeUInt32LE(header.type, at + 4);
  writeUint64(target, at + 8, header.sequence);
  target.writeUInt32LE(header.mask, at + 16);
  target.writeUInt32LE(0, at + 20);
  target.writeUInt32LE(crc32(target, seed, at, at + 24), at + 24);
  target.writeUInt32LE(HEADER_MAGIC, at + 28);
}

/** A marker or end as the bytes to write. */
export function encodeMarker(type: 2 | 3, sequence: number, seed: number): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes);
  encodeFrameHeader(bytes, 0, { type, bodyBytes: 0, sequence, mask: 0 }, seed);
  return bytes;
}

/** The header at `at`, or undefined when the bytes there are no header of this segment. */
export function decodeFrameHeader(source: Buffer, at: number, seed: number): FrameHeader | undefined {
  if (at + frameHeaderBytes > source.length) return undefined;
  if (source.readUInt32LE(at + 28) !== HEADER_MAGIC) return undefined;
  if (source.readUInt32LE(at + 24) !== crc32(source, seed, at, at + 24)) return undefined;
  const type = source.readUInt32LE(at + 4);
  const sequence = source.readUInt32LE(at + 8) + source.readUInt32LE(at + 12) * 0x1_0000_0000;
  if (type !== frameType.data && type !== frameType.marker && type !== frameType.end) return undefined;
  if (!Number.isSafeInteger(sequence)) return undefined;
  return { type, bodyBytes: source.readUInt32LE(at), sequence, mask: source.readUInt32LE(at + 16) };
}

/**
 * Completes a data frame in `frame` whose body bytes are in place and whose other bytes after the header are
 * zero; it will be written at file position `position`. Returns the chain value for the next frame.
 */
export function sealFrame(
  frame: Buffer,
  bodyBytes: number,
  sequence: number,
  position: number,
  chain: number,
  seed: number,
): number {
  const bodyEnd = frame.length - frameTrailerBytes;
  const mask = chooseMask(frame, position);
  if (mask !== 0) applyMask(frame, 0, frame.length, mask);
  encodeFrameHeader(frame, 0, { type: frameType.data, bodyBytes, sequence, mask }, seed);
  const next = chainOf(frame, 0, frame.length, chain);
  frame.writeUInt32LE(next, bodyEnd);
  frame.writeUInt32LE(END_MAGIC, bodyEnd + 4);
  return next;
}

/** The chain value of the frame in [start, end): the checksum of all before it carried on over header and body. */
export function chainOf(source: Buffer, start: number, end: number, chain: number): number {
  return crc32(source, chain, start, end - frameTrailerBytes);
}

/** Whether the trailer of the frame that ends at `end` states this chain value. */
export function isTrailer(source: Buffer, end: number, chain: number): boolean {
  return source.readUInt32LE(end - frameTrailerBytes) === chain && source.readUInt32LE(end - 4) === END_MAGIC;
}

/** Masks or unmasks the body and padding of the frame in [start, end), in place. */
export function applyMask(frame: Buffer, start: number, end: number, mask: number): void {
  const bytes = [mask & 0xff, (mask >>> 8) & 0xff, (mask >>> 16) & 0xff, mask >>> 24] as const;
  for (let i = start + frameHeaderBytes; i < end - frameTrailerBytes; i++)
    frame[i] = frame[i]! ^ bytes[i & 3]!;
}

/**
 * A frame that was cut short by a crash shows it by sectors that are still zero. So that no whole frame looks
 * like one, not even after a bit has flipped, no inner sector may be zero but for one bit: where the records
 * would have that, the body is masked by a word that leaves none.
 */
function chooseMask(frame: Buffer, position: number): number {
  const first = sectorBytes - (position % sectorBytes);
  const last = frame.length - sectorBytes;
  let isPlain = true;
  for (let at = first; at < last && isPlain; at += sectorBytes) {
    // Two words with a bit set settle it for nearly all data.
    if (frame.readUInt32LE(at + 252) !== 0 && frame.readUInt32LE(at + 256) !== 0) continue;
    isPlain = !isNearly(frame, at, 0);
  }
  if (isPlain) return 0;
  const excluded = new Set<number>([0]);
  for (let at = first; at < last; at += sectorBytes) {
    const word = nearlyConstant(frame, at);
    if (word !== undefined) excluded.add(word);
  }
  let mask = 0x9e37_79b9;
  while (excluded.has(mask)) mask = (mask + 0x9e37_79b9) >>> 0;
  return mask;
}

/** The word that the sector repeats but for at most one bit. */
function nearlyConstant(frame: Buffer, at: number): number | undefined {
  for (const probe of [0, 4]) {
    const word = frame.readUInt32LE(at + probe);
    if (isNearly(frame, at, word)) return word;
  }
  return undefined;
}

function isNearly(frame: Buffer, at: number, word: number): boolean {
  let flips = 0;
  for (let i = at; i < at + sectorBytes; i += 4) {
    const difference = frame.readUInt32LE(i) ^ word;
    if (difference === 0) continue;
    // More than one bit set.
    if ((difference & (difference - 1)) !== 0) return false;
    if (++flips > 1) return false;
  }
  return true;
}
