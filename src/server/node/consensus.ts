import type { Clock } from "../../lib/clock.ts";
import type { Eventual } from "../../lib/eventual.ts";
import {
  type Entry,
  entryType,
  type HardState,
  LOCAL_APPEND,
  LOCAL_APPLY,
  type MemoryLog,
  type Message,
  messageType,
  type RawNode,
  type ReadState,
  type SnapshotMetadata,
} from "../raft/index.ts";
import { LogHolds } from "./log-holds.ts";

/**
 * What the loop needs of the write-ahead log. `done` runs once the batch is durable, in order; for a commit index that
 * comes alone only when it is awaited.
 */
export interface LogWriter {
  append(
    batch: {
      readonly hardState: HardState | undefined;
      readonly entries: readonly Entry[];
      readonly isCommitAwaited?: boolean;
    },
    done: () => void,
  ): void;
}

/** What the loop tells the member. Called synchronously from the loop. */
export interface ConsensusSink {
  /** Committed entries in log order; each exactly once. Not called again before a promise it gave is settled. */
  apply(entries: readonly Entry[]): Eventual<void>;
  confirmed(states: readonly ReadState[]): void;
  leaderChanged(): void;
  /** Called at the start of each turn, so that what has gathered since the last is asked in one go. */
  beforeTurn(): void;
  /** Messages to other members. */
  send(messages: readonly Message[]): void;
  /** A member needs the state itself, for the entries before it are gone. */
  sendSnapshot(message: Message): void;
  /** Makes a received snapshot durable and its state this member's; resolves when both are done. */
  install(metadata: SnapshotMetadata): Promise<void>;
}

/** A turn that has worked this long lets waiting I/O in before it goes on. */
const TURN_BUDGET_MS = 8;

/**
 * The loop around raft: takes each Ready and does the duties that RawNode names. Inputs only mark that there is
 * work; one turn per pass of the event loop does it, so that all that came in together shares one log write and one
 * message to each peer.
 */
export class Consensus {
  readonly #raw: RawNode;
  readonly #stable: MemoryLog;
  readonly #writer: LogWriter;
  readonly #clock: Clock;
  readonly #sink: ConsensusSink;
  readonly #memberId: bigint;
  readonly #entriesKept: () => number;
  readonly #holds: LogHolds;
  readonly #onFailure: (error: Error) => void;
  #isWoken = false;
  #isInTurn = false;
  #isStopped = false;
  /** The newest hard state that nobody waits for: it rides with the next write. */
  #hardStateWaiting: HardState | undefined;
  /** Writes that came while a snapshot was being installed, in order; undefined while none is. */
  #behindSnapshot: Message[] | undefined;
  /** The newest hard state of all; and the highest commit index that is durable. */
  #lastHardState: HardState | undefined;
  #durableCommit: number;
  /** The last membership change in the log. */
  #changeIndex: number;
  /** A write is under way after which the commit index of a membership change is durable. */
  #isCommitAwaited = false;
  /** What waits for that, in order: messages that tell of the commit, and entries to apply. */
  #messagesHeld: Message[] = [];
  #appliesHeld: Message[] = [];
  /** Entries are being applied, and what is to be applied after them, in order. */
  #applying: Promise<void> | undefined;
  #appliesWaiting: Message[] = [];

  constructor(options: {
    readonly raw: RawNode;
    readonly stable: MemoryLog;
    readonly writer: LogWriter;
    readonly clock: Clock;
    readonly sink: ConsensusSink;
    readonly memberId: bigint;
    /** What was found on disk: the commit index, and where the last membership change is (0: nowhere). */
    readonly durableCommit: number;
    readonly changeIndex: number;
    /** Applied entries to keep in memory for members that are a little behind. */
    readonly entriesKept: () => number;
    /** A duty threw: this member's state can no longer be trusted. The loop has stopped. */
    readonly onFailure: (error: Error) => void;
  }) {
    this.#raw = options.raw;
    this.#stable = options.stable;
    this.#writer = options.writer;
    this.#clock = options.clock;
    this.#sink = options.sink;
    this.#memberId = options.memberId;
    this.#durableCommit = options.durableCommit;
    this.#changeIndex = options.changeIndex;
    this.#entriesKept = options.entriesKept;
    this.#onFailure = options.onFailure;
    this.#holds = new LogHolds(this.#clock, (peer) => this.#raw.isReplicating(peer));
  }

