import type { AlarmMember, Member } from "../codec/index.ts";
import type { ByteString } from "../lib/bytes.ts";
import { crc32c } from "../lib/crc32c.ts";
import { DecodeError, StorageFailure, UsageError } from "../lib/errors.ts";
import {
  type BackupNote,
  decodeBackupNote,
  decodeStateChunk,
  type StateChunk,
  type StateMeta,
} from "./state/index.ts";
import {
  readSnapshot,
  type SnapshotContent,
  type SnapshotHeader,
  type VersionedRecord,
} from "./storage/index.ts";

/** What a backup holds; everything in it has been checked. */
export interface BackupReport {
  /**
   * CRC-32C of the records: the same in backups of a cluster at one revision and one compact revision, whichever
   * members they are from, unless compaction was at work on one of them.
   */
  readonly hash: number;
  readonly revision: number;
  /** -1 when the history was never compacted. */
  readonly compactRevision: number;
  /** Keys that are there at `revision`. */
  readonly keys: number;
  /** Versions of keys that are kept, deletions among them. */
  readonly records: number;
  readonly leases: number;
  readonly sizeBytes: number;
  /** The last 32 bytes: of all before them, or in a snapshot from a member's disk of all but its records. */
  readonly sha256: Buffer;
  readonly clusterId: bigint;
  readonly memberId: bigint;
  /** Where in the log of its cluster the state stands. */
  readonly index: number;
  readonly term: number;
  readonly members: readonly Member[];
  readonly alarms: readonly AlarmMember[];
  /** Undefined in a snapshot that was copied from a member's disk. */
  readonly note: BackupNote | undefined;
}

const hint =
  "Do not use it. Copy the file again from where it was saved, use another backup, or save a new one: " +
  "metastore snapshot save FILE";

/** How the storage begins, too, when a snapshot is not whole. */
const damagedText = "the snapshot is damaged";

/** bbolt's magic, at this place in each page of its meta data. */
const etcdMagic = Buffer.from([0xed, 0xda, 0x0c, 0xed]);
const etcdMagicAt = 16;

/**
 * Reads a backup forward, once, and checks all of it: checksums, encodings, the order of its records. Only when
 * chunks() has ended without an error is any of it to be believed.
 */
export class BackupReader {
  readonly header: SnapshotHeader;
  readonly meta: StateMeta;
  readonly #name: string;
  readonly #content: SnapshotContent;

  private constructor(name: string, content: SnapshotContent, meta: StateMeta) {
    this.header = content.header;
    this.meta = meta;
    this.#name = name;
    this.#content = content;
  }

  /**
   * Reads header and meta data; `name` is for the messages. Throws StorageFailure when they are damaged, UsageError
   * when the file is etcd's, and what `blocks` throws; `blocks` is returned then.
   */
  static async open(blocks: AsyncIterable<Uint8Array>, name: string): Promise<BackupReader> {
    return await forBackups(async () => {
      const content = await readSnapshot(withoutEtcd(blocks, name), name);
      const first = await content.chunks.next();
      try {
        const meta = first.done === true ? undefined : decode(name, first.value).meta;
        if (first.done === true || meta === undefined) throw damaged(name, "it holds no state");
        const { currentRevision, compactRevision, finishedCompactRevision } = meta;
        if (finishedCompactRevision > compactRevision || compactRevision > currentRevision) {
          throw damaged(name, "its revisions contradict each other");
        }
        return new BackupReader(name, content, meta);
      } catch (error) {
        await content.chunks.return();
        throw error;
      }
    });
  }

