import type { AlarmMember, Member } from "../codec/index.ts";
import { assert } from "../lib/assert.ts";
import { SystemClock } from "../lib/clock.ts";
import { StorageFailure, UsageError } from "../lib/errors.ts";
import { errorCode, type Fs } from "../lib/fs.ts";
import { limits } from "../lib/limits.ts";
import { silentLog } from "../lib/log.ts";
import { BackupReader, type BackupReport, inspectBackup } from "./backup-reader.ts";
import { type MemberAddress, newClusterOf } from "./cluster-bootstrap.ts";
import { type InitialMember, initialMembersOf } from "./config-members.ts";
import { Settings } from "./config-settings.ts";
import { type ConfigInput, resolveValues } from "./config-sources.ts";
import { emptyConfState, type SnapshotMetadata } from "./raft/index.ts";
import { encodeStateChunk, type StateMeta } from "./state/index.ts";
import {
  createWal,
  DataDir,
  type EngineKind,
  FileSnapshotStore,
  type MemberIdentity,
  type MemberPaths,
  openWal,
} from "./storage/index.ts";

export interface RestoreOptions {
  readonly fs: Fs;
  readonly source: RestoreSource;
  /** Must not exist, or be empty. */
  readonly dataDir: string;
  /** Who the members are: the flags of serve that say so, and the environment. */
  readonly input: ConfigInput;
  /** What is added to the revision; 0 keeps it. More marks everything before as compacted. */
  readonly bumpRevision: number;
}

export interface RestoreSource {
  /** For messages. */
  readonly name: string;
  /** The bytes from the beginning, each time it is called. */
  readonly open: () => AsyncIterable<Uint8Array>;
  /** Whether it can be read twice; then nothing is made before all of it has been checked. */
  readonly isRepeatable: boolean;
}

/** The member that a restore has made. */
export interface RestoredMember extends MemberIdentity {
  readonly engine: EngineKind;
  readonly self: InitialMember;
  /** As the flags name them, this one among them. */
  readonly members: readonly InitialMember[];
  readonly revision: number;
  readonly compactRevision: number;
  /** Alarms of the old cluster, which the new one does not have. */
  readonly clearedAlarms: readonly AlarmMember[];
  readonly backup: BackupReport;
  /** What was ignored in flags and environment, one sentence each. */
  readonly warnings: readonly string[];
}

/** Its log begins behind the snapshot: one segment that holds a mark. */
const SEGMENT_BYTES = 65_536;

/**
 * Makes the data directory of one member of a new cluster that begins with the state of a backup. Everything is
 * checked before anything is made, and the directory becomes a member's by one rename. Keys, history, leases and the
 * lease clock are those of the backup; members and ids are new ones, alarms are gone. Throws UsageError when flags or
 * directory do not fit, StorageFailure when the backup is damaged or the disk fails; nothing is left then.
 */
export async function restoreSnapshot(options: RestoreOptions): Promise<RestoredMember> {
  const { fs, source, dataDir, bumpRevision } = options;
  await refuseUsed(fs, dataDir);
  const { values, warnings } = resolveValues(options.input);
  const settings = new Settings(values);
  // Flags that contradict each other are told before a large file is read.
  initialMembersOf(settings);
  const checked = source.isRepeatable ? await inspectBackup(source.open(), source.name) : undefined;
  const reader = await BackupReader.open(source.open(), source.name);
  const plan = planOf(reader, settings, bumpRevision);
  const backup = await makeDirectory(fs, dataDir, plan, reader, checked, source.name);
  return {
    ...plan.identity,
    engine: plan.engine,
    self: plan.self,
    members: plan.members,
    revision: plan.meta.currentRevision,
    compactRevision: plan.meta.compactRevision,
    clearedAlarms: backup.alarms,
    backup,
    warnings,
  };
}

interface RestorePlan {
  readonly identity: MemberIdentity;
  readonly self: InitialMember;
  readonly members: readonly InitialMember[];
  readonly metadata: SnapshotMetadata;
  readonly meta: StateMeta;
  /** Flag --storage: the server must be started with the same. */
  readonly engine: EngineKind;
}

/**
 * The ids are those of a new cluster. Without a token in the flags they are made with one that only this backup gives:
 * members that are restored from it agree, and none of them can be taken for a member of the cluster that it is from.
 */
