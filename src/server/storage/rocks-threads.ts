import { readdir, readFile } from "node:fs/promises";
import { setPriority } from "node:os";
import { join } from "node:path";

/** The name that RocksDB gives the threads that compact. Those that flush, which writes may wait for, are others. */
const COMPACTING_THREAD = "rocksdb:low";
/** Of nice(1): a tenth of a processor that others want too; less would keep the locks that it holds for long. */
const NICENESS = 10;

/**
 * Lets RocksDB's compactions yield the processor to whoever serves requests, as its LowerThreadPoolCPUPriority does, which
 * the binding has not. The threads begin with the first work for them: false when there are none yet. Elsewhere than on
 * Linux, where a thread has a priority of its own, there is nothing to do: true.
 */
export async function lowerCompactionPriority(tasks = "/proc/self/task"): Promise<boolean> {
  if (process.platform !== "linux") return true;
  let isFound = false;
  for (const id of await readdir(tasks)) {
    try {
      const name = await readFile(join(tasks, id, "comm"), "utf8");
      if (!name.startsWith(COMPACTING_THREAD)) continue;
      setPriority(Number(id), NICENESS);
      isFound = true;
    } catch {
      // The thread has ended, or the system allows no change: compactions work all the same.
    }
  }
  return isFound;
}
