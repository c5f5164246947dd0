import { dirname } from "node:path";
import { StorageFailure, UsageError } from "../lib/errors.ts";
import { writeFully } from "../lib/file-operations.ts";
import { errorCode, type Fs, type FsFile } from "../lib/fs.ts";
import { secretUint32 } from "../lib/secret.ts";
import { type BackupReport, inspectBackup } from "./backup-reader.ts";
import { readBlocks } from "./storage/index.ts";

/** So much is written between two syncs: at the end all would keep the log of a member on the same disk waiting. */
const UNSYNCED_BYTES_MAX = 1 << 20;

/**
 * Writes a backup to `path`, whole or not at all: its bytes go to a draft beside it, are checked on the way, and get
 * the name when all are there and durable. A backup that has the name already is replaced. Throws UsageError when
 * nothing can be written there, StorageFailure when the disk fails or the bytes are damaged, and what `blocks` throws;
 * nothing is left of the draft then.
 */
export async function saveBackup(
  fs: Fs,
  path: string,
  blocks: AsyncIterable<Uint8Array>,
): Promise<BackupReport> {
  const found = await fs.stat(path);
  if (found !== undefined && found.kind !== "file") {
    throw new UsageError(
      `${path} is ${found.kind === "directory" ? "a directory" : "not a regular file"}`,
      "Name a file in a directory that exists; - writes the snapshot to stdout.",
    );
  }
  const draft = `${path}.${secretUint32().toString(16).padStart(8, "0")}.part`;
  let file: FsFile;
  try {
    file = await fs.open(draft, { access: "create" });
  } catch (error) {
    throw cannotCreate(path, error);
  }
  try {
    let report: BackupReport;
    try {
      report = await inspectBackup(writing(file, path, blocks), path);
      await guardWrites(path, () => file.sync());
    } finally {
      await file.close();
    }
    await guardWrites(path, async () => {
      await fs.rename(draft, path);
      await fs.syncDirectory(dirname(path));
    });
    return report;
  } catch (error) {
    // What went wrong is to be told, not that the draft could not be removed either.
    await fs.unlink(draft).catch(() => undefined);
    throw error;
  }
}

/** The bytes of a backup file. Throws UsageError when it cannot be opened, StorageFailure when it cannot be read. */
export async function* readBackupFile(fs: Fs, path: string): AsyncGenerator<Uint8Array> {
  const found = await fs.stat(path);
  if (found?.kind === "directory") {
    throw new UsageError(`${path} is a directory`, "Name a file that metastore snapshot save has made.");
  }
  if (found?.kind === "other") {
    throw new UsageError(`${path} is not a regular file`, "Write - and pipe the snapshot to stdin.");
  }
  try {
    yield* readBlocks(fs, path);
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined || !(error instanceof Error)) throw error;
    if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR") {
      throw new UsageError(`cannot read ${path}: ${error.message}`, "Check the path and its permissions.");
    }
    throw new StorageFailure(`cannot read ${path}: ${error.message}`, "Check the disk.", { cause: error });
  }
}

/** Hands the blocks on when they are written. */
async function* writing(
  file: FsFile,
  path: string,
  blocks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let position = 0;
  let synced = 0;
  for await (const block of blocks) {
    await guardWrites(path, async () => {
      if (position - synced + block.length > UNSYNCED_BYTES_MAX) {
        await file.sync();
        synced = position;
      }
      await writeFully(file, [block], position);
    });
    position += block.length;
    yield block;
  }
}

function cannotCreate(path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  if (code === "ENOSPC" || code === "EIO" || code === "EDQUOT") return failedWrite(path, error);
  return new UsageError(
    `cannot create ${path}: ${error.message}`,
    "Name a file in a directory that exists and that you may write to.",
  );
}

async function guardWrites(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw errorCode(error) === undefined || !(error instanceof Error) ? error : failedWrite(path, error);
  }
}

function failedWrite(path: string, error: Error): StorageFailure {
  return new StorageFailure(
    `cannot write ${path}: ${error.message}`,
    "Free space on that file system or name a file on another; what had this name before is as it was.",
    { cause: error },
  );
}
