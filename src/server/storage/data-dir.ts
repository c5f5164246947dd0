import { dirname, join, resolve } from "node:path";
import { assert } from "../../lib/assert.ts";
import { crc32 } from "../../lib/crc32.ts";
import { StorageFailure, UsageError } from "../../lib/errors.ts";
import { readWhole, writeAtomically } from "../../lib/file-operations.ts";
import { DirectoryLocked, errorCode, type Fs, type FsLock } from "../../lib/fs.ts";
import type { Log } from "../../lib/log.ts";

/** Version of the layout of the data directory. A newer one is refused. */
export const dataDirFormatVersion = 1;

/** Whose data a directory holds. */
export interface MemberIdentity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
}

/** A server opens the directory, or a restore makes it. */
export type DataDirPurpose = "serve" | "restore";

const lockName = "lock";
/** What is to become `member`, while it is made. */
const draftNames = { serve: "member.tmp", restore: "member.restore" } as const;

export interface MemberPaths {
  readonly wal: string;
  readonly snapshots: string;
  /** Of the engine on disk, if that is what the member has. */
  readonly database: string;
}

/** What keeps a member's records: it is chosen when the directory is made. */
export type EngineKind = "memory" | "rocksdb";

/** What the metadata file says. */
interface Metadata {
  readonly identity: MemberIdentity;
  readonly engine: EngineKind;
}

/**
 * A member's data directory, locked for this process:
 *   <dir>/lock                names the process that uses the directory
 *   <dir>/member/metadata     format version, cluster and member id, engine
 *   <dir>/member/db           the records, where the engine keeps them on disk
 *   <dir>/member/wal, snap    the log and the snapshots
 * `member` appears by a rename once all in it is durable, so there is never half of one. What a restore gathers has
 * another name than what a new member begins with: a server does not start from a directory whose restore broke off.
 */
export class DataDir {
  readonly path: string;
  /** Undefined while the directory is new: initialize() makes it a member's. */
  #metadata: Metadata | undefined;
  readonly #fs: Fs;
  readonly #lock: FsLock;
  readonly #purpose: DataDirPurpose;

  private constructor(
    fs: Fs,
    path: string,
    lock: FsLock,
    metadata: Metadata | undefined,
    purpose: DataDirPurpose,
  ) {
    this.#fs = fs;
    this.path = path;
    this.#lock = lock;
    this.#metadata = metadata;
    this.#purpose = purpose;
  }

