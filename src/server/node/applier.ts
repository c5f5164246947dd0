import type { Clock } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Eventual } from "../../lib/eventual.ts";
import type { Log } from "../../lib/log.ts";
import { areKeysNow } from "../mvcc/index.ts";
import {
  type ConfChange,
  decodeConfChange,
  type Entry,
  entryType,
  type SnapshotMetadata,
} from "../raft/index.ts";
import {
  type Command,
  type CommandId,
  decodeCommand,
  decodeMemberChange,
  type StateMachine,
  sequenceReader,
} from "../state/index.ts";
import type { EngineLoader, Want } from "../storage/index.ts";
import type { NodeObserver } from "./types.ts";

/** What the applier needs of the member, and tells it. */
export interface ApplierSink {
  /** The command of the proposal of this run with that sequence number, where it is still at hand. */
  command(sequence: number): Command | undefined;
  /** The proposal of this run with that sequence number was answered by the log. */
  resolve(sequence: number, answer: unknown): void;
  reject(sequence: number, error: Error): void;
  /** Installs the change in raft; with node id 0 when the state refused it. */
  confChange(change: ConfChange): void;
  /** The members are others than before. */
  membersChanged(): void;
  /** An entry without content: the first of a term (or a membership change that raft refused). */
  emptyEntry(entry: Entry): void;
  leaseGranted(ttlSeconds: number): void;
  leaseRevoked(id: bigint): void;
  /** Where the state loads: some of the entries have been applied, and the state stands behind them. */
  applied(): void;
}

/**
 * Applies committed entries to the state, in order, each once, and answers the proposals of this run. A refusal by
 * the state is an answer; anything else that is thrown must end the member, for it would let members diverge.
 */
export class Applier {
  readonly #state: StateMachine;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #run: Omit<CommandId, "sequence">;
  /** The sequence number of an entry that this run has proposed; 0 for any other. */
  readonly #ownSequence: (entry: Uint8Array) => number;
  readonly #slowMs: number;
  readonly #observer: NodeObserver | undefined;
  readonly #sink: ApplierSink;
  #index: number;
  #term: number;
  #isStopped = false;
  /** For metrics. */
  slowTotal = 0;

  constructor(options: {
    readonly state: StateMachine;
    readonly clock: Clock;
    readonly log: Log;
    /** Tells the commands of this run from those of others, whose waiters are not here. */
    readonly run: Omit<CommandId, "sequence">;
    readonly slowMs: number;
    readonly observer: NodeObserver | undefined;
    /** Where the state stands. */
    readonly position: { readonly index: number; readonly term: number };
    readonly sink: ApplierSink;
  }) {
    this.#state = options.state;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#run = options.run;
    this.#ownSequence = sequenceReader(options.run);
    this.#slowMs = options.slowMs;
    this.#observer = options.observer;
    this.#index = options.position.index;
    this.#term = options.position.term;
    this.#sink = options.sink;
  }

  /** Of the last entry applied. */
  get index(): number {
    return this.#index;
  }

  get term(): number {
    return this.#term;
  }

  /** A promise where the state has to load what the commands touch; the next call waits for it. */
  apply(entries: readonly Entry[]): Eventual<void> {
    const { loader } = this.#state;
    if (loader !== undefined) return this.#applyLoaded(loader, entries);
    this.#applyNow(entries, undefined);
  }

  /** `commands`: those of the entries where they have been decoded, in step with them. */
  #applyNow(entries: readonly Entry[], commands: readonly (Command | undefined)[] | undefined): void {
    let nowMs = this.#clock.nowMs();
    this.#state.lessor.observe(nowMs);
    for (const [i, entry] of entries.entries()) {
      nowMs = this.#applyEntry(entry, commands?.[i], nowMs);
      this.#index = entry.index;
      this.#term = entry.term;
    }
  }

  /**
   * Commands that touch single keys are loaded for and applied together. One that reads ranges is alone: what it will
   * find depends on those before it.
   */
  async #applyLoaded(loader: EngineLoader, entries: readonly Entry[]): Promise<void> {
    for (let at = 0; at < entries.length && !this.#isStopped; ) {
      const commands: (Command | undefined)[] = [];
      const wants: Want[] = [];
      const from = at;
      for (; at < entries.length; at++) {
        const command = this.#commandOf(entries[at] as Entry);
        const touched = command === undefined ? [] : this.#state.wants(command);
        const isAlone = !areKeysNow(touched);
        if (isAlone && at > from) break;
        commands.push(command);
        for (const want of touched) wants.push(want);
        if (isAlone) {
          at++;
          break;
        }
      }
      if (wants.length > 0) {
        const startMs = this.#clock.nowMs();
        await loader.load(wants);
        this.#observer?.loaded(this.#clock.nowMs() - startMs);
      }
      if (this.#isStopped) return;
      this.#applyNow(entries.slice(from, at), commands);
      this.#sink.applied();
    }
  }

  /** Nothing is applied any more. */
  stop(): void {
    this.#isStopped = true;
  }

  /** The state is that of a snapshot now. */
  restored({ index, term }: SnapshotMetadata): void {
    this.#index = index;
    this.#term = term;
  }

  /** Begun at `startMs`; answers when it ended, which is when the next one begins. */
  #applyEntry(entry: Entry, decoded: Command | undefined, startMs: number): number {
    if (entry.type === entryType.confChange) {
      this.#applyConfChange(decodeConfChange(entry.data));
      return this.#clock.nowMs();
    }
    const command = decoded ?? this.#commandOf(entry);
    if (command === undefined) {
      this.#sink.emptyEntry(entry);
      return this.#clock.nowMs();
    }
    const succeeded = this.#applyCommand(command, this.#ownSequence(entry.data));
    const endMs = this.#clock.nowMs();
    const { kind } = command;
    this.#observer?.applied(kind, succeeded, endMs - startMs);
    if (endMs - startMs > this.#slowMs) {
      this.slowTotal++;
      this.#log.warn("apply request took too long", { kind, index: entry.index, tookMs: endMs - startMs });
    }
    return endMs;
  }

  #applyConfChange(change: ConfChange): void {
    const { id } = decodeMemberChange(change.context);
    try {
      this.#state.applyConfChange(change);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#sink.confChange({ ...change, nodeId: 0n });
      if (this.#isOurs(id)) this.#sink.reject(id.sequence, error);
      return;
    }
    this.#sink.confChange(change);
    this.#sink.membersChanged();
    if (this.#isOurs(id)) this.#sink.resolve(id.sequence, this.#state.membership.list());
  }

  /** The command of an entry, if it holds one. One that this member has proposed need not be decoded again. */
  #commandOf({ type, data }: Entry): Command | undefined {
    if (type === entryType.confChange || data.length === 0) return undefined;
    const sequence = this.#ownSequence(data);
    return (sequence > 0 ? this.#sink.command(sequence) : undefined) ?? decodeCommand(data).command;
  }

  /** False: the state refused the command. `sequence`: 0 when it is not of this run. */
  #applyCommand(command: Command, sequence: number): boolean {
    let answer: unknown;
    try {
      answer = this.#state.apply(command);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (sequence > 0) this.#sink.reject(sequence, error);
      return false;
    }
    if (command.kind === "leaseRevoke") this.#sink.leaseRevoked(command.request.id);
    else if (command.kind === "leaseGrant") this.#sink.leaseGranted(command.ttl);
    if (sequence > 0) this.#sink.resolve(sequence, answer);
    return true;
  }

  #isOurs(id: CommandId): boolean {
    return id.runId === this.#run.runId && id.proposer === this.#run.proposer;
  }
}
