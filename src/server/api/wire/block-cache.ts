const SLOTS = 8;
const BLOCK_BYTES_MAX = 64;

/**
 * What the last few small header blocks came to. A client that calls again sends the same bytes again, once its
 * headers are in the table; they mean the same until the table changes, and then the owner has to `clear` this.
 */
export class BlockCache<Result> {
  readonly #bytes = new Uint8Array(SLOTS * BLOCK_BYTES_MAX);
  readonly #lengths = new Uint8Array(SLOTS);
  readonly #results: Result[] = [];
  /** Filled slots, from the first on. */
  #count = 0;
  /** Slot of the block to come. */
  #next = 0;
  /** Slot found last: the first to look at. */
  #recent = 0;

  find(source: Buffer, start: number, end: number): Result | undefined {
    const count = this.#count;
    if (count === 0) return undefined;
    const length = end - start;
    let slot = this.#recent;
    for (let seen = 0; seen < count; seen++) {
      if (this.#lengths[slot] === length && this.#isAt(slot * BLOCK_BYTES_MAX, source, start, length)) {
        this.#recent = slot;
        return this.#results[slot];
      }
      if (++slot >= count) slot = 0;
    }
    return undefined;
  }

  /** Keeps `result`, which `find` does not have, in place of the oldest one. A block that is too long is not kept. */
  add(source: Buffer, start: number, end: number, result: Result): void {
    const length = end - start;
    if (length > BLOCK_BYTES_MAX) return;
    const slot = this.#next;
    this.#next = (slot + 1) % SLOTS;
    this.#count = Math.max(this.#count, slot + 1);
    for (let i = 0; i < length; i++) this.#bytes[slot * BLOCK_BYTES_MAX + i] = source[start + i]!;
    this.#lengths[slot] = length;
    this.#results[slot] = result;
  }

  clear(): void {
    if (this.#count === 0) return;
    this.#count = 0;
    this.#next = 0;
    this.#recent = 0;
    this.#results.length = 0;
  }

  #isAt(at: number, source: Buffer, start: number, length: number): boolean {
    // Blocks of one client begin alike; what tells its calls apart comes later.
    for (let i = length - 1; i >= 0; i--) {
      if (this.#bytes[at + i] !== source[start + i]) return false;
    }
    return true;
  }
}
