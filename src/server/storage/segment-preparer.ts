import { join } from "node:path";
import { writeZeros } from "../../lib/file-operations.ts";
import type { Fs, FsFile } from "../../lib/fs.ts";
import type { Log } from "../../lib/log.ts";

/** A file of zeros under a temporary name, open for durable writes. */
export interface PreparedFile {
  readonly file: FsFile;
  readonly path: string;
}

/**
 * Makes the files of coming segments ahead of time, so that the log goes on in a next segment without waiting for
 * its zeros. The zeros are really written: blocks that only the file system's metadata knows of would cost each
 * later sync a journal write, and a file could be shorter than it says after a crash.
 */
export class SegmentPreparer {
  readonly #fs: Fs;
  readonly #log: Log;
  readonly #directory: string;
  readonly #sizeBytes: number;
  #next: Promise<PreparedFile | undefined> | undefined;
  #counter = 0;

  constructor(fs: Fs, log: Log, directory: string, sizeBytes: number) {
    this.#fs = fs;
    this.#log = log;
    this.#directory = directory;
    this.#sizeBytes = sizeBytes;
  }

  /** Starts to make the next file in the background, unless there is one. */
  begin(): void {
    this.#next ??= this.#create(this.#sizeBytes).catch((error: unknown) => {
      // Not fatal yet: take() tries again, and its caller fails when that fails too.
      this.#log.warn("the next log segment could not be prepared", { directory: this.#directory, error });
      return undefined;
    });
  }

  /** The prepared file, or a new one when there is none of this size. */
  async take(sizeBytes: number): Promise<PreparedFile> {
    if (sizeBytes !== this.#sizeBytes) return this.#create(sizeBytes);
    const next = this.#next;
    this.#next = undefined;
    return (await next) ?? this.#create(sizeBytes);
  }

  /** Removes what was prepared. */
  async discard(): Promise<void> {
    const prepared = await this.#next;
    this.#next = undefined;
    if (prepared === undefined) return;
    await prepared.file.close();
    await this.#fs.unlink(prepared.path);
  }

  async #create(sizeBytes: number): Promise<PreparedFile> {
    const path = join(this.#directory, `segment-${this.#counter++}.tmp`);
    const file = await this.#fs.open(path, { access: "create", durable: true });
    try {
      await writeZeros(file, 0, sizeBytes);
      return { file, path };
    } catch (error) {
      await file.close();
      await this.#fs.removeTree(path);
      throw error;
    }
  }
}
