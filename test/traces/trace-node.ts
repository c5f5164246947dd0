import { silentLog } from "../../src/lib/log.ts";
import { createPrng } from "../../src/lib/prng.ts";
import { asV2, confChangeOf } from "../../src/server/raft/conf-change.ts";
import {
  type ConfState,
  type Entry,
  emptyConfState,
  emptyHardState,
  entryType,
  type HardState,
  MemoryLog,
  type Message,
  type RaftConfig,
  type RaftLogger,
  RawNode,
  type Snapshot,
} from "../../src/server/raft/index.ts";

export const ELECTION_TICKS = 3;
const NO_LIMIT = Number.POSITIVE_INFINITY;

export const emptySnapshot: Snapshot = {
  metadata: { confState: emptyConfState, index: 0, term: 0 },
  data: new Uint8Array(0),
};

export type TraceConfig = Partial<RaftConfig>;

/** One member of a trace: a core, its storage, and the work that its storage threads have before them. */
export class TraceNode {
  readonly id: number;
  readonly raw: RawNode;
  readonly storage: MemoryLog;
  readonly isAsync: boolean;
  readonly appendWork: Message[] = [];
  readonly applyWork: Message[] = [];
  hardState: HardState = emptyHardState;
  /** What this member has applied, entry by entry; a snapshot that it sends is the last of them. */
  readonly history: Snapshot[];
  #snapshotIndex: number;

  constructor(id: number, snapshot: Snapshot, config: TraceConfig, logger: RaftLogger) {
    this.id = id;
    this.history = [snapshot];
    const { index, term, confState } = snapshot.metadata;
    this.storage = new MemoryLog(() => this.history.at(-1));
    this.storage.reset(index, term);
    this.#snapshotIndex = index;
    this.isAsync = config.asyncStorageWrites ?? false;
    this.raw = new RawNode({
      id: BigInt(id),
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: 1,
      stableLog: this.storage,
      hardState: emptyHardState,
      confState,
      applied: index,
      maxSizePerMessage: NO_LIMIT,
      inflightMessagesMax: 0x7fff_ffff,
      applyBytesMax: NO_LIMIT,
      uncommittedBytesMax: NO_LIMIT,
      asyncStorageWrites: false,
      coalesceAppends: false,
      prng: createPrng(id),
      log: silentLog,
      logger,
      ...config,
    });
  }

  /** Throws Error when storage cannot take it. */
  append(hardState: HardState | undefined, entries: readonly Entry[], snapshot: Snapshot | undefined): void {
    if (hardState !== undefined) this.hardState = hardState;
    if (snapshot !== undefined) {
      if (entries.length > 0) throw new Error("can't apply snapshot and entries at the same time");
      const { index, term } = snapshot.metadata;
      if (index <= this.#snapshotIndex)
        throw new Error("requested index is older than the existing snapshot");
      this.storage.reset(index, term);
      this.#snapshotIndex = index;
      return;
    }
    this.storage.append(entries);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) {
      let update: Uint8Array = entry.data;
      let confState: ConfState | undefined;
      if (entry.type !== entryType.normal) {
        const change = confChangeOf(entry);
        update = asV2(change).context;
        confState = this.raw.applyConfChange(change);
      }
      const last = this.history.at(-1)!;
      this.history.push({
        metadata: {
          index: entry.index,
          term: entry.term,
          confState: confState ?? last.metadata.confState,
        },
        data: Buffer.concat([last.data, update]),
      });
    }
  }
}
