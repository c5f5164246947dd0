/** Keys, values and their load, as both benches of records on disk have them. */
import { createPrng } from "../../src/lib/prng.ts";
import type { RawClient } from "../harness/index.ts";

/** Keys of one transaction: what etcd takes at most. */
const KEYS_PER_TXN = 128;
const LOADERS = 16;
/** No quota in the way. */
export const QUOTA_FLAGS = ["--quota-backend-bytes", String(64 * 1024 ** 3)] as const;
export const KEY_PREFIX = "large/";

export const prng = createPrng(1);
const VALUES = Array.from({ length: 1_024 }, () =>
  Array.from({ length: 256 }, () => String.fromCharCode(33 + prng.below(94))).join(""),
);

/** 256 bytes that do not compress. */
export const anyValue = (): string => VALUES[prng.below(VALUES.length)]!;
/** 24 bytes. */
export const keyOf = (index: number): string => `${KEY_PREFIX}${String(index).padStart(18, "0")}`;

/** Puts every key once; resolves with the seconds it took. `onProgress` hears how many keys have been given out. */
export async function loadKeys(
  client: RawClient,
  keys: number,
  onProgress: (given: number) => void = () => {},
): Promise<number> {
  const beganMs = performance.now();
  let next = 0;
  const loader = async (): Promise<void> => {
    while (next < keys) {
      const first = next;
      next = Math.min(keys, next + KEYS_PER_TXN);
      onProgress(next);
      const pairs: [string, string][] = [];
      for (let index = first; index < next; index++) pairs.push([keyOf(index), anyValue()]);
      await client.putAll(pairs);
    }
  };
  await Promise.all(Array.from({ length: LOADERS }, loader));
  return (performance.now() - beganMs) / 1_000;
}

/** Puts of any of the keys at a steady rate until `isOver`, however long each takes; resolves when all are answered. */
export async function writeSteadily(
  client: RawClient,
  options: { readonly keys: number; readonly perSecond: number; readonly isOver: () => boolean },
  onAnswered: (tookMs: number, error?: unknown) => void,
): Promise<void> {
  const writing = new Set<Promise<void>>();
  const put = async (): Promise<void> => {
    const beganMs = performance.now();
    const error = await client.put(keyOf(prng.below(options.keys)), anyValue()).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    onAnswered(performance.now() - beganMs, error);
  };
  const beganMs = performance.now();
  for (let tick = 1; !options.isOver(); tick++) {
    for (let i = 0; i < options.perSecond / 100; i++) {
      const write = put();
      writing.add(write);
      void write.finally(() => writing.delete(write));
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, beganMs + tick * 10 - performance.now())));
  }
  await Promise.all(writing);
}

/** The value below which `share` of the ascending times lie. */
export function quantile(timesMs: readonly number[], share: number): number {
  return timesMs[Math.min(timesMs.length - 1, Math.floor(share * timesMs.length))] ?? Number.NaN;
}

export function say(what: string, figure: string): void {
  console.log(`${what.padEnd(38)} ${figure}`);
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(0)} MiB`;
}