  tick(): void {
    if (this.#isStopped) return;
    this.#raw.tick();
    if (this.#raw.hasReady()) this.wake();
  }

  /** Messages of another member. */
  receive(messages: readonly Message[]): void {
    if (this.#isStopped) return;
    try {
      for (const message of messages) this.#raw.step(message);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.wake();
  }

  /** There is work: a turn runs once the I/O that is already waiting has been taken in. */
  wake(): void {
    if (this.#isWoken || this.#isStopped) return;
    this.#isWoken = true;
    this.#clock.defer(() => this.turn());
  }

  stop(): void {
    this.#isStopped = true;
  }

  turn(): void {
    this.#isWoken = false;
    if (this.#isStopped || this.#isInTurn) return;
    this.#isInTurn = true;
    try {
      this.#sink.beforeTurn();
      const endMs = this.#clock.nowMs() + TURN_BUDGET_MS;
      while (this.#raw.hasReady()) {
        const ready = this.#raw.ready();
        if (ready.softState !== undefined) this.#sink.leaderChanged();
        this.#work(ready.messages);
        if (ready.readStates.length > 0) this.#sink.confirmed(ready.readStates);
        if (this.#clock.nowMs() >= endMs) {
          if (this.#raw.hasReady()) this.wake();
          break;
        }
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isInTurn = false;
    }
  }

  #fail(error: unknown): void {
    this.#isStopped = true;
    this.#onFailure(error instanceof Error ? error : new Error(String(error)));
  }

  /** What goes to others goes before the own disk is asked: both work at the same time (Raft thesis 10.2.1). */
  #work(messages: readonly Message[]): void {
    for (const message of messages) if (message.to === LOCAL_APPEND) this.#note(message);
    const isHeld = this.#isChangeUnsure();
    let outgoing: Message[] | undefined;
    for (const message of messages) {
      if (message.to === LOCAL_APPEND || message.to === LOCAL_APPLY) continue;
      if (message.type === messageType.snap) this.#sendSnapshot(message);
      else if (isHeld && message.commit >= this.#changeIndex) this.#messagesHeld.push(message);
      else if (outgoing === undefined) outgoing = [message];
      else outgoing.push(message);
    }
    if (outgoing !== undefined) this.#sink.send(outgoing);
    for (const message of messages) if (message.to === LOCAL_APPEND) this.#persist(message);
    if (isHeld) this.#awaitCommit();
    for (const message of messages) if (message.to === LOCAL_APPLY) this.#apply(message);
  }

  #sendSnapshot(message: Message): void {
    this.#holds.begin(message.to, message.snapshot?.metadata.index ?? 0);
    this.#sink.sendSnapshot(message);
  }

  #note({ hardState, entries }: Message): void {
    if (hardState !== undefined) this.#lastHardState = hardState;
    for (const { type, index } of entries) {
      if (type !== entryType.normal && index > this.#changeIndex) this.#changeIndex = index;
    }
  }

  /**
   * A membership change is committed, and only memory knows. It is neither told nor applied before the disk knows too:
   * a member that crashed then would come back with the members of before, and ask one that has gone for its vote.
   */
  #isChangeUnsure(): boolean {
    const committed = this.#lastHardState?.commit ?? 0;
    return this.#changeIndex > this.#durableCommit && committed >= this.#changeIndex;
  }

  #awaitCommit(): void {
    // A snapshot that is being installed stands for the change, and its mark for the commit index.
    if (this.#isCommitAwaited || this.#behindSnapshot !== undefined) return;
    this.#isCommitAwaited = true;
    this.#hardStateWaiting = undefined;
    this.#write({ hardState: this.#lastHardState, entries: [], isCommitAwaited: true }, () => {
      this.#isCommitAwaited = false;
      this.#release();
    });
  }

  #release(): void {
    const messages = this.#messagesHeld;
    const applies = this.#appliesHeld;
    this.#messagesHeld = [];
    this.#appliesHeld = [];
    if (messages.length > 0) this.#sink.send(messages);
    for (const message of applies) this.#apply(message);
  }

  #apply(message: Message): void {
    const change = message.entries.findLast(({ type }) => type !== entryType.normal);
    const isUnsure = change !== undefined && change.index > this.#durableCommit;
    if (!isUnsure && this.#appliesHeld.length === 0) {
      this.#applyNow(message);
      return;
    }
    this.#appliesHeld.push(message);
    this.#awaitCommit();
  }

  #applyNow(message: Message): void {
    if (this.#applying !== undefined) {
      this.#appliesWaiting.push(message);
      return;
    }
    const applying = this.#sink.apply(message.entries);
    if (applying instanceof Promise) this.#applying = this.#whenApplied(applying, message);
    else this.#applied(message);
  }

