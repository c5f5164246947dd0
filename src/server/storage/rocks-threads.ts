import { setPriority } from "node:os";
import { join } from "node:path";
import type { Fs } from "../../lib/fs.ts";

/** The name that RocksDB gives the threads that compact. Those that flush, which writes may wait for, are others. */
const COMPACTING_THREAD = "rocksdb:low";
/** Of nice(1): a tenth of a processor that others want too; less would keep the locks that it holds for long. */
const NICENESS = 10;
/** Linux gives threads names of up to 15 bytes. */
const NAME_BYTES = 16;

/**
 * Lets RocksDB's compactions yield the processor to whoever serves requests, as its LowerThreadPoolCPUPriority does, which
 * the binding has not. The threads are there once a database is open. Elsewhere than on Linux, where a thread has a
 * priority of its own, nothing happens. Resolves with how many there are; never rejects.
 */
export async function lowerCompactionPriority(fs: Fs, tasks = "/proc/self/task"): Promise<number> {
  if (process.platform !== "linux") return 0;
  let lowered = 0;
  for (const id of await fs.readDirectory(tasks).catch(() => [])) {
    try {
      if (!(await nameOf(fs, join(tasks, id, "comm"))).startsWith(COMPACTING_THREAD)) continue;
      setPriority(Number(id), NICENESS);
      lowered++;
    } catch {
      // The thread has ended, or the system allows no change: compactions work all the same.
    }
  }
  return lowered;
}

/** The system says of these files that they have no size. */
async function nameOf(fs: Fs, path: string): Promise<string> {
  const file = await fs.open(path, { access: "read" });
  try {
    const name = Buffer.alloc(NAME_BYTES);
    return name.toString("latin1", 0, await file.read(name, 0));
  } finally {
    await file.close();
  }
}
