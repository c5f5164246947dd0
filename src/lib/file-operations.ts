import { dirname } from "node:path";
import type { Fs, FsFile } from "./fs.ts";
import { type Pace, rest } from "./pace.ts";

/** Compositions of the operations of Fs. */

const ZERO_CHUNK_BYTES = 1 << 18;
const zeros = Buffer.alloc(ZERO_CHUNK_BYTES);
/** So much of a file is freed at once. */
const FREED_BYTES_MAX = 4 * 1024 * 1024;
/** Rest after each step, in times of what it took. */
const FREE_REST_FACTOR = 4;

/** FsFile.write as a promise. */
export function writeFully(file: FsFile, buffers: readonly Uint8Array[], position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.write(buffers, position, (error) => (error === undefined ? resolve() : reject(error)));
  });
}

/**
 * Writes zeros over bytes [start, end), 256 KiB at a time: real blocks, so that later writes change no metadata,
 * and no burst that would stall the syncs of other files.
 */
export async function writeZeros(file: FsFile, start: number, end: number): Promise<void> {
  let at = start;
  while (at < end) {
    const length = Math.min(ZERO_CHUNK_BYTES, end - at);
    await writeFully(file, [length === ZERO_CHUNK_BYTES ? zeros : zeros.subarray(0, length)], at);
    at += length;
  }
}

/** Whether bytes [start, end) are all zero. */
export function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  return lastNonZero(bytes, start, end) < start;
}

/** The position of the last byte of [start, end) that is not zero; start - 1 when there is none. */
export function lastNonZero(bytes: Uint8Array, start: number, end: number): number {
  let stop = end;
  while (stop - start >= ZERO_CHUNK_BYTES) {
    const from = stop - ZERO_CHUNK_BYTES;
    if (zeros.compare(bytes, from, stop) !== 0) break;
    stop = from;
  }
  while (stop > start && bytes[stop - 1] === 0) stop--;
  return stop - 1;
}

/** The whole file. */
export async function readWhole(fs: Fs, path: string): Promise<Buffer> {
  const file = await fs.open(path, { access: "read" });
  try {
    const bytes = Buffer.allocUnsafeSlow(await file.size());
    const count = await file.read(bytes, 0);
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}

/** Puts a small file in place whole or not at all, durably: temporary name, sync, rename, directory sync. */
export async function writeAtomically(fs: Fs, path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.tmp`;
  await fs.removeTree(draft);
  const file = await fs.open(draft, { access: "create" });
  try {
    await writeFully(file, [bytes], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await fs.rename(draft, path);
  await fs.syncDirectory(dirname(path));
}

/**
 * Takes a file out of use, durably: resolves with its new name, under which what a crash leaves of it is a draft like any
 * other. freeInSteps() is to follow.
 */
export async function retire(fs: Fs, path: string): Promise<string> {
  const retired = `${path}.tmp`;
  await fs.rename(path, retired);
  await fs.syncDirectory(dirname(path));
  return retired;
}

/**
 * Removes a file that nothing needs any more, a few blocks at a time, with rests between them. A file system that tells
 * its disk what it frees (mounted with "discard") lets other syncs wait meanwhile: 100 MiB at once keep the log waiting for
 * 160 ms, and step after step 300 ms with hardly a write. Without `pace` it goes on step after step.
 */
export async function freeInSteps(fs: Fs, path: string, pace?: Pace): Promise<void> {
  const file = await fs.open(path, { access: "write" });
  try {
    for (let bytes = await file.size(); bytes > FREED_BYTES_MAX; ) {
      const fromMs = pace?.clock.nowMs() ?? 0;
      bytes -= FREED_BYTES_MAX;
      await file.truncate(bytes);
      await file.sync();
      if (pace !== undefined) await rest(pace, fromMs, FREE_REST_FACTOR);
    }
  } finally {
    await file.close();
  }
  await fs.unlink(path);
}
