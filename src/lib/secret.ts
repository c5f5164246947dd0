import { randomBytes } from "node:crypto";

/** A number of 32 bits that nobody outside the process can guess. */
export function secretUint32(): number {
  return randomBytes(4).readUInt32LE(0);
}
