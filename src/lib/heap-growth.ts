import { setFlagsFromString } from "node:v8";

const FLAG = "--heap-growing-percent";

/**
 * By how much the heap of a server may grow, in percent of what was alive when V8 marked it last, before V8 marks it
 * again. V8's own measure goes above 200: a member with 190 MB alive took 800.
 */
export const heapGrowthPercentMax = 100;

/**
 * Holds the heap of this process to heapGrowthPercentMax, for the price of marking it more often. For a process that is
 * a server and nothing else: not for one that has a server within. `execArgv` (process.execArgv) may say otherwise:
 * `node --heap-growing-percent=200 ...`, or 0 for V8's own measure.
 */
export function limitHeapGrowth(execArgv: readonly string[]): void {
  // V8 takes underscores for dashes.
  if (execArgv.some((word) => word.replaceAll("_", "-").startsWith(FLAG))) return;
  setFlagsFromString(`${FLAG}=${heapGrowthPercentMax}`);
}
