import type { Clock } from "../../lib/clock.ts";
import {
  type Entry,
  type HardState,
  type MemoryLog,
  type Message,
  messageType,
  type RawNode,
  type ReadState,
} from "../raft/index.ts";

/** What the loop needs of the write-ahead log. `done` runs once the batch is durable, in order. */
export interface LogWriter {
  append(
    batch: { readonly hardState: HardState | undefined; readonly entries: readonly Entry[] },
    done: () => void,
  ): void;
}

/** What the loop tells the member. Called synchronously from the loop. */
export interface ConsensusSink {
  /** Committed entries in log order; each exactly once. */
  apply(entries: readonly Entry[]): void;
  confirmed(states: readonly ReadState[]): void;
  leaderChanged(): void;
  /** Called at the start of each turn, so that what has gathered since the last is asked in one go. */
  beforeTurn(): void;
}

/** A turn that has worked this long lets waiting I/O in before it goes on. */
const TURN_BUDGET_MS = 8;
/** Entries applied and kept in memory beyond which the log is cut. One voter has nobody to send them to. */
const LOG_KEEP_ENTRIES = 1_000;

/**
 * The loop around raft: takes each Ready and does the duties that RawNode names. Inputs only mark that there is
 * work; one turn per pass of the event loop does it, so that all that came in together shares one log write.
 */
export class Consensus {
  readonly #raw: RawNode;
  readonly #stable: MemoryLog;
  readonly #writer: LogWriter;
  readonly #clock: Clock;
  readonly #sink: ConsensusSink;
  readonly #onFailure: (error: Error) => void;
  #isWoken = false;
  #isInTurn = false;
  #isStopped = false;
  /** The newest hard state that only moved the commit index: it rides with the next write. */
  #hardStateWaiting: HardState | undefined;

  constructor(options: {
    readonly raw: RawNode;
    readonly stable: MemoryLog;
    readonly writer: LogWriter;
    readonly clock: Clock;
    readonly sink: ConsensusSink;
    /** A duty threw: this member's state can no longer be trusted. The loop has stopped. */
    readonly onFailure: (error: Error) => void;
  }) {
    this.#raw = options.raw;
    this.#stable = options.stable;
    this.#writer = options.writer;
    this.#clock = options.clock;
    this.#sink = options.sink;
    this.#onFailure = options.onFailure;
  }

  tick(): void {
    if (this.#isStopped) return;
    this.#raw.tick();
    if (this.#raw.hasReady()) this.wake();
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
        for (const message of ready.messages) this.#work(message);
        if (ready.readStates.length > 0) this.#sink.confirmed(ready.readStates);
        if (this.#clock.nowMs() >= endMs) {
          if (this.#raw.hasReady()) this.wake();
          break;
        }
      }
    } catch (error) {
      this.#isStopped = true;
      this.#onFailure(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#isInTurn = false;
    }
  }

  #work(message: Message): void {
    switch (message.type) {
      case messageType.storageAppend:
        this.#persist(message);
        return;
      case messageType.storageApply:
        this.#sink.apply(message.entries);
        for (const response of message.responses) this.#raw.step(response);
        this.#cutLog(message.entries[message.entries.length - 1]!.index);
        return;
      default:
        throw new Error(`raft message ${message.type} has nowhere to go: this member has no peers`);
    }
  }

  #persist(message: Message): void {
    const hardState = message.hardState ?? this.#hardStateWaiting;
    if (message.entries.length === 0 && message.responses.length === 0) {
      // A commit index alone is not worth a sync: after a crash it is found again (Raft section 5.4.2).
      this.#hardStateWaiting = hardState;
      return;
    }
    this.#hardStateWaiting = undefined;
    this.#writer.append({ hardState, entries: message.entries }, () => {
      if (this.#isStopped) return;
      this.#stable.append(message.entries);
      for (const response of message.responses) this.#raw.step(response);
      this.turn();
    });
  }

  #cutLog(applied: number): void {
    if (applied - this.#stable.firstIndex() > LOG_KEEP_ENTRIES) this.#stable.compact(applied);
  }
}