  #applied(message: Message): void {
    for (const response of message.responses) this.#raw.step(response);
    this.#holds.applied(message.entries);
    this.#cutLog(message.entries[message.entries.length - 1]!.index);
  }

  /** Never rejects. */
  async #whenApplied(applying: Promise<void>, message: Message): Promise<void> {
    try {
      await applying;
      this.#applying = undefined;
      if (this.#isStopped) return;
      this.#applied(message);
      const next = this.#appliesWaiting.shift();
      if (next !== undefined) this.#applyNow(next);
      this.turn();
    } catch (error) {
      this.#applying = undefined;
      this.#fail(error);
    }
  }

  /** Resolves when nothing is being applied, nor waits for it. */
  async settled(): Promise<void> {
    while (this.#applying !== undefined) await this.#applying;
  }

  #persist(message: Message): void {
    if (this.#behindSnapshot !== undefined) {
      this.#behindSnapshot.push(message);
      return;
    }
    if (message.snapshot !== undefined) {
      this.#install(message, message.snapshot.metadata);
      return;
    }
    const hardState = message.hardState ?? this.#hardStateWaiting;
    if (message.entries.length === 0 && message.responses.length === 0) {
      // Nobody waits for it: a commit index is found again after a crash (Raft section 5.4.2), and what a new term
      // promises comes with a response.
      this.#hardStateWaiting = hardState;
      return;
    }
    this.#hardStateWaiting = undefined;
    this.#write({ hardState, entries: message.entries }, () => {
      this.#stable.append(message.entries);
      this.#respond(message.responses);
    });
  }

  /** Runs `done`, then a turn, once the batch is durable. */
  #write(batch: Parameters<LogWriter["append"]>[0], done: () => void): void {
    this.#writer.append(batch, () => {
      if (this.#isStopped) return;
      try {
        this.#durableCommit = Math.max(this.#durableCommit, batch.hardState?.commit ?? 0);
        done();
      } catch (error) {
        this.#fail(error);
        return;
      }
      this.turn();
    });
  }

  /** The snapshot first, then what the same message asks to be written, then what has come since. */
  #install(message: Message, metadata: SnapshotMetadata): void {
    this.#behindSnapshot = [];
    const installing =
      this.#applying === undefined ? this.#sink.install(metadata) : this.#installLater(metadata);
    installing.then(
      () => {
        if (this.#isStopped) return;
        try {
          this.#stable.reset(metadata.index, metadata.term);
          this.#durableCommit = Math.max(this.#durableCommit, metadata.index);
          const behind = this.#behindSnapshot ?? [];
          this.#behindSnapshot = undefined;
          this.#persist({ ...message, snapshot: undefined });
          for (const next of behind) this.#persist(next);
          if (this.#isChangeUnsure()) this.#awaitCommit();
          else this.#release();
          this.turn();
        } catch (error) {
          this.#fail(error);
        }
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** What was handed out to be applied belongs to the state before the snapshot. */
  async #installLater(metadata: SnapshotMetadata): Promise<void> {
    await this.settled();
    if (!this.#isStopped) await this.#sink.install(metadata);
  }

  /** What waited for the write: answers to this member itself, and to others. */
  #respond(responses: readonly Message[]): void {
    let outgoing: Message[] | undefined;
    for (const response of responses) {
      if (response.to === this.#memberId) this.#raw.step(response);
      else if (outgoing === undefined) outgoing = [response];
      else outgoing.push(response);
    }
    if (outgoing !== undefined) this.#sink.send(outgoing);
  }

  /** In strides of what is kept, so that cutting costs little per entry. */
  #cutLog(applied: number): void {
    const kept = this.#entriesKept();
    const held = applied - this.#stable.firstIndex();
    if (held <= 2 * kept || held <= CUT_ENTRIES_MIN) return;
    this.#stable.compact(this.#holds.droppable(applied - kept));
  }
}

/** Few, so that entries of a lone member die before the garbage collector has copied them twice. */
const CUT_ENTRIES_MIN = 100;
