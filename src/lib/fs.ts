import * as nodeFs from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  decodeLockOwner,
  encodeLockOwner,
  isOwnerAlive,
  type LockOwner,
  type ProcessStat,
  parseProcessStat,
} from "./lock-owner.ts";

/**
 * The file system as storage sees it; tests bring one that loses power (test/sim/disk.ts). All rejections are
 * errors with a `code` such as ENOENT or ENOSPC (see errorCode). Durability is never implied: contents need
 * `durable` or sync(), names need syncDirectory() of their directory.
 */
export interface Fs {
  open(path: string, options: OpenOptions): Promise<FsFile>;
  /** Undefined when there is nothing at `path`. */
  stat(path: string): Promise<FileStat | undefined>;
  /** The names in a directory, sorted. */
  readDirectory(path: string): Promise<string[]>;
  /** Creates the directory and those above it, mode 0700; no error when it exists. */
  createDirectory(path: string): Promise<void>;
  /** Replaces what is at `to`. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Removes a file or a directory with all in it; no error when there is none. */
  removeTree(path: string): Promise<void>;
  /** Takes away what group and others may do. */
  restrictMode(path: string): Promise<void>;
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(path: string): Promise<void>;
  /**
   * Takes the file `path` as a lock of this process. Rejects with DirectoryLocked when a live process holds it;
   * takes over the lock of a process that is gone.
   */
  lock(path: string): Promise<FsLock>;
}

export interface OpenOptions {
  /** "create": the file must not exist; mode 0600. "write": it must exist. */
  readonly access: "read" | "write" | "create";
  /** Each write is durable when it is done (O_DSYNC): one system call instead of two. */
  readonly durable?: boolean;
}

export interface FsFile {
  /**
   * Writes all bytes of the buffers, one after the other, from `position`. `done` is called exactly once, never
   * before write() returns. The buffers must not change until then.
   */
  write(buffers: readonly Uint8Array[], position: number, done: (error: Error | undefined) => void): void;
  /** Fills `target` from `position`; returns how many bytes there were, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  size(): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  /** Makes contents and size durable (fdatasync). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FileStat {
  readonly kind: "file" | "directory" | "other";
  readonly sizeBytes: number;
  /** Permission bits. */
  readonly mode: number;
}

export interface FsLock {
  release(): Promise<void>;
}

/** The lock belongs to a live process. */
export class DirectoryLocked extends Error {
  override readonly name = "DirectoryLocked";
  readonly pid: number;

  constructor(path: string, pid: number) {
    super(`${path} is held by process ${pid}`);
    this.pid = pid;
  }
}

/** The system's name of the error (ENOENT, EIO, ...), or undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** Largest single read or write; Linux stops at 2 GiB less a page. */
const TRANSFER_BYTES_MAX = 0x4000_0000;

/** A guard is held for a few file operations: a live process that keeps it for two seconds has stopped in them. */
const GUARD_WAIT_MS = 5;
const GUARD_WAITS_MAX = 400;

