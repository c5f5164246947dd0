/** Randomness that a seed repeats (elections, jitter, tests). Not for secrets: those come from lib/secret.ts. */
export interface Prng {
  /** An integer in [0, bound). */
  below(bound: number): number;
}

/** splitmix32: one addition and two multiplications a draw; good enough for jitter and test choices. */
export function createPrng(seed: number): Prng {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  return { below: (bound) => Math.floor((next() / 0x1_0000_0000) * bound) };
}
