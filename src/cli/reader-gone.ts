import { closeSync, constants, existsSync, fstatSync, openSync } from "node:fs";

const pollIntervalMs = 200;

/**
 * Calls `onGone` once nobody reads the pipe behind file descriptor `fd` any more, so that `watch | head -1` ends
 * with its reader and not with the next event: a write to find out would spoil the data. Linux only (there, opening
 * a pipe without readers for writing fails with ENXIO); elsewhere the next write notices.
 */
export function watchForReaderGone(fd: number, isOver: AbortSignal, onGone: () => void): void {
  const path = `/proc/self/fd/${fd}`;
  if (!existsSync(path) || !fstatSync(fd).isFIFO()) return;
  const timer = setInterval(() => {
    if (hasReader(path)) return;
    clearInterval(timer);
    onGone();
  }, pollIntervalMs);
  timer.unref();
  isOver.addEventListener("abort", () => clearInterval(timer));
}

function hasReader(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENXIO";
  }
}
