import type { ByteString } from "../../../lib/bytes.ts";
import { limits } from "../../../lib/limits.ts";

/**
 * The largest value that a PUT of `key` may store, in bytes: what a command of `requestBytesMax` has room for beside
 * the key, once for the put and once for each of its conditions. Negative when the key alone is too large.
 */
export function valueBytesMax(requestBytesMax: number, key: ByteString, conditions: number): number {
  return requestBytesMax - limits.httpWriteOverheadBytes - key.length * (1 + conditions);
}
