import type { ByteString } from "../../lib/bytes.ts";
import type { KeyHistory } from "./key-history.ts";

const SHARD_COUNT = 256;

/**
 * Finds the history of a key by the key alone. Many small maps in place of one: a Map doubles all at once, which
 * for a million keys stops the process for a fifth of a second, and ends at 16.7 million entries.
 */
export class KeyTable {
  readonly #shards: Map<ByteString, KeyHistory>[] = Array.from({ length: SHARD_COUNT }, () => new Map());

  get(key: ByteString): KeyHistory | undefined {
    return this.#shardOf(key).get(key);
  }

  set(key: ByteString, history: KeyHistory): void {
    this.#shardOf(key).set(key, history);
  }

  delete(key: ByteString): void {
    this.#shardOf(key).delete(key);
  }

  /** Keys that are close to each other differ in their last bytes. */
  #shardOf(key: ByteString): Map<ByteString, KeyHistory> {
    const last = key.length - 1;
    // charCodeAt before the start is NaN, which the bit operations turn into 0.
    const mixed =
      Math.imul(key.charCodeAt(last), 31) ^
      Math.imul(key.charCodeAt(last - 1), 131) ^
      Math.imul(key.charCodeAt(last - 2), 977) ^
      Math.imul(key.charCodeAt(last - 3), 3_571) ^
      key.length;
    return this.#shards[(mixed ^ (mixed >>> 8)) & (SHARD_COUNT - 1)] as Map<ByteString, KeyHistory>;
  }
}