/** The real file system. */
export class NodeFs implements Fs {
  async open(path: string, options: OpenOptions): Promise<FsFile> {
    const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = nodeFs.constants;
    const durableFlag: number | undefined = nodeFs.constants.O_DSYNC;
    let flags = options.access === "read" ? O_RDONLY : O_RDWR;
    if (options.access === "create") flags |= O_CREAT | O_EXCL;
    const isDurable = options.durable === true;
    if (isDurable) flags |= durableFlag ?? 0;
    const fd = await new Promise<number>((resolve, reject) => {
      nodeFs.open(path, flags, 0o600, (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    return new NodeFile(fd, isDurable && durableFlag === undefined);
  }

  async stat(path: string): Promise<FileStat | undefined> {
    try {
      const stat = await nodeFs.promises.stat(path);
      const kind = stat.isFile() ? "file" : stat.isDirectory() ? "directory" : "other";
      return { kind, sizeBytes: stat.size, mode: stat.mode & 0o777 };
    } catch (error) {
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
      throw error;
    }
  }

  async readDirectory(path: string): Promise<string[]> {
    return (await nodeFs.promises.readdir(path)).sort();
  }

  async createDirectory(path: string): Promise<void> {
    await nodeFs.promises.mkdir(path, { recursive: true, mode: 0o700 });
  }

  rename(from: string, to: string): Promise<void> {
    return nodeFs.promises.rename(from, to);
  }

  unlink(path: string): Promise<void> {
    return nodeFs.promises.unlink(path);
  }

  removeTree(path: string): Promise<void> {
    return nodeFs.promises.rm(path, { recursive: true, force: true });
  }

  async restrictMode(path: string): Promise<void> {
    const { mode } = await nodeFs.promises.stat(path);
    await nodeFs.promises.chmod(path, mode & 0o700);
  }

  async syncDirectory(path: string): Promise<void> {
    // Windows cannot open directories; its file systems make names durable by themselves.
    if (process.platform === "win32") return;
    const handle = await nodeFs.promises.open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async lock(path: string): Promise<FsLock> {
    const owner = await currentOwner();
    const record = encodeLockOwner(owner);
    const draft = `${path}.${owner.pid}.${lockDrafts++}`;
    await nodeFs.promises.writeFile(draft, record, { mode: 0o600, flag: "w" });
    try {
      // A link appears with its contents whole, which creating the file and then writing it would not.
      while (!(await linkIfAbsent(draft, path))) {
        await underGuard(`${path}.takeover`, owner, draft, () => removeStaleLock(path));
      }
    } finally {
      await nodeFs.promises.unlink(draft);
    }
    return { release: () => releaseLock(path, record) };
  }
}

class NodeFile implements FsFile {
  readonly #fd: number;
  readonly #syncsEachWrite: boolean;

  constructor(fd: number, syncsEachWrite: boolean) {
    this.#fd = fd;
    this.#syncsEachWrite = syncsEachWrite;
  }

  write(buffers: readonly Uint8Array[], position: number, done: (error: Error | undefined) => void): void {
    const finish = this.#syncsEachWrite
      ? (error: Error | undefined): void => {
          if (error !== undefined) done(error);
          else nodeFs.fdatasync(this.#fd, (failure) => done(failure ?? undefined));
        }
      : done;
    this.#writeFrom(buffers, 0, 0, position, finish);
  }

  /** Writes from byte `skip` of buffer `first`; the kernel may take only part of a write. */
  #writeFrom(
    buffers: readonly Uint8Array[],
    first: number,
    skip: number,
    position: number,
    done: (error: Error | undefined) => void,
  ): void {
    while (first < buffers.length && skip >= buffers[first]!.length) {
      skip -= buffers[first]!.length;
      first++;
    }
    const head = buffers[first];
    if (head === undefined) {
      process.nextTick(done, undefined);
      return;
    }
    const next = (error: Error | null, written: number): void => {
      const isWhole = first === buffers.length - 1 && skip + written === head.length;
      if (error !== null || isWhole) done(error ?? undefined);
      else this.#writeFrom(buffers, first, skip + written, position + written, done);
    };
    if (first === buffers.length - 1) {
      nodeFs.write(this.#fd, head, skip, Math.min(head.length - skip, TRANSFER_BYTES_MAX), position, next);
      return;
    }
    const rest = [skip === 0 ? head : head.subarray(skip), ...buffers.slice(first + 1, first + 512)];
    nodeFs.writev(this.#fd, rest, position, next);
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let total = 0;
    while (total < target.length) {
      const count = await this.#readSome(target, total, position + total);
      if (count === 0) break;
      total += count;
    }
    return total;
  }

  #readSome(target: Uint8Array, offset: number, position: number): Promise<number> {
    const length = Math.min(target.length - offset, TRANSFER_BYTES_MAX);
    return new Promise((resolve, reject) => {
      nodeFs.read(this.#fd, target, offset, length, position, (error, count) =>
        error ? reject(error) : resolve(count),
      );
    });
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      nodeFs.fstat(this.#fd, (error, stat) => (error ? reject(error) : resolve(stat.size)));
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      nodeFs.ftruncate(this.#fd, sizeBytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      nodeFs.fdatasync(this.#fd, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      nodeFs.close(this.#fd, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** Makes the drafts of two locks taken at once by this process different files. */
let lockDrafts = 0;

async function currentOwner(): Promise<LockOwner> {
  const stat = await processStat(process.pid);
  return { pid: process.pid, bootId: await bootId(), startTicks: stat?.startTicks ?? 0 };
}

/** False when there is a lock already. */
async function linkIfAbsent(draft: string, path: string): Promise<boolean> {
  try {
    await nodeFs.promises.link(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/**
 * Runs `work` while holding the directory `guard`: stale locks are removed by one starter at a time, so that none
 * removes the lock that another has just taken. It holds one file, which names its owner and has a name of its own:
 * whoever finds that owner gone removes this very file, and never what the next one has put there. Empty, it is nobody's.
 * Throws DirectoryLocked when a live process keeps it.
 */
async function underGuard(
  guard: string,
  owner: LockOwner,
  draft: string,
  work: () => Promise<void>,
): Promise<void> {
  const own = `${draft}.guard`;
  const name = `${owner.pid}.${owner.startTicks}.${lockDrafts++}`;
  try {
    await nodeFs.promises.mkdir(own, { mode: 0o700 });
    await nodeFs.promises.writeFile(join(own, name), encodeLockOwner(owner), { mode: 0o600 });
    for (let waits = 0; !(await takeGuard(own, guard)); waits++) {
      const holder = await clearGuard(guard);
      if (holder !== undefined && waits >= GUARD_WAITS_MAX) throw new DirectoryLocked(guard, holder.pid);
      if (holder !== undefined) await sleep(GUARD_WAIT_MS);
    }
  } finally {
    await nodeFs.promises.rm(own, { recursive: true, force: true });
  }
  try {
    await work();
  } finally {
    await nodeFs.promises.rm(join(guard, name), { force: true });
    await removeIfEmpty(guard);
  }
}

/** False when it is not empty. A directory takes the place of an empty one in one step. */
async function takeGuard(own: string, guard: string): Promise<boolean> {
  try {
    await nodeFs.promises.rename(own, guard);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    return false;
  }
}

/** Removes what a process that is gone has left in the guard; answers who is alive and holds it. */
async function clearGuard(guard: string): Promise<LockOwner | undefined> {
  for (const name of await namesIn(guard)) {
    const file = join(guard, name);
    const record = await readIfPresent(file);
    const owner = record === undefined ? undefined : decodeLockOwner(record);
    if (owner !== undefined && (await isAlive(owner))) return owner;
    await nodeFs.promises.rm(file, { force: true });
  }
  return undefined;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await nodeFs.promises.readdir(directory);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** Another may have taken it by now. */
async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await nodeFs.promises.rmdir(directory);
  } catch (error) {
    const code = errorCode(error);
    if (code !== "ENOENT" && code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
}

/** Removes the lock when its owner is gone; throws DirectoryLocked when it is alive. Under the guard. */
async function removeStaleLock(path: string): Promise<void> {
  const record = await readIfPresent(path);
  if (record === undefined) return;
  const owner = decodeLockOwner(record);
  if (owner !== undefined && (await isAlive(owner))) throw new DirectoryLocked(path, owner.pid);
  await nodeFs.promises.unlink(path);
}

/** Removes the lock if it is still ours. */
async function releaseLock(path: string, record: string): Promise<void> {
  if ((await readIfPresent(path)) !== record) return;
  await nodeFs.promises.unlink(path);
  await new NodeFs().syncDirectory(dirname(path));
}

async function isAlive(owner: LockOwner): Promise<boolean> {
  const exists = processExists(owner.pid);
  return isOwnerAlive(owner, { bootId: await bootId(), exists, stat: await processStat(owner.pid) });
}

function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: there is such a process, of another user.
    return errorCode(error) !== "ESRCH";
  }
}

async function bootId(): Promise<string> {
  return ((await readIfPresent("/proc/sys/kernel/random/boot_id")) ?? "").trim();
}

async function processStat(pid: number): Promise<ProcessStat | undefined> {
  const text = await readIfPresent(join("/proc", String(pid), "stat"));
  return text === undefined ? undefined : parseProcessStat(text);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await nodeFs.promises.readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ESRCH") return undefined;
    throw error;
  }
}
