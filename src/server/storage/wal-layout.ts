import { DecodeError } from "../../lib/errors.ts";

/** What disks write whole or not at all. */
export const sectorBytes = 512;

/** Writes a number below 2^53 as 8 bytes, little-endian. */
export function writeUint64(target: Buffer, at: number, value: number): void {
  target.writeUInt32LE(value >>> 0, at);
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

/** Reads what writeUint64 writes; throws DecodeError when the value does not fit a number. */
export function readUint64(source: Buffer, at: number): number {
  const high = source.readUInt32LE(at + 4);
  if (high > 0x1f_ffff) throw new DecodeError(`number above 2^53 at byte ${at}`);
  return high * 0x1_0000_0000 + source.readUInt32LE(at);
}
