import { silentLog } from "../../src/lib/log.ts";
import type { PeerHandler, PeerNetwork } from "../../src/server/node/peers.ts";
import {
  type ConfState,
  confChangeOf,
  confChangeType,
  type Entry,
  emptyConfState,
  emptyHardState,
  entryType,
  type HardState,
  MemoryLog,
  type Message,
  messageType,
  NONE,
  type RaftConfig,
  RawNode,
  type Snapshot,
} from "../../src/server/raft/index.ts";
import type { SimProcess } from "./process.ts";
import type { RaftInvariants } from "./raft-invariants.ts";
import { hashText, type Random } from "./random.ts";

/** What is on the disk of a member of the core-only world. */
export interface CoreDisk {
  hardState: HardState;
  /** Behind the snapshot. */
  entries: Entry[];
  snapshot: Snapshot | undefined;
}

export interface CoreSettings {
  readonly raft: Pick<
    RaftConfig,
    | "electionTicks"
    | "preVote"
    | "checkQuorum"
    | "maxSizePerMessage"
    | "inflightMessagesMax"
    | "coalesceAppends"
    | "stepDownOnRemoval"
    | "applyBytesMax"
    | "uncommittedBytesMax"
  >;
  readonly tickMs: number;
  /** Mean. */
  readonly writeMs: number;
  readonly applyMs: number;
  readonly snapshotEntries: number;
  readonly keepEntries: number;
  /** Disks are fast then. */
  readonly isAtPeace: () => boolean;
  /** The first voters. */
  readonly voters: readonly bigint[];
}

export interface CoreEvents {
  /** A proposal of this member was applied by it. */
  acknowledged(id: bigint, data: string, index: number): void;
  read(id: bigint, context: string, index: number): void;
  /** The configuration holds the member no more. */
  removed(id: bigint): void;
}

const MEMBER_IDS_MAX = 100;

export function emptyDisk(): CoreDisk {
  return { hardState: emptyHardState, entries: [], snapshot: undefined };
}

/**
 * Raft with nothing around it but a slow disk and a network: the smallest caller that does its duties. What it
 * applies is a list of texts, of which it keeps a hash.
 */
export class CoreMember implements PeerHandler {
  readonly id: bigint;
  readonly process: SimProcess;
  readonly raw: RawNode;
  readonly #network: PeerNetwork;
  readonly #disk: CoreDisk;
  readonly #random: Random;
  readonly #settings: CoreSettings;
  readonly #invariants: RaftInvariants;
  readonly #events: CoreEvents;
  readonly #log: MemoryLog;
  readonly #proposed = new Set<string>();
  #writes: Message[] = [];
  #writing: readonly Message[] = [];
  #applies: Message[] = [];
  #isApplying = false;
  #wasMember = false;
  #applied: { index: number; term: number; hash: number; confState: ConfState };

