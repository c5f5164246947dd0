import { ENTRY_OVERHEAD_BYTES } from "./hpack-static.ts";

/** Where an index points that no entry has. */
export const NO_SLOT = -1;

/**
 * The dynamic table of HPACK (RFC 7541 section 2.3.2): a queue of fields with a limit in bytes, in a ring whose
 * slots it never outgrows, as every entry counts at least 32 bytes.
 */
export class DynamicTable {
  readonly #names: string[];
  readonly #values: string[];
  readonly #sizes: Int32Array;
  readonly #mask: number;
  #bytesMax: number;
  #sizeBytes = 0;
  #count = 0;
  /** Slot of the next entry. */
  #head = 0;

  /** `capacityBytes`: what `resize` may ask for at most. */
  constructor(capacityBytes: number, bytesMax: number) {
    let slots = 1;
    while (slots * ENTRY_OVERHEAD_BYTES < capacityBytes) slots *= 2;
    this.#names = new Array<string>(slots).fill("");
    this.#values = new Array<string>(slots).fill("");
    this.#sizes = new Int32Array(slots);
    this.#mask = slots - 1;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** The slot of the entry of that age, 0 the newest. It is the entry's until the table changes. */
  slotOf(age: number): number {
    return age < this.#count ? (this.#head - 1 - age) & this.#mask : NO_SLOT;
  }

  nameAt(slot: number): string {
    return this.#names[slot]!;
  }

  valueAt(slot: number): string {
    return this.#values[slot]!;
  }

  sizeAt(slot: number): number {
    return this.#sizes[slot]!;
  }

  /** Adds an entry at the cost of the oldest ones. One that is larger than the table leaves it empty. */
  insert(name: string, value: string): void {
    const sizeBytes = name.length + value.length + ENTRY_OVERHEAD_BYTES;
    this.#evictTo(this.#bytesMax - sizeBytes);
    if (sizeBytes > this.#bytesMax) return;
    this.#names[this.#head] = name;
    this.#values[this.#head] = value;
    this.#sizes[this.#head] = sizeBytes;
    this.#head = (this.#head + 1) & this.#mask;
    this.#count++;
    this.#sizeBytes += sizeBytes;
  }

  resize(bytesMax: number): void {
    this.#bytesMax = bytesMax;
    this.#evictTo(bytesMax);
  }

  #evictTo(bytesMax: number): void {
    while (this.#sizeBytes > bytesMax && this.#count > 0) {
      const slot = (this.#head - this.#count) & this.#mask;
      this.#sizeBytes -= this.#sizes[slot]!;
      // The slot may stay empty for long, and must not hold on to the strings.
      this.#names[slot] = "";
      this.#values[slot] = "";
      this.#count--;
    }
  }
}
