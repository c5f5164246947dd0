import type { Clock } from "../../lib/clock.ts";
import { RequestError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import {
  type ConfChange,
  decodeConfChange,
  type Entry,
  entryType,
  type SnapshotMetadata,
} from "../raft/index.ts";
import {
  type CommandId,
  decodeCommand,
  decodeMemberChange,
  type ProposedCommand,
  type StateMachine,
} from "../state/index.ts";
import type { NodeObserver } from "./types.ts";

/** What the applier needs of the member, and tells it. */
export interface ApplierSink {
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
  readonly #slowMs: number;
  readonly #observer: NodeObserver | undefined;
  readonly #sink: ApplierSink;
  #index: number;
  #term: number;
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

  apply(entries: readonly Entry[]): void {
    let nowMs = this.#clock.nowMs();
    this.#state.lessor.observe(nowMs);
    for (const entry of entries) {
      nowMs = this.#applyEntry(entry, nowMs);
      this.#index = entry.index;
      this.#term = entry.term;
    }
  }

  /** The state is that of a snapshot now. */
  restored({ index, term }: SnapshotMetadata): void {
    this.#index = index;
    this.#term = term;
  }

  /** Begun at `startMs`; answers when it ended, which is when the next one begins. */
  #applyEntry(entry: Entry, startMs: number): number {
    if (entry.type === entryType.confChange) {
      this.#applyConfChange(decodeConfChange(entry.data));
      return this.#clock.nowMs();
    }
    if (entry.data.length === 0) {
      this.#sink.emptyEntry(entry);
      return this.#clock.nowMs();
    }
    const proposed = decodeCommand(entry.data);
    const succeeded = this.#applyCommand(proposed);
    const endMs = this.#clock.nowMs();
    const { kind } = proposed.command;
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

  /** False: the state refused the command. */
  #applyCommand({ id, command }: ProposedCommand): boolean {
    const isOurs = this.#isOurs(id);
    let answer: unknown;
    try {
      answer = this.#state.apply(command);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (isOurs) this.#sink.reject(id.sequence, error);
      return false;
    }
    if (command.kind === "leaseRevoke") this.#sink.leaseRevoked(command.request.id);
    else if (command.kind === "leaseGrant") this.#sink.leaseGranted(command.ttl);
    if (isOurs) this.#sink.resolve(id.sequence, answer);
    return true;
  }

  #isOurs(id: CommandId): boolean {
    return id.runId === this.#run.runId && id.proposer === this.#run.proposer;
  }
}
