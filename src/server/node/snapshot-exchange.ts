import type { Log } from "../../lib/log.ts";
import type { Message, SnapshotMetadata } from "../raft/index.ts";
import type { StateMachine } from "../state/index.ts";
import type { PeerNetwork } from "./peers.ts";
import type { OpenState, SnapshotLog, SnapshotStore, Snapshotter } from "./snapshotter.ts";

/**
 * Snapshots between members. The leader sends its applied state as it is now; the receiver makes the file durable
 * before raft hears of it, and loads it when raft takes it. What raft does not take is removed with the next snapshot.
 */
export class SnapshotExchange {
  readonly #log: Log;
  readonly #network: PeerNetwork;
  readonly #state: StateMachine;
  readonly #store: SnapshotStore;
  readonly #wal: SnapshotLog;
  readonly #snapshotter: Snapshotter;
  readonly #open: () => OpenState;
  readonly #committed: () => number;
  readonly #step: (message: Message) => void;
  readonly #onRestored: (metadata: SnapshotMetadata) => void;
  readonly #sync: () => Promise<void>;
  #isReceiving = false;

  constructor(options: {
    readonly log: Log;
    readonly network: PeerNetwork;
    readonly state: StateMachine;
    readonly store: SnapshotStore;
    readonly wal: SnapshotLog;
    readonly snapshotter: Snapshotter;
    /** The applied state now, and where it stands. */
    readonly open: () => OpenState;
    /** The commit index: raft takes no snapshot at or below it. */
    readonly committed: () => number;
    /** Hands a message to raft. */
    readonly step: (message: Message) => void;
    /** Called, synchronously, when the state has become that of a snapshot. */
    readonly onRestored: (metadata: SnapshotMetadata) => void;
    /** Resolves when the state in place is durable, where it is kept beside the files. */
    readonly sync: () => Promise<void>;
  }) {
    this.#log = options.log;
    this.#network = options.network;
    this.#state = options.state;
    this.#store = options.store;
    this.#wal = options.wal;
    this.#snapshotter = options.snapshotter;
    this.#open = options.open;
    this.#committed = options.committed;
    this.#step = options.step;
    this.#onRestored = options.onRestored;
    this.#sync = options.sync;
  }

  /** Raft names an index; what goes out is the state now, which is the same or later. */
  send(message: Message): void {
    const { metadata, state } = this.#open();
    this.#log.info("sending a snapshot", { to: message.to.toString(16), index: metadata.index });
    this.#network.sendSnapshot({ ...message, snapshot: { metadata, data: new Uint8Array(0) } }, state);
  }

  /** PeerHandler.receiveSnapshot. */
  async receive(message: Message, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const metadata = message.snapshot?.metadata;
    if (metadata === undefined) throw new Error("a snapshot message without a snapshot");
    if (metadata.index <= this.#committed()) {
      // Raft will only say how far this member is.
      this.#step(message);
      return;
    }
    if (this.#isReceiving) throw new Error("another snapshot is being received");
    this.#isReceiving = true;
    try {
      const sizeBytes = await this.#store.write(metadata, chunks);
      this.#log.info("received a snapshot", {
        from: message.from.toString(16),
        index: metadata.index,
        sizeBytes,
      });
      this.#step(message);
    } finally {
      this.#isReceiving = false;
    }
  }

  /**
   * Raft has taken the snapshot: its mark in the log durable, then its state in place of this member's, all at once,
   * then what is older goes, its files in the background. No snapshot of the old state is taken meanwhile.
   */
  async install(metadata: SnapshotMetadata): Promise<void> {
    await this.#snapshotter.pauseFor(async () => {
      await this.#wal.appendSnapshotMark(metadata);
      const restore = this.#state.beginRestore();
      const { chunks } = await this.#store.open(metadata);
      for await (const chunk of chunks) await restore.load(chunk);
      await restore.prepare();
      restore.finish();
      this.#onRestored(metadata);
      // Before the file goes, which until then a start would load again.
      await this.#sync();
      this.#wal.release(metadata.index);
      this.#log.info("installed a snapshot", { index: metadata.index, term: metadata.term });
    });
    this.#snapshotter.removeBefore(metadata.index);
  }
}