  /**
   * The encoded chunks behind the meta data, the note left out, each checked; then, as the value that it returns, what
   * the backup holds. To be iterated once. Throws StorageFailure.
   */
  async *chunks(): AsyncGenerator<Uint8Array, BackupReport> {
    const census = new Census(this.meta);
    let hash = 0;
    let note: BackupNote | undefined;
    try {
      for (;;) {
        const next = await forBackups(() => this.#content.chunks.next());
        if (next.done === true) break;
        const chunk = decode(this.#name, next.value);
        const found = decodeNote(this.#name, next.value);
        if (found !== undefined) {
          if (chunk.records.length + chunk.leases.length > 0)
            throw damaged(this.#name, "its note holds records");
          note = found;
          continue;
        }
        const objection = census.add(chunk);
        if (objection !== undefined) throw damaged(this.#name, objection);
        if (chunk.records.length > 0) hash = crc32c(next.value, hash);
        yield next.value;
      }
    } finally {
      await this.#content.chunks.return();
    }
    const { meta, header } = this;
    return {
      hash,
      revision: meta.currentRevision,
      compactRevision: meta.compactRevision,
      keys: census.keys,
      records: census.records,
      leases: census.leases,
      ...this.#content.summary(),
      clusterId: header.clusterId,
      memberId: header.memberId,
      index: header.metadata.index,
      term: header.metadata.term,
      members: meta.members,
      alarms: meta.alarms,
      note,
    };
  }
}

/** Reads and checks a backup. Throws as BackupReader does. */
export async function inspectBackup(blocks: AsyncIterable<Uint8Array>, name: string): Promise<BackupReport> {
  const reader = await BackupReader.open(blocks, name);
  const chunks = reader.chunks();
  for (;;) {
    const next = await chunks.next();
    if (next.done === true) return next.value;
  }
}

/** Counts what the chunks hold, and sees whether they are in order. */
class Census {
  keys = 0;
  records = 0;
  leases = 0;
  readonly #meta: StateMeta;
  /**
   * Keys alive in the part of the history that compaction is still at work on: of it records are missing. Undefined
   * when compaction has finished: then it holds one record for each key that is alive there.
   */
  readonly #compacted: Set<ByteString> | undefined;
  #modRevision = 0;
  #sub = 0;

  constructor(meta: StateMeta) {
    this.#meta = meta;
    if (meta.finishedCompactRevision < meta.compactRevision) this.#compacted = new Set();
  }

  /** What is wrong with the chunk; undefined when nothing is. */
  add(chunk: StateChunk): string | undefined {
    if (chunk.meta !== undefined) return "it holds its meta data twice";
    if (chunk.leases.length > 0 && this.records > 0) return "a lease follows records";
    this.leases += chunk.leases.length;
    for (const record of chunk.records) {
      const { modRevision, sub } = record;
      if (
        this.records > 0 &&
        (modRevision < this.#modRevision || (modRevision === this.#modRevision && sub <= this.#sub))
      ) {
        return `record ${modRevision}/${sub} follows ${this.#modRevision}/${this.#sub}`;
      }
      if (modRevision > this.#meta.currentRevision)
        return `record ${modRevision}/${sub} is newer than its state`;
      this.#modRevision = modRevision;
      this.#sub = sub;
      this.records++;
      this.#count(record);
    }
    return undefined;
  }

  #count({ key, modRevision, version, tombstone }: VersionedRecord): void {
    if (modRevision > this.#meta.compactRevision) {
      if (tombstone) this.keys--;
      else if (version === 1) this.keys++;
    } else if (this.#compacted === undefined) {
      if (!tombstone) this.keys++;
    } else if (tombstone) {
      if (this.#compacted.delete(key)) this.keys--;
    } else if (!this.#compacted.has(key)) {
      this.#compacted.add(key);
      this.keys++;
    }
  }
}

/** Refuses a snapshot of etcd by name. */
async function* withoutEtcd(blocks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const block of blocks) {
    const magic = Buffer.from(block.buffer, block.byteOffset, block.length).subarray(
      etcdMagicAt,
      etcdMagicAt + 4,
    );
    if (isFirst && etcdMagic.equals(magic)) {
      throw new UsageError(
        `${name} is a snapshot of etcd, which MetaStore cannot read`,
        "etcdutl snapshot status and etcdutl snapshot restore can; to move the data, copy the keys by a client.",
      );
    }
    isFirst = false;
    yield block;
  }
}

function decode(name: string, chunk: Uint8Array): StateChunk {
  return decoded(name, () => decodeStateChunk(chunk));
}

function decodeNote(name: string, chunk: Uint8Array): BackupNote | undefined {
  return decoded(name, () => decodeBackupNote(chunk));
}

function decoded<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw damaged(name, error.message, error);
  }
}

/** The storage's own failures speak of a member's disk: here it is a file that somebody keeps. */
async function forBackups<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StorageFailure) || !error.message.startsWith(damagedText)) throw error;
    throw new StorageFailure(error.message, hint, { cause: error });
  }
}

function damaged(name: string, what: string, cause?: unknown): StorageFailure {
  return new StorageFailure(`${damagedText}: ${name}: ${what}`, hint, { cause });
}
