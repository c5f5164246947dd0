import { createPrng, type Prng } from "../../src/lib/prng.ts";

/** Choices from a seed: the same seed and number give the same choices, whatever was drawn elsewhere. */
export class Draw {
  readonly #prng: Prng;

  constructor(seed: number, number = 0) {
    // Two rounds, so that neighbours of a seed share nothing.
    this.#prng = createPrng(createPrng(seed).below(0x1_0000_0000) ^ Math.imul(number + 1, 0x9e3779b1));
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return this.#prng.below(bound);
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.#prng.below(high - low + 1);
  }

  /** True once in `of` draws. */
  once(of: number): boolean {
    return this.#prng.below(of) === 0;
  }

  pick<T>(list: readonly T[]): T {
    const chosen = list[this.#prng.below(list.length)];
    if (chosen === undefined) throw new Error("nothing to pick from, or undefined picked");
    return chosen;
  }

  /** One of `list` by its weight. */
  weighted<T extends { readonly weight: number }>(list: readonly T[]): T {
    let rest = this.#prng.below(list.reduce((sum, { weight }) => sum + weight, 0));
    for (const entry of list) {
      rest -= entry.weight;
      if (rest < 0) return entry;
    }
    throw new Error("weights changed while drawing");
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at++) bytes[at] = this.#prng.below(256);
    return bytes;
  }

  text(lengthMax: number): string {
    return Array.from({ length: this.below(lengthMax + 1) }, () =>
      String.fromCharCode(this.between(0x21, 0x7e)),
    ).join("");
  }
}
