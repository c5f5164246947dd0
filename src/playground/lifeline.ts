import { rmdirSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { dirname } from "node:path";

/**
 * Loaded into each member of a playground before the program itself. The playground holds the other end of a pipe;
 * when it is gone, however it ended, the member stops too and takes its data with it.
 */
const lifelineDescriptor = 3;
const stopMs = 5_000;
const dataDirFlag = "--data-dir=";

const dataDir = process.argv.find((word) => word.startsWith(dataDirFlag))?.slice(dataDirFlag.length);
let isOrphan = false;

const lifeline = new Socket({ fd: lifelineDescriptor, readable: true, writable: false });
// Reading is what notices the end; nothing is ever sent.
lifeline.resume();
lifeline.unref();
lifeline.on("error", onGone);
lifeline.on("close", onGone);

function onGone(): void {
  if (isOrphan) return;
  isOrphan = true;
  process.on("exit", removeData);
  process.kill(process.pid, "SIGTERM");
  setTimeout(() => {
    removeData();
    process.kill(process.pid, "SIGKILL");
  }, stopMs).unref();
}

function removeData(): void {
  if (dataDir === undefined) return;
  rmSync(dataDir, { recursive: true, force: true });
  try {
    // Succeeds for the last member; for the others the folder is not empty yet.
    rmdirSync(dirname(dataDir));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "ENOENT" && code !== "EEXIST") throw error;
  }
}
