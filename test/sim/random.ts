import { createPrng, type Prng } from "../../src/lib/prng.ts";

/** Draws of one part of a simulation: each part has its own stream, so that a change in one leaves the others alone. */
export class Random implements Prng {
  readonly #prng: Prng;

  constructor(seed: number, part: string) {
    this.#prng = createPrng(hashText(part, seed));
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return this.#prng.below(bound);
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + this.#prng.below(high - low + 1);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability;
  }

  /** In [0, 1). */
  fraction(): number {
    return this.#prng.below(0x4000_0000) / 0x4000_0000;
  }

  /** Exponentially distributed. */
  around(mean: number): number {
    return -Math.log(1 - this.fraction()) * mean;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.#prng.below(choices.length)]!;
  }

  shuffled<T>(list: readonly T[]): T[] {
    const result = [...list];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.#prng.below(i + 1);
      [result[i], result[j]] = [result[j]!, result[i]!];
    }
    return result;
  }
}

/** FNV-1a over the text, 32 bits; `start` mixes in what came before. */
export function hashText(text: string, start = 0): number {
  let hash = (0x811c9dc5 ^ start) >>> 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

/** A hash of plain data, whatever it is made of: objects by names and values, arrays in order. */
export function hashValue(value: unknown, start = 0): number {
  if (typeof value !== "object" || value === null) return hashText(`${typeof value}${value}`, start);
  let hash = hashText(Array.isArray(value) ? "[" : "{", start);
  for (const name in value) hash = hashValue((value as Record<string, unknown>)[name], hashText(name, hash));
  return hashText("}", hash);
}

/** A running hash of all that happens, for "same seed, same course". */
export class TraceHash {
  #low = 0x811c9dc5;
  #high = 0x1b873593;
  count = 0;

  add(text: string): void {
    this.count++;
    this.#low = hashText(text, this.#low);
    this.#high = Math.imul(this.#high ^ this.#low, 0x85ebca6b) >>> 0;
    this.#high ^= this.#high >>> 13;
  }

  get hex(): string {
    const part = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
    return part(this.#high) + part(this.#low);
  }
}
