import type { Clock } from "../lib/clock.ts";
import { StorageFailure, UsageError } from "../lib/errors.ts";
import type { Fs } from "../lib/fs.ts";
import type { Log } from "../lib/log.ts";
import type { DurableState } from "./node/index.ts";
import type { SnapshotMetadata } from "./raft/index.ts";
import type { StateMachine } from "./state/index.ts";
import {
  createWal,
  DataDir,
  type EngineKind,
  FileSnapshotStore,
  type MemberIdentity,
  type OpenedWal,
  openWal,
  type WalSync,
} from "./storage/index.ts";

/** A state without content, and what keeps its records. */
export interface MemberState {
  readonly state: StateMachine;
  /** Where the records are on disk: what was there has been recovered. */
  readonly durable: DurableState | undefined;
  /** After the node has stopped. */
  close(): Promise<void>;
}

/** What a member keeps on disk, open and locked; the state holds what the snapshot or the engine held. */
export interface MemberStorage extends Omit<MemberState, "close"> {
  readonly identity: MemberIdentity;
  readonly opened: OpenedWal;
  readonly snapshots: FileSnapshotStore;
  close(): Promise<void>;
}

/**
 * Opens the data directory, making it the member's that `identify` names when it is new, loads the newest snapshot
 * into the state and reads the log behind it. Throws what `identify` throws, before anything is made, UsageError or
 * StorageFailure; the directory is unlocked again then.
 */
export async function openMemberStorage(options: {
  readonly fs: Fs;
  readonly path: string;
  /** Who a member without data is. On a restart the identity is the one on disk, whatever the flags say (as in etcd). */
  readonly identify: () => Promise<MemberIdentity>;
  readonly engine: EngineKind;
  /** Makes the state; `path`: where an engine on disk has its files. */
  readonly openState: (path: string) => Promise<MemberState>;
  readonly clock: Clock;
  readonly log: Log;
  /** Size of a segment of the write-ahead log. */
  readonly segmentBytes: number;
  readonly onSync: (sync: WalSync) => void;
  readonly onFailure: (failure: StorageFailure) => void;
}): Promise<MemberStorage> {
  const { fs, identify, clock, log, segmentBytes, onSync, onFailure } = options;
  const isHeld = await DataDir.holdsMember(fs, options.path);
  let fresh = isHeld ? undefined : await identify();
  const directory = await DataDir.open(fs, options.path, log);
  /** What is open so far, to be closed in reverse. */
  const closers: (() => Promise<void>)[] = [() => directory.close()];
  const close = async (): Promise<void> => {
    const closer = closers.pop();
    if (closer === undefined) return;
    try {
      await closer();
    } finally {
      await close();
    }
  };
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
      await directory.initialize(created, options.engine, (paths) =>
        createWal(walOptions(paths.wal, created)),
      );
      identity = created;
    }
    assertEngine(directory.engine, options);
    const opened = await openWal(walOptions(directory.paths.wal, identity));
    closers.push(() => opened.wal.close());
    const { state, durable, close: closeState } = await options.openState(directory.paths.database);
    closers.push(closeState);
    const snapshots = new FileSnapshotStore({ fs, directory: directory.paths.snapshots, ...identity });
    const mark = opened.snapshotMark;
    assertNotAhead(durable, opened);
    if (mark !== undefined && mark.index > (durable?.position?.index ?? 0)) {
      await load(state, snapshots, mark);
      durable?.applied(mark);
      await durable?.sync();
    }
    await snapshots.removeOthers(mark);
    return { identity, opened, snapshots, state, durable, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function load(
  state: StateMachine,
  snapshots: FileSnapshotStore,
  mark: SnapshotMetadata,
): Promise<void> {
  const restore = state.beginRestore();
  const { chunks } = await snapshots.open(mark);
  for await (const chunk of chunks) await restore.load(chunk);
  await restore.prepare();
  restore.finish();
}

function assertEngine(
  found: EngineKind | undefined,
  options: { readonly engine: EngineKind; readonly path: string },
) {
  const { engine, path } = options;
  if (found === undefined || found === engine) return;
  throw new UsageError(
    `the data in ${path} is kept by --storage ${found}, and the server was started with --storage ${engine}`,
    `Start with --storage ${found}. To change the engine: metastore snapshot save FILE on the running server, then ` +
      `metastore snapshot restore FILE --storage ${engine} --data-dir NEW-DIRECTORY, and start on that.`,
  );
}

/** What an engine has applied was durable in the log before; a log that ends earlier is not the one it came from. */
function assertNotAhead(durable: DurableState | undefined, opened: OpenedWal): void {
  const index = durable?.position?.index ?? 0;
  const lastIndex = opened.entries.at(-1)?.index ?? opened.snapshotMark?.index ?? 0;
  if (index <= lastIndex) return;
  throw new StorageFailure(
    `the database is at log index ${index}, and the log ends at ${lastIndex}`,
    "Log and database are not of one member, or part of the log was lost. Remove the member and add it anew, so that " +
      "it gets the state from the others, or restore a snapshot.",
  );
}