  /**
   * Creates the directory when there is none, locks it and reads whose it is. Throws UsageError when another
   * process uses it, it is etcd's or a restore into it broke off, StorageFailure when it is damaged or of a newer
   * format.
   */
  static async open(fs: Fs, path: string, log: Log, purpose: DataDirPurpose = "serve"): Promise<DataDir> {
    await guard(path, () => fs.createDirectory(path));
    const lock = await takeLock(fs, path);
    try {
      const metadata = await guard(path, () => inspect(fs, path, log, purpose));
      return new DataDir(fs, path, lock, metadata, purpose);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Whether nothing is at `path` but what a restore that broke off leaves. Looks only. Throws StorageFailure. */
  static async isUnused(fs: Fs, path: string): Promise<boolean> {
    return await guard(path, async () => {
      const found = await fs.stat(path);
      if (found === undefined) return true;
      if (found.kind !== "directory") return false;
      const names = await fs.readDirectory(path);
      return names.every((name) => name === lockName || name === draftNames.restore);
    });
  }

  /** Whether a member's data is at `path`. Looks only: makes nothing, locks nothing. Throws StorageFailure. */
  static async holdsMember(fs: Fs, path: string): Promise<boolean> {
    return await guard(path, async () => (await fs.stat(join(path, "member"))) !== undefined);
  }

  get identity(): MemberIdentity | undefined {
    return this.#metadata?.identity;
  }

  /** Undefined while the directory is new. */
  get engine(): EngineKind | undefined {
    return this.#metadata?.engine;
  }

  get paths(): MemberPaths {
    return pathsIn(join(this.path, "member"));
  }

  /**
   * Makes a new directory the given member's. `populate` creates what a member starts with (its log) at the paths
   * it is given, which are temporary. Throws StorageFailure.
   */
  async initialize(
    identity: MemberIdentity,
    engine: EngineKind,
    populate: (paths: MemberPaths) => Promise<void>,
  ): Promise<void> {
    assert(this.#metadata === undefined, `${this.path} belongs to a member already`);
    const draft = join(this.path, draftNames[this.#purpose]);
    await guard(this.path, async () => {
      const paths = pathsIn(draft);
      await syncAncestors(this.#fs, resolve(this.path));
      await this.#fs.removeTree(draft);
      await this.#fs.createDirectory(paths.wal);
      await this.#fs.createDirectory(paths.snapshots);
      await writeAtomically(this.#fs, join(draft, "metadata"), encodeMetadata({ identity, engine }));
      await populate(paths);
      await this.#fs.syncDirectory(paths.wal);
      await this.#fs.syncDirectory(draft);
      await this.#fs.rename(draft, join(this.path, "member"));
      await this.#fs.syncDirectory(this.path);
    });
    this.#metadata = { identity, engine };
  }

  /** Removes what an initialize() that failed has left. Throws StorageFailure. */
  async discard(): Promise<void> {
    assert(this.#metadata === undefined, `${this.path} belongs to a member`);
    await guard(this.path, async () => {
      const draft = join(this.path, draftNames[this.#purpose]);
      const member = join(this.path, "member");
      // It may have failed to make the name durable; half a member must never have it.
      if ((await this.#fs.stat(member)) !== undefined) await this.#fs.rename(member, draft);
      await this.#fs.removeTree(draft);
    });
  }

  /** Gives the lock back; the files in it must be closed. */
  close(): Promise<void> {
    return this.#lock.release();
  }
}

function pathsIn(member: string): MemberPaths {
  return { wal: join(member, "wal"), snapshots: join(member, "snap"), database: join(member, "db") };
}

/**
 * Makes the directory's own name durable, and those above it: a process that was killed may have created them and
 * left them in the cache only.
 */
async function syncAncestors(fs: Fs, path: string): Promise<void> {
  const parent = dirname(path);
  if (parent === path) return;
  try {
    await fs.syncDirectory(parent);
  } catch (error) {
    // What cannot even be opened was not changed by us: the directory was there before.
    if (errorCode(error) !== "EACCES" && errorCode(error) !== "EPERM") throw error;
  }
  await syncAncestors(fs, parent);
}

async function takeLock(fs: Fs, path: string): Promise<FsLock> {
  try {
    return await fs.lock(join(path, lockName));
  } catch (error) {
    if (error instanceof DirectoryLocked) {
      throw new UsageError(
        `the data directory ${path} is in use by process ${error.pid}`,
        "Stop that process, or start with another --data-dir.",
      );
    }
    throw asFailure(path, error);
  }
}

async function inspect(
  fs: Fs,
  path: string,
  log: Log,
  purpose: DataDirPurpose,
): Promise<Metadata | undefined> {
  const member = join(path, "member");
  const found = await fs.stat(member);
  if (found === undefined) {
    const isHalfRestored = (await fs.stat(join(path, draftNames.restore))) !== undefined;
    if (isHalfRestored && purpose === "serve") {
      throw new UsageError(
        `a restore into the data directory ${path} did not end`,
        "Run the same metastore snapshot restore again, or remove the directory to start without its data.",
      );
    }
    await fs.removeTree(join(path, draftNames[purpose]));
    return undefined;
  }
  if ((await fs.stat(join(member, "snap", "db"))) !== undefined) {
    throw new UsageError(
      `${path} is a data directory of etcd`,
      "MetaStore cannot read it. Start with another --data-dir; to move the data, copy the keys by a client.",
    );
  }
  const metadataPath = join(member, "metadata");
  if ((await fs.stat(metadataPath)) === undefined) {
    throw new StorageFailure(
      `${metadataPath} is missing`,
      "The directory is not MetaStore's, or damaged. Restore it from a backup, or start with another --data-dir.",
    );
  }
  // The process that created it may have been killed before it made the name durable.
  await fs.syncDirectory(path);
  const metadata = decodeMetadata((await readWhole(fs, metadataPath)).toString("utf8"), metadataPath);
  await fs.removeTree(`${metadataPath}.tmp`);
  if ((found.mode & 0o077) !== 0) {
    log.warn("others could read the data directory; their permissions are taken away", { path: member });
    await fs.restrictMode(member);
  }
  return metadata;
}

/** One line of JSON, for people too; the checksum covers the line without itself. */
function encodeMetadata({ identity, engine }: Metadata): Buffer {
  const { clusterId, memberId } = identity;
  const fields = metadataFields(clusterId.toString(16), memberId.toString(16), engine);
  return Buffer.from(`${JSON.stringify({ ...fields, checksum: checksumOf(fields) })}\n`, "utf8");
}

/** The memory engine is not named: directories are older than the other one. */
function metadataFields(clusterId: string, memberId: string, engine: EngineKind): Record<string, unknown> {
  const fields = { format: dataDirFormatVersion, clusterId, memberId };
  return engine === "memory" ? fields : { ...fields, engine };
}

function checksumOf(fields: Record<string, unknown>): string {
  return crc32(Buffer.from(JSON.stringify(fields), "utf8")).toString(16);
}

function decodeMetadata(text: string, path: string): Metadata {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damagedMetadata(path, error);
  }
  if (typeof value !== "object" || value === null) throw damagedMetadata(path);
  const { format, clusterId, memberId, engine = "memory", checksum } = value as Record<string, unknown>;
  if (typeof format === "number" && format > dataDirFormatVersion) {
    throw new StorageFailure(
      `${path} has format ${format}, this MetaStore reads up to ${dataDirFormatVersion}`,
      "The data was written by a newer MetaStore: start that version or a later one.",
    );
  }
  if (typeof clusterId !== "string" || typeof memberId !== "string") throw damagedMetadata(path);
  if (engine !== "memory" && engine !== "rocksdb") throw damagedMetadata(path);
  const fields = metadataFields(clusterId, memberId, engine);
  const isHex = /^[0-9a-f]{1,16}$/.test(clusterId) && /^[0-9a-f]{1,16}$/.test(memberId);
  if (format !== dataDirFormatVersion || !isHex || checksum !== checksumOf(fields)) {
    throw damagedMetadata(path);
  }
  return {
    identity: { clusterId: BigInt(`0x${clusterId}`), memberId: BigInt(`0x${memberId}`) },
    engine,
  };
}

function damagedMetadata(path: string, cause?: unknown): StorageFailure {
  return new StorageFailure(`${path} is damaged`, "Restore the data directory from a backup.", { cause });
}

async function guard<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asFailure(path, error);
  }
}

/** Errors of the system as StorageFailure; others as they are. */
function asFailure(path: string, error: unknown): unknown {
  if (errorCode(error) === undefined || error instanceof StorageFailure || error instanceof UsageError) {
    return error;
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new StorageFailure(
    `cannot use the data directory ${path}: ${reason}`,
    "Check that the path is a directory, its permissions, the disk and the space on it.",
    { cause: error },
  );
}