function planOf({ header, meta }: BackupReader, settings: Settings, bumpRevision: number): RestorePlan {
  const named = initialMembersOf(settings);
  const { clusterId, metadata } = header;
  const { index, term } = metadata;
  const ownToken = ["restored", clusterId.toString(16), index, term, meta.currentRevision, meta.leaseTimeMs];
  const token = settings.isSet("initial-cluster-token") ? named.token : ownToken.join("-");
  const { identity, members } = newClusterOf({ ...named, token });
  if (identity.clusterId === clusterId) {
    throw new UsageError(
      `with these flags the restored members would be those of the cluster ${clusterId.toString(16)}, which the snapshot is from`,
      "Leave --initial-cluster-token out, or give one that no cluster had before, the same for all members.",
    );
  }
  const currentRevision = meta.currentRevision + bumpRevision;
  if (currentRevision > limits.restoredRevisionMax) {
    throw new UsageError(
      `--bump-revision=${bumpRevision} leads to revision ${currentRevision}, beyond ${limits.restoredRevisionMax}`,
      "Give a smaller one: 1000000000 is more than a busy cluster writes in weeks.",
    );
  }
  return {
    engine: settings.choice("storage") === "rocksdb" ? "rocksdb" : "memory",
    identity,
    self: named.self,
    members: named.members,
    metadata: { ...metadata, confState: { ...emptyConfState, voters: members.map(({ id }) => id) } },
    meta: {
      ...meta,
      currentRevision,
      compactRevision: bumpRevision > 0 ? currentRevision : meta.compactRevision,
      alarms: [],
      members: members.map(memberOf),
      removed: [],
    },
  };
}

function memberOf({ id, peerUrls }: MemberAddress): Member {
  return { id, peerUrls: [...peerUrls], name: "", clientUrls: [], isLearner: false };
}

async function makeDirectory(
  fs: Fs,
  path: string,
  plan: RestorePlan,
  reader: BackupReader,
  checked: BackupReport | undefined,
  sourceName: string,
): Promise<BackupReport> {
  const chunks = reader.chunks();
  const existed = (await fs.stat(path)) !== undefined;
  let directory: DataDir | undefined;
  try {
    directory = await DataDir.open(fs, path, silentLog, "restore");
    // Under the lock: another restore may have ended meanwhile.
    await refuseUsed(fs, path);
    let backup: BackupReport | undefined;
    await directory.initialize(plan.identity, plan.engine, async (paths) => {
      backup = await writeSnapshot(fs, paths, plan, chunks);
      if (checked !== undefined && !checked.sha256.equals(backup.sha256)) {
        throw new UsageError(
          `${sourceName} was changed while it was read`,
          "Restore from a file that stays.",
        );
      }
      await writeLog(fs, paths, plan);
    });
    await directory.close();
    assert(backup !== undefined, "the directory was filled");
    return backup;
  } catch (error) {
    await chunks.return(undefined as never).catch(() => undefined);
    await undo(fs, directory, existed);
    throw asRestoreFailure(path, error);
  }
}

async function writeSnapshot(
  fs: Fs,
  { snapshots }: MemberPaths,
  { identity, metadata, meta }: RestorePlan,
  chunks: AsyncGenerator<Uint8Array, BackupReport>,
): Promise<BackupReport> {
  let backup: BackupReport | undefined;
  async function* restored(): AsyncGenerator<Uint8Array> {
    yield encodeStateChunk({ meta, leases: [], records: [] });
    backup = yield* chunks;
  }
  const store = new FileSnapshotStore({ fs, directory: snapshots, ...identity });
  await store.write(metadata, restored());
  assert(backup !== undefined, "the backup was read to its end");
  return backup;
}

/** A log that begins behind the snapshot, as that of a member that has just received one. */
async function writeLog(fs: Fs, { wal: directory }: MemberPaths, plan: RestorePlan): Promise<void> {
  let failure: StorageFailure | undefined;
  const options = {
    fs,
    clock: new SystemClock(),
    log: silentLog,
    directory,
    ...plan.identity,
    segmentBytes: SEGMENT_BYTES,
    onFailure: (error: StorageFailure) => {
      failure = error;
    },
  };
  await createWal(options);
  const { wal } = await openWal(options);
  const { metadata } = plan;
  try {
    await wal.appendSnapshotMark(metadata);
    const hardState = { term: metadata.term, vote: 0n, commit: metadata.index };
    wal.append({ hardState, entries: [], isCommitAwaited: true }, () => {});
  } finally {
    await wal.close();
  }
  if (failure !== undefined) throw failure;
}

async function refuseUsed(fs: Fs, path: string): Promise<void> {
  if (await DataDir.isUnused(fs, path)) return;
  throw new UsageError(
    `data-dir ${JSON.stringify(path)} not empty or could not be read: a restore makes a new one`,
    "Name a directory that does not exist or is empty.",
  );
}

/** What failed is to be told, not that something could not be removed either: a server does not start from that. */
async function undo(fs: Fs, directory: DataDir | undefined, existed: boolean): Promise<void> {
  // Without the lock the directory may be somebody else's by now.
  if (directory === undefined) return;
  await (existed ? directory.discard() : fs.removeTree(directory.path)).catch(() => undefined);
  await directory.close().catch(() => undefined);
}

function asRestoreFailure(path: string, error: unknown): unknown {
  const isSystems = error instanceof StorageFailure && errorCode(error.cause) !== undefined;
  if (!isSystems) return error;
  return new StorageFailure(
    `cannot restore into ${path}: ${error.message}`,
    "Free space on that file system or check it and its permissions, then restore again: nothing was left behind.",
    { cause: error },
  );
}
