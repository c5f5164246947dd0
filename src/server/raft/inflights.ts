import { assert } from "../../lib/assert.ts";

/** Dropped places below which the array is not worth moving. */
const DROPPED_MIN = 64;

/**
 * The appends on their way to one peer: the last index and the bytes of each, oldest first, limited by count and,
 * softly, by bytes: one append may cross that limit (raft-core-spec 7.2).
 */
export class Inflights {
  readonly #countMax: number;
  readonly #bytesMax: number;
  #indexes: number[] = [];
  #sizes: number[] = [];
  /** Where the oldest stands. */
  #start = 0;
  #bytes = 0;

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#indexes.length - this.#start;
  }

  get isFull(): boolean {
    return this.count >= this.#countMax || this.#bytes >= this.#bytesMax;
  }

  /** The indexes must ascend. */
  add(index: number, bytes: number): void {
    assert(!this.isFull, "cannot add into a Full inflights");
    this.#indexes.push(index);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** Frees those that end at or before `index`. */
  freeThrough(index: number): void {
    while (this.#start < this.#indexes.length && this.#indexes[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start++;
    }
    if (this.#start === this.#indexes.length) {
      this.clear();
    } else if (this.#start >= DROPPED_MIN && this.#start * 2 >= this.#indexes.length) {
      this.#indexes = this.#indexes.slice(this.#start);
      this.#sizes = this.#sizes.slice(this.#start);
      this.#start = 0;
    }
  }

  clear(): void {
    this.#indexes.length = 0;
    this.#sizes.length = 0;
    this.#start = 0;
    this.#bytes = 0;
  }
}
