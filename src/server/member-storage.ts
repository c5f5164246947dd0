import type { Clock } from "../lib/clock.ts";
import { type StorageFailure, UsageError } from "../lib/errors.ts";
import type { Fs } from "../lib/fs.ts";
import type { Log } from "../lib/log.ts";
import type { StateMachine } from "./state/index.ts";
import {
  createWal,
  DataDir,
  FileSnapshotStore,
  type MemberIdentity,
  type OpenedWal,
  openWal,
  type WalSync,
} from "./storage/index.ts";

/** What a member keeps on disk, open and locked; the state machine holds what the snapshot held. */
export interface MemberStorage {
  readonly identity: MemberIdentity;
  readonly opened: OpenedWal;
  readonly snapshots: FileSnapshotStore;
  close(): Promise<void>;
}

/**
 * Opens the data directory, making it `fresh`'s when it is new, loads the newest snapshot into `state` and reads the
 * log behind it. On a restart the identity is the one on disk, whatever the flags say (as in etcd). Throws
 * UsageError or StorageFailure; the directory is unlocked again then. A member that is to join a cluster does not
 * start one of its own: without data it is refused before anything is made.
 */
export async function openMemberStorage(options: {
  readonly fs: Fs;
  readonly path: string;
  readonly fresh: MemberIdentity;
  /** Flag --initial-cluster-state: "existing" needs a directory that holds a member. */
  readonly clusterState: "new" | "existing";
  readonly state: StateMachine;
  readonly clock: Clock;
  readonly log: Log;
  /** Size of a segment of the write-ahead log. */
  readonly segmentBytes: number;
  readonly onSync: (sync: WalSync) => void;
  readonly onFailure: (failure: StorageFailure) => void;
}): Promise<MemberStorage> {
  const { fs, fresh, state, clock, log, segmentBytes, onSync, onFailure } = options;
  if (options.clusterState === "existing" && !(await DataDir.holdsMember(fs, options.path))) {
    throw new UsageError(
      `--initial-cluster-state=existing, but ${options.path} holds no data of a member`,
      "Name the --data-dir of the member, or leave the flag out to start a new cluster; joining one comes with a later version.",
    );
  }
  const directory = await DataDir.open(fs, options.path, log);
  try {
    const walOptions = (path: string, identity: MemberIdentity) => ({
      fs,
      clock,
      log,
      directory: path,
      segmentBytes,
      ...identity,
      onSync,
      onFailure,
    });
    if (directory.identity === undefined) {
      await directory.initialize(fresh, (paths) => createWal(walOptions(paths.wal, fresh)));
    }
    const identity = directory.identity ?? fresh;
    const opened = await openWal(walOptions(directory.paths.wal, identity));
    try {
      const snapshots = new FileSnapshotStore({ fs, directory: directory.paths.snapshots, ...identity });
      if (opened.snapshotMark !== undefined) {
        const restore = state.beginRestore();
        const { chunks } = await snapshots.open(opened.snapshotMark);
        for await (const chunk of chunks) restore.load(chunk);
        restore.finish();
      }
      await snapshots.removeOthers(opened.snapshotMark);
      return {
        identity,
        opened,
        snapshots,
        async close() {
          try {
            await opened.wal.close();
          } finally {
            await directory.close();
          }
        },
      };
    } catch (error) {
      await opened.wal.close();
      throw error;
    }
  } catch (error) {
    await directory.close();
    throw error;
  }
}
