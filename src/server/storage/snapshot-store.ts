import { join } from "node:path";
import { StorageFailure } from "../../lib/errors.ts";
import { freeInSteps, retire } from "../../lib/file-operations.ts";
import { errorCode, type Fs } from "../../lib/fs.ts";
import type { Pace } from "../../lib/pace.ts";
import type { SnapshotMetadata } from "../raft/index.ts";
import { openSnapshotFile, writeSnapshotFile } from "./snapshot-file.ts";
import { damagedSnapshot } from "./snapshot-layout.ts";
import type { SnapshotContent } from "./snapshot-stream.ts";

export interface SnapshotStoreOptions {
  readonly fs: Fs;
  /** Must exist. */
  readonly directory: string;
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

/** The snapshot files of a member: `<index>-<term>.snap`, 16 hexadecimal digits each. */
export class FileSnapshotStore {
  readonly #options: SnapshotStoreOptions;

  constructor(options: SnapshotStoreOptions) {
    this.#options = options;
  }

  /** Resolves with the size in bytes once the whole file is durable; rejects with StorageFailure. */
  async write(
    metadata: SnapshotMetadata,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<number> {
    const { fs, clusterId, memberId } = this.#options;
    const path = this.#path(metadata);
    try {
      return await writeSnapshotFile(fs, path, { clusterId, memberId, metadata }, chunks);
    } catch (error) {
      throw asFailure(error, `cannot write the snapshot ${path}`);
    }
  }

  /**
   * Opens the snapshot that the log's newest mark names. Throws StorageFailure when it is missing, damaged or
   * another member's.
   */
  async open(metadata: SnapshotMetadata): Promise<SnapshotContent> {
    const path = this.#path(metadata);
    let content: SnapshotContent;
    try {
      content = await openSnapshotFile(this.#options.fs, path);
    } catch (error) {
      throw asFailure(error, `cannot read the snapshot ${path} that the log relies on`);
    }
    const { header } = content;
    const { clusterId, memberId } = this.#options;
    if (header.clusterId !== clusterId || header.memberId !== memberId) {
      await content.chunks.return();
      throw new StorageFailure(
        `${path} belongs to member ${header.memberId.toString(16)} of cluster ${header.clusterId.toString(16)}, ` +
          `not to member ${memberId.toString(16)} of cluster ${clusterId.toString(16)}`,
        "The data directories of two members were swapped or mixed: give each member its own.",
      );
    }
    if (header.metadata.index !== metadata.index || header.metadata.term !== metadata.term) {
      await content.chunks.return();
      throw damagedSnapshot(path, `it is the snapshot of entry ${header.metadata.index}`);
    }
    return content;
  }

  /** Removes the files of snapshots older than `index`, at the pace if there is one. Rejects with StorageFailure. */
  removeBefore(index: number, pace?: Pace): Promise<void> {
    return this.#remove((snapshotIndex) => snapshotIndex < index, pace);
  }

  /**
   * At start: removes drafts and all snapshots but the one the log relies on, which a crash before its mark or
   * before the removal of its predecessors leaves behind. Rejects with StorageFailure.
   */
  removeOthers(marked: SnapshotMetadata | undefined): Promise<void> {
    return this.#remove((index, term) => index !== marked?.index || term !== marked.term);
  }

  async #remove(isUnwanted: (index: number, term: number) => boolean, pace?: Pace): Promise<void> {
    const { fs, directory } = this.#options;
    try {
      for (const name of await fs.readDirectory(directory)) {
        const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap(\.tmp)?$/.exec(name);
        if (match === null) continue;
        if (!isUnwanted(Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16))) continue;
        const path = join(directory, name);
        await freeInSteps(fs, match[3] === undefined ? await retire(fs, path) : path, pace);
      }
    } catch (error) {
      throw asFailure(error, `cannot remove old snapshots in ${directory}`);
    }
  }

  #path({ index, term }: SnapshotMetadata): string {
    const hex = (value: number): string => value.toString(16).padStart(16, "0");
    return join(this.#options.directory, `${hex(index)}-${hex(term)}.snap`);
  }
}

/** Errors of the system as StorageFailure; others, such as those of a chunk's producer, as they are. */
function asFailure(error: unknown, what: string): unknown {
  const code = errorCode(error);
  if (code === undefined || error instanceof StorageFailure) return error;
  const hints: Record<string, string> = {
    ENOSPC: "Free space on that file system, then start the member again; acknowledged writes are safe.",
    ENOENT: "The file is gone. Restore the data directory from a backup.",
  };
  const reason = error instanceof Error ? error.message : code;
  const hint = hints[code] ?? "Check the disk and the permissions of the data directory.";
  return new StorageFailure(`${what}: ${reason}`, hint, { cause: error });
}