  constructor(options: {
    readonly id: bigint;
    readonly process: SimProcess;
    readonly network: PeerNetwork;
    readonly disk: CoreDisk;
    readonly random: Random;
    readonly settings: CoreSettings;
    readonly invariants: RaftInvariants;
    readonly events: CoreEvents;
    /** A member of a new cluster, started for the first time. */
    readonly isNew: boolean;
  }) {
    const { id, disk, settings, random } = options;
    this.id = id;
    this.process = options.process;
    this.#network = options.network;
    this.#disk = disk;
    this.#random = random;
    this.#settings = settings;
    this.#invariants = options.invariants;
    this.#events = options.events;
    const metadata = disk.snapshot?.metadata;
    const found = { hardState: disk.hardState, entries: disk.entries, snapshot: metadata };
    this.#invariants.started(id, found, metadata?.index ?? 0, {
      voters: () => {
        const { voters, votersOutgoing } = this.raw.confState;
        return [{ incoming: voters, outgoing: votersOutgoing }];
      },
      leaderTerm: () => (this.isLeader ? this.raw.term : undefined),
    });
    this.#log = new MemoryLog(() => this.#snapshot());
    if (metadata !== undefined) this.#log.reset(metadata.index, metadata.term);
    this.#log.append(disk.entries);
    this.#applied = {
      index: metadata?.index ?? 0,
      term: metadata?.term ?? 0,
      hash: disk.snapshot === undefined ? 0 : hashOf(disk.snapshot),
      confState: metadata?.confState ?? emptyConfState,
    };
    this.raw = new RawNode({
      ...settings.raft,
      id,
      stableLog: this.#log,
      hardState: disk.hardState,
      confState: this.#applied.confState,
      prng: random,
      log: silentLog,
    });
    if (options.isNew) {
      const context = new Uint8Array(0);
      this.raw.bootstrap(
        settings.voters.map((nodeId) => ({ type: confChangeType.addNode, nodeId, context })),
      );
    }
    // Whom raft talks to is its own affair here: everybody can reach everybody.
    const ids = Array.from({ length: MEMBER_IDS_MAX }, (_, i) => BigInt(i + 1));
    this.#network.setPeers(ids.filter((other) => other !== id).map((other) => ({ id: other, peerUrls: [] })));
    this.#network.start(this);
    this.process.clock.every(settings.tickMs, () => {
      this.raw.tick();
      this.pump();
    });
    this.pump();
  }

  get isLeader(): boolean {
    return this.raw.isLeader;
  }

  get appliedIndex(): number {
    return this.#applied.index;
  }

  get stateHash(): number {
    return this.#applied.hash;
  }

  get confState(): ConfState {
    return this.raw.confState;
  }

  propose(text: string): boolean {
    const isTaken = this.raw.propose(Buffer.from(text));
    if (isTaken) this.#proposed.add(text);
    this.pump();
    return isTaken;
  }

  proposeChange(type: number, nodeId: bigint): boolean {
    const change = { type: type as 0, nodeId, context: new Uint8Array(0) };
    const isTaken = this.raw.proposeConfChange(change);
    this.pump();
    return isTaken;
  }

  read(context: string): boolean {
    const isTaken = this.raw.readIndex(Buffer.from(context));
    this.pump();
    return isTaken;
  }

  transferLeader(target: bigint): void {
    this.raw.transferLeader(target);
    this.pump();
  }

  receive(messages: readonly Message[]): void {
    for (const message of messages) this.raw.step(message);
    this.pump();
  }

  async receiveSnapshot(message: Message, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    // The state travels in the message itself here; the chunks only take their time.
    for await (const _ of chunks);
    this.process.run(() => this.receive([message]));
  }

  unreachable(peer: bigint): void {
    this.raw.reportUnreachable(peer);
    this.pump();
  }

  gone(peer: bigint): void {
    if (this.raw.leader !== peer) return;
    this.raw.forgetLeader();
    this.pump();
  }

  snapshotSent(peer: bigint, succeeded: boolean): void {
    this.raw.reportSnapshot(peer, succeeded);
    this.pump();
  }

  answer(): Promise<Uint8Array> {
    return Promise.reject(new Error("nobody asks here"));
  }

  /** It was removed: the world takes it away. */
  removed(): void {
    this.#events.removed(this.id);
  }

  pump(): void {
    while (this.raw.hasReady()) {
      const ready = this.raw.ready();
      const outgoing: Message[] = [];
      for (const message of ready.messages) {
        if (message.type === messageType.storageAppend) this.#queueWrite(message);
        else if (message.type === messageType.storageApply) this.#queueApply(message);
        else outgoing.push(message);
      }
      this.#send(outgoing);
      for (const { index, context } of ready.readStates) {
        this.#events.read(this.id, Buffer.from(context).toString(), index);
      }
      this.#observe();
    }
  }

  #observe(): void {
    const { raw } = this;
    this.#invariants.knowsCommit(this.id, raw.committed);
    if (!this.isLeader) return;
    this.#invariants.leads(this.id, raw.term);
    this.#invariants.leaderCommits(this.id, raw.committed);
  }

  #send(messages: readonly Message[]): void {
    if (messages.length === 0) return;
    for (const message of messages) this.#invariants.sent(this.id, message);
    this.#network.send(messages.filter(({ type }) => type !== messageType.snap));
    for (const message of messages) {
      if (message.type !== messageType.snap) continue;
      this.#network.sendSnapshot(message, { chunks: [Buffer.from("state")], close: () => {} });
    }
  }

  #queueWrite(message: Message): void {
    if (message.snapshot !== undefined) this.#invariants.installs(this.id, message.snapshot.metadata);
    this.#invariants.writes(this.id, message);
    this.#writes.push(message);
    if (this.#writing.length === 0) this.#writeNext();
  }

  #delayMs(meanMs: number): number {
    return this.#random.around(this.#settings.isAtPeace() ? Math.min(meanMs, 0.1) : meanMs);
  }

  /** All that waits goes in one write. */
  #writeNext(): void {
    if (this.#writes.length === 0) return;
    const batch = this.#writes;
    this.#writing = batch;
    this.#writes = [];
    this.process.post(this.#delayMs(this.#settings.writeMs), "written", () => {
      this.#writing = [];
      for (const message of batch) this.#store(message);
      for (const message of batch) this.#respond(message.responses);
      this.#writeNext();
      this.pump();
    });
  }

  /** Of the write under way a crash may leave some first part. */
  crash(): void {
    const kept = this.#random.below(this.#writing.length + 1);
    for (const message of this.#writing.slice(0, kept)) this.#store(message);
    this.process.kill();
  }

  #store({ entries, hardState, snapshot }: Message): void {
    const disk = this.#disk;
    if (snapshot !== undefined) {
      disk.snapshot = snapshot;
      disk.entries = disk.entries.filter((entry) => entry.index > snapshot.metadata.index);
      // What was behind the snapshot may belong to another history.
      if (disk.entries[0] !== undefined) disk.entries = [];
      this.#log.reset(snapshot.metadata.index, snapshot.metadata.term);
      const { index, term, confState } = snapshot.metadata;
      this.#applied = { index, term, hash: hashOf(snapshot), confState };
      this.#invariants.installed(this.id, snapshot.metadata);
    }
    const first = entries[0];
    if (first !== undefined) {
      disk.entries = [...disk.entries.filter((entry) => entry.index < first.index), ...entries];
      this.#log.append(entries);
    }
    if (hardState !== undefined) disk.hardState = hardState;
    this.#invariants.durable(this.id, { hardState, entries });
  }

  #respond(responses: readonly Message[]): void {
    const others: Message[] = [];
    for (const response of responses) {
      if (response.to === this.id) this.raw.step(response);
      else others.push(response);
    }
    this.#send(others);
  }

  #queueApply(message: Message): void {
    this.#applies.push(message);
    if (!this.#isApplying) this.#applyNext();
  }

  #applyNext(): void {
    const batch = this.#applies;
    this.#applies = [];
    this.#isApplying = batch.length > 0;
    if (!this.#isApplying) return;
    this.process.post(this.#delayMs(this.#settings.applyMs), "applied", () => {
      for (const { entries, responses } of batch) {
        for (const entry of entries) this.#apply(entry);
        this.#respond(responses);
      }
      this.#takeSnapshot();
      this.#applyNext();
      this.pump();
    });
  }

  #apply(entry: Entry): void {
    // A snapshot that was installed meanwhile is ahead of it.
    if (entry.index <= this.#applied.index) return;
    let { hash, confState } = this.#applied;
    if (entry.type === entryType.normal) {
      const text = Buffer.from(entry.data).toString();
      if (text !== "") hash = hashText(text, hash);
      if (this.#proposed.delete(text)) this.#events.acknowledged(this.id, text, entry.index);
    } else {
      confState = this.raw.applyConfChange(confChangeOf(entry));
      const { voters, learners, votersOutgoing, learnersNext } = confState;
      const ids = [...voters, ...learners, ...votersOutgoing, ...learnersNext];
      if (this.#wasMember && !ids.includes(this.id)) this.#events.removed(this.id);
      this.#wasMember = ids.includes(this.id);
    }
    this.#applied = { index: entry.index, term: entry.term, hash, confState };
    this.#invariants.applies(this.id, entry.index, hash);
  }

  #snapshot(): Snapshot {
    const { index, term, hash, confState } = this.#applied;
    return { metadata: { index, term, confState }, data: Buffer.from(String(hash)) };
  }

  #takeSnapshot(): void {
    const { snapshotEntries, keepEntries } = this.#settings;
    const { index } = this.#applied;
    if (index - (this.#disk.snapshot?.metadata.index ?? 0) < snapshotEntries) return;
    // Durable entries only: a snapshot may not be ahead of the log that it cuts.
    if (index > this.#log.lastIndex()) return;
    this.#disk.snapshot = this.#snapshot();
    this.#disk.entries = this.#disk.entries.filter((entry) => entry.index > index);
    const cut = index - keepEntries;
    if (cut > 0) this.#log.compact(cut);
  }

  get leader(): bigint {
    return this.raw.leader;
  }

  get hasLeader(): boolean {
    return this.raw.leader !== NONE;
  }
}

function hashOf(snapshot: Snapshot): number {
  return Number(Buffer.from(snapshot.data).toString());
}
