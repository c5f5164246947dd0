import { setFlagsFromString } from "node:v8";

const GROWTH_FLAG = "--heap-growing-percent";
const TASK_FLAG = "--incremental-marking-task";

/**
 * By how much the heap of a server may grow, in percent of what was alive when V8 marked it last, before V8 marks it
 * again. V8's own measure goes above 200: a member with 190 MB alive took 800.
 */
export const heapGrowthPercentMax = 50;

/**
 * Leaves it to V8's helpers to mark the heap of this process: the tasks that V8 would add to the event loop do the same
 * work, on the thread that answers. `execArgv` (process.execArgv) may say otherwise: `node --incremental-marking-task ...`.
 */
export function leaveMarkingToHelpers(execArgv: readonly string[]): void {
  if (!isGiven(TASK_FLAG, execArgv)) setFlagsFromString(TASK_FLAG.replace("--", "--no-"));
}

/**
 * Holds the heap of this process to heapGrowthPercentMax, for the price of marking it more often. For a process that is
 * a server and nothing else: not for one that has a server within. `execArgv` (process.execArgv) may say otherwise:
 * `node --heap-growing-percent=200 ...`, or 0 for V8's own measure.
 */
export function limitHeapGrowth(execArgv: readonly string[]): void {
  if (!isGiven(GROWTH_FLAG, execArgv)) setFlagsFromString(`${GROWTH_FLAG}=${heapGrowthPercentMax}`);
}

/** V8 takes underscores for dashes, and `no` for `no-`. */
function isGiven(flag: string, execArgv: readonly string[]): boolean {
  return execArgv.some((word) => {
    const [name] = word.replaceAll("_", "-").split("=");
    return name === flag || name?.replace(/^--no-?/, "--") === flag;
  });
}
