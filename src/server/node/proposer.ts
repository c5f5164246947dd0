import type { Member } from "../../codec/index.ts";
import { RequestError } from "../../lib/errors.ts";
import { limits } from "../../lib/limits.ts";
import type { Pending } from "../../lib/pending.ts";
import type { ConfChangeType, RawNode } from "../raft/index.ts";
import {
  type Command,
  type CommandId,
  encodeCommand,
  encodeMemberChange,
  type MemberChange,
} from "../state/index.ts";
import type { Proposals } from "./proposals.ts";

/** Room in a command around the request that it carries: its id and kind. */
const COMMAND_OVERHEAD_BYTES = 64;

export interface ProposerOptions {
  readonly raw: Pick<
    RawNode,
    "isLeader" | "leader" | "committed" | "propose" | "proposeConfChange" | "status"
  >;
  readonly proposals: Proposals;
  /** Tells the commands of this run of this member from those of others. */
  readonly run: Omit<CommandId, "sequence">;
  readonly requestSizeBytesMax: number;
  readonly appliedIndex: () => number;
  /** There is something for raft to do. */
  readonly wake: () => void;
  /** This member answers nothing any more. */
  readonly isEnded: () => boolean;
}

/** The way of this member's commands and membership changes into the log. */
export class Proposer {
  readonly #options: ProposerOptions;

  constructor(options: ProposerOptions) {
    this.#options = options;
  }

  /**
   * The state's answer to the command, or its refusal, or when the outcome is unknown a time-out. `isForLeaderOnly`: it
   * must not reach the log through another member. Throws stopped, requestTooLarge, notLeader and tooManyRequests.
   */
  ask(command: Command, isForLeaderOnly: boolean): Pending<unknown> {
    const { raw, proposals, run, requestSizeBytesMax, appliedIndex, wake, isEnded } = this.#options;
    if (isEnded()) throw new RequestError("stopped");
    const sequence = proposals.nextSequence();
    const data = encodeCommand({ proposer: run.proposer, runId: run.runId, sequence }, command);
    if (data.length > requestSizeBytesMax + COMMAND_OVERHEAD_BYTES) {
      throw new RequestError("requestTooLarge");
    }
    proposals.admit(data.length);
    // A follower would send it on, to a leader that knows better.
    if (isForLeaderOnly && !raw.isLeader) throw new RequestError("notLeader");
    const isBehind = raw.committed - appliedIndex() > limits.applyLagEntriesMax;
    const isLeaderless = raw.leader === 0n || proposals.hasLeaderless;
    if (isBehind || isLeaderless || !raw.propose(data)) {
      if (isBehind || isForLeaderOnly || !this.#isLeaderAwaited()) {
        proposals.failedTotal++;
        throw new RequestError("tooManyRequests");
      }
      proposals.keep(sequence, data);
    }
    const answer = proposals.wait(sequence, data.length, isOfClient(command) ? command : undefined);
    wake();
    return answer;
  }

  /** The same as a promise, which all of it rejects. */
  propose(command: Command, isForLeaderOnly: boolean): Promise<unknown> {
    try {
      return this.ask(command, isForLeaderOnly).promise();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Resolves with the members after the change. Rejects with stopped, noLeader, the state's refusal, a time-out. */
  proposeChange(type: ConfChangeType, id: bigint, change: Omit<MemberChange, "id">): Promise<Member[]> {
    const { raw, proposals, run, wake, isEnded } = this.#options;
    if (isEnded()) return Promise.reject(new RequestError("stopped"));
    const sequence = proposals.nextSequence();
    const context = encodeMemberChange({ ...change, id: { ...run, sequence } });
    if (!raw.proposeConfChange({ type, nodeId: id, context })) {
      return Promise.reject(new RequestError("noLeader"));
    }
    const answer = proposals.wait(sequence, context.length);
    wake();
    return answer.promise() as Promise<Member[]>;
  }

  /** Gives raft what waits for a leader, where there is one. */
  offerKept(): void {
    const { raw, proposals } = this.#options;
    if (!proposals.hasLeaderless || raw.leader === 0n) return;
    proposals.offer((data) => raw.propose(data));
  }

  /** No leader is known, or this one hands over: commands wait for the next. */
  #isLeaderAwaited(): boolean {
    const { raw, proposals } = this.#options;
    return proposals.hasLeaderless || raw.leader === 0n || raw.status().leadTransferee !== 0n;
  }
}

/** What a client has asked for, as it was decoded: nothing here changes it. */
function isOfClient({ kind }: Command): boolean {
  return kind === "put" || kind === "deleteRange" || kind === "txn";
}
