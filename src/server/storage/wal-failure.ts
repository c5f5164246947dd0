import { StorageFailure } from "../../lib/errors.ts";
import { errorCode } from "../../lib/fs.ts";

/** A failed operation on the files of the log in `directory` as the member's end. */
export function walFailure(error: unknown, directory: string): StorageFailure {
  if (error instanceof StorageFailure) return error;
  const reason = error instanceof Error ? error.message : String(error);
  if (errorCode(error) === "ENOSPC" || errorCode(error) === "EDQUOT") {
    return new StorageFailure(
      `no space left for the log in ${directory}: ${reason}`,
      "Free space on that file system, then start the member again; acknowledged writes are safe.",
      { cause: error },
    );
  }
  return new StorageFailure(
    `the log in ${directory} cannot be written: ${reason}`,
    "The member stops, because what a disk keeps after a failed write is unknown. Check the disk, then start the " +
      "member again; acknowledged writes were durable before.",
    { cause: error },
  );
}
