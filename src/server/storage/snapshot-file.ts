import { dirname } from "node:path";
import { writeFully } from "../../lib/file-operations.ts";
import type { Fs, FsFile } from "../../lib/fs.ts";
import { type SnapshotHeader, snapshotFormat } from "./snapshot-layout.ts";
import { encodeSnapshot, readSnapshot, type SnapshotContent } from "./snapshot-stream.ts";

/**
 * Pieces gather up to this size, and are durable before the next ones are written: what a disk still has to do when the
 * log asks for a sync, the log waits for. All of a snapshot at its end would be tens of milliseconds, and more.
 */
const WRITE_BYTES = 1 << 18;
const READ_BYTES = 1 << 20;

/**
 * Writes a snapshot to `path`, durably and whole or not at all: temporary name, rename, directory sync.
 * Resolves with its size in bytes. Empty chunks are dropped. Rejects with what the file system or `chunks` throws.
 */
export async function writeSnapshotFile(
  fs: Fs,
  path: string,
  header: SnapshotHeader,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<number> {
  const draft = `${path}.tmp`;
  await fs.removeTree(draft);
  const file = await fs.open(draft, { access: "create", durable: true });
  let sizeBytes: number;
  try {
    sizeBytes = await writePieces(file, encodeSnapshot(header, chunks, snapshotFormat.digestOfFrames));
  } finally {
    await file.close();
  }
  await fs.rename(draft, path);
  await fs.syncDirectory(dirname(path));
  return sizeBytes;
}

/** Reads the header; throws StorageFailure when it is damaged, and what the file system rejects with. */
export async function openSnapshotFile(fs: Fs, path: string): Promise<SnapshotContent> {
  return await readSnapshot(readBlocks(fs, path), path);
}

/** The content of a file in blocks, each with memory of its own. */
export async function* readBlocks(fs: Fs, path: string): AsyncGenerator<Uint8Array, void> {
  const file = await fs.open(path, { access: "read" });
  try {
    const sizeBytes = await file.size();
    for (let at = 0; at < sizeBytes; ) {
      const block = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, sizeBytes - at));
      const count = await file.read(block, at);
      if (count === 0) return;
      yield block.subarray(0, count);
      at += count;
    }
  } finally {
    await file.close();
  }
}

async function writePieces(file: FsFile, pieces: AsyncIterable<Uint8Array>): Promise<number> {
  let buffers: Uint8Array[] = [];
  let gathered = 0;
  let position = 0;
  const flush = async (): Promise<void> => {
    await writeFully(file, buffers, position);
    position += gathered;
    buffers = [];
    gathered = 0;
  };
  for await (const piece of pieces) {
    buffers.push(piece);
    gathered += piece.length;
    if (gathered >= WRITE_BYTES) await flush();
  }
  if (gathered > 0) await flush();
  return position;
}
