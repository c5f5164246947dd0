import type { Clock } from "../lib/clock.ts";
import type { StorageFailure } from "../lib/errors.ts";
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
 * Opens the data directory, making it the member's that `identify` names when it is new, loads the newest snapshot
 * into `state` and reads the log behind it. Throws what `identify` throws, before anything is made, UsageError or
 * StorageFailure; the directory is unlocked again then.
 */
export async function openMemberStorage(options: {
  readonly fs: Fs;
  readonly path: string;
  /** Who a member without data is. On a restart the identity is the one on disk, whatever the flags say (as in etcd). */
  readonly identify: () => Promise<MemberIdentity>;
  readonly state: StateMachine;
  readonly clock: Clock;
  readonly log: Log;
  /** Size of a segment of the write-ahead log. */
  readonly segmentBytes: number;
  readonly onSync: (sync: WalSync) => void;
  readonly onFailure: (failure: StorageFailure) => void;
}): Promise<MemberStorage> {
  const { fs, identify, state, clock, log, segmentBytes, onSync, onFailure } = options;
  const isHeld = await DataDir.holdsMember(fs, options.path);
  let fresh = isHeld ? undefined : await identify();
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
    let { identity } = directory;
    if (identity === undefined) {
      fresh ??= await identify();
      const created = fresh;
      await directory.initialize(created, (paths) => createWal(walOptions(paths.wal, created)));
      identity = created;
    }
    const opened = await openWal(walOptions(directory.paths.wal, identity));
    try {
      const snapshots = new FileSnapshotStore({ fs, directory: directory.paths.snapshots, ...identity });
      if (opened.snapshotMark !== undefined) {
        const restore = state.beginRestore();
        const { chunks } = await snapshots.open(opened.snapshotMark);
        for await (const chunk of chunks) await restore.load(chunk);
        await restore.prepare();
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
