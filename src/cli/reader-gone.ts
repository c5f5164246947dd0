import { readdir, readFile, readlink } from "node:fs/promises";

const pollIntervalMs = 250;

/**
 * Calls `onGone` once nobody reads the pipe that stdout is any more, so that `watch | head -1` ends with its reader
 * and not with the next change: Node has no poll(2), and a write to find out would spoil the data.
 *
 * It looks the readers up in /proc and then at them alone. Where that tells nothing (no /proc, stdout not a pipe,
 * a reader of another user) it stays silent, and the next write notices.
 */
export function watchForReaderGone(isOver: AbortSignal, onGone: () => void): void {
  void follow(isOver)
    .then((isGone) => {
      if (isGone) onGone();
    })
    // What /proc does not let us see is no failure of the command.
    .catch(() => undefined);
}

async function follow(isOver: AbortSignal): Promise<boolean> {
  const pipe = await target("/proc/self/fd/1");
  if (!pipe?.startsWith("pipe:")) return false;
  let { readers, isComplete } = await findReaders(pipe);
  // A reader that we may not see is not a reader that is gone.
  if (readers.length === 0) return isComplete;
  while (!isOver.aborted) {
    await pause(isOver);
    if (await isAnyOpen(readers, pipe)) continue;
    // A reader may have handed the pipe to a child and ended.
    ({ readers, isComplete } = await findReaders(pipe));
    if (readers.length === 0) return true;
  }
  return false;
}

function pause(isOver: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, pollIntervalMs);
    timer.unref();
    isOver.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

interface Readers {
  /** Paths of the file descriptors that can read the pipe. */
  readonly readers: readonly string[];
  /** Whether we could look into every process. */
  readonly isComplete: boolean;
}

async function findReaders(pipe: string): Promise<Readers> {
  const readers: string[] = [];
  let isComplete = true;
  for (const process of await readdir("/proc")) {
    if (!/^\d+$/.test(process)) continue;
    const folder = `/proc/${process}`;
    const descriptors = await readdir(`${folder}/fd`).catch((error: unknown) => {
      if (isHidden(error)) isComplete = false;
      return [];
    });
    for (const descriptor of descriptors) {
      const path = `${folder}/fd/${descriptor}`;
      if ((await target(path)) !== pipe) continue;
      const info = await readFile(`${folder}/fdinfo/${descriptor}`, "utf8").catch(() => "");
      if (isReadable(info)) readers.push(path);
    }
  }
  return { readers, isComplete };
}

/** The access mode is in the last two bits of the octal flags: 0 reads, 1 writes, 2 does both. */
export function isReadable(fdinfo: string): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(fdinfo)?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & 0b11) !== 1;
}

async function isAnyOpen(readers: readonly string[], pipe: string): Promise<boolean> {
  for (const reader of readers) if ((await target(reader, pipe)) === pipe) return true;
  return false;
}

/** What the link at `path` names; `whenHidden` when it exists but belongs to another user now. */
async function target(path: string, whenHidden?: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    return isHidden(error) ? whenHidden : undefined;
  }
}

function isHidden(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EACCES" || code === "EPERM";
}
