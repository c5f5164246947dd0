const CAPACITY_MIN = 8;
/** What one wave of requests needs is kept for the next. */
const CAPACITY_KEPT = 1_024;
/** 2^32 divided by the golden ratio (Knuth 6.4). */
const SPREAD = 0x9e37_79b1;
/** No key. */
const FREE = 0;

/**
 * A map of positive integers for what comes and goes with every request. Not a Map: that makes itself a new table
 * every few changes and links the table before to it, and once one such table is old, V8 takes all that follow, with
 * all that was ever in them, for alive until its next collection of the whole heap.
 *
 * Open addressing with linear probing; what is deleted leaves no trace behind (Knuth 6.4, algorithm R).
 */
export class IntMap<Value> {
  #keys: number[] = [];
  #values: (Value | undefined)[] = [];
  #shift = 0;
  #size = 0;
  readonly #secret: number;

  /** `secret`: where strangers choose the keys, a number that they cannot guess, or they choose those that meet. */
  constructor(secret = 0) {
    this.#secret = secret;
    this.#allocate(CAPACITY_MIN);
  }

  get size(): number {
    return this.#size;
  }

  get(key: number): Value | undefined {
    return this.#values[this.#find(key)];
  }

  /** `key`: at least 1. */
  set(key: number, value: Value): void {
    const at = this.#find(key);
    if (this.#keys[at] === FREE) {
      if (2 * (this.#size + 1) > this.#keys.length) {
        this.#resize(2 * this.#keys.length);
        this.set(key, value);
        return;
      }
      this.#keys[at] = key;
      this.#size++;
    }
    this.#values[at] = value;
  }

  /** Takes it out; false when there was none. */
  delete(key: number): boolean {
    const keys = this.#keys;
    const values = this.#values;
    const mask = keys.length - 1;
    let hole = this.#find(key);
    if (keys[hole] === FREE) return false;
    for (let at = (hole + 1) & mask; keys[at] !== FREE; at = (at + 1) & mask) {
      const home = this.#homeOf(keys[at] as number);
      // Found from its home on, it must not come to stand before it.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      keys[hole] = keys[at] as number;
      values[hole] = values[at];
      hole = at;
    }
    keys[hole] = FREE;
    values[hole] = undefined;
    this.#size--;
    if (keys.length > CAPACITY_KEPT && 16 * this.#size < keys.length) this.#resize(keys.length / 4);
    return true;
  }

  clear(): void {
    this.#allocate(CAPACITY_MIN);
  }

  /** Of this moment, in any order. */
  values(): Value[] {
    return this.#values.filter((_value, at) => this.#keys[at] !== FREE) as Value[];
  }

  /** Of this moment, in ascending order of their keys. */
  entries(): [key: number, value: Value][] {
    const found: [number, Value][] = [];
    for (const [at, key] of this.#keys.entries()) {
      if (key !== FREE) found.push([key, this.#values[at] as Value]);
    }
    return found.sort(([left], [right]) => left - right);
  }

  /** The place of the key, or the free one where it would be put. */
  #find(key: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    let at = this.#homeOf(key);
    while (keys[at] !== key && keys[at] !== FREE) at = (at + 1) & mask;
    return at;
  }

  #homeOf(key: number): number {
    const mixed = Math.imul(key ^ this.#secret, SPREAD);
    return Math.imul(mixed ^ (mixed >>> 15), SPREAD) >>> this.#shift;
  }

  #resize(capacity: number): void {
    const keys = this.#keys;
    const values = this.#values;
    this.#allocate(capacity);
    for (const [at, key] of keys.entries()) if (key !== FREE) this.set(key, values[at] as Value);
  }

  #allocate(capacity: number): void {
    this.#keys = new Array<number>(capacity).fill(FREE);
    this.#values = new Array<Value | undefined>(capacity).fill(undefined);
    this.#shift = 32 - Math.log2(capacity);
    this.#size = 0;
  }
}
