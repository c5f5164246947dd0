import { AssertionError } from "../../lib/assert.ts";
import { type RaftConfig, type RaftSettings, resolveConfig } from "./config.ts";
import { describeMessageType } from "./description.ts";
import { RaftLog } from "./log.ts";
import { type MessageFields, makeMessage } from "./messages.ts";
import type { RaftLogger } from "./raft-logger.ts";
import { ReadRounds } from "./read-rounds.ts";
import { Tracker } from "./tracker.ts";
import {
  type HardState,
  type Message,
  type MessageType,
  messageType,
  NONE,
  type ReadState,
  type Role,
  role,
} from "./types.ts";

/** Answers that speak of what must be durable first. */
function waitsForStorage(type: MessageType): boolean {
  return type === messageType.appResp || type === messageType.voteResp || type === messageType.preVoteResp;
}

/** Election messages carry the term they are about, which need not be the sender's. */
function carriesOwnTerm(type: MessageType): boolean {
  return (
    type === messageType.vote ||
    type === messageType.preVote ||
    type === messageType.voteResp ||
    type === messageType.preVoteResp
  );
}

/** Requests that a member passes on for another have no term: they are not about one. */
function hasNoTerm(type: MessageType): boolean {
  return type === messageType.prop || type === messageType.readIndex;
}

/** As assert, where the text is not to be made for every message. */
function fail(text: string): never {
  throw new AssertionError(text);
}

/** All that one member's consensus consists of. The files beside this one are the rules that change it. */
export class RaftState {
  readonly settings: RaftSettings;
  readonly id: bigint;
  readonly logger: RaftLogger;
  readonly log: RaftLog;
  readonly tracker = new Tracker();
  term = 0;
  vote = NONE;
  leader = NONE;
  role: Role = role.follower;

  /** Messages that may go out at once. */
  messages: Message[] = [];
  /** Messages that wait for the next write to be durable; addressed to this member itself too. */
  messagesAfterAppend: Message[] = [];
  readStates: ReadState[] = [];

  electionElapsed = 0;
  heartbeatElapsed = 0;
  randomizedElectionTimeout = 0;

  /** Whom this leader is handing over to. */
  leadTransferee = NONE;
  /** Index of the last membership change in the log, or later; another is refused until it is applied. */
  pendingConfIndex = 0;
  /** Of the proposals not applied yet. */
  uncommittedBytes = 0;
  reads: ReadRounds;
  /** Reads that wait for the first commit of this leader's term. */
  pendingReads: Message[] = [];
  /** Entries were appended whose own acknowledgement goes out with the next Ready (coalesceAppends). */
  isSelfAckDue = false;
  /** Peers have yet to be told of entries or of a commit index, with the next Ready (coalesceAppends). */
  isBroadcastDue = false;

  constructor(config: RaftConfig) {
    this.settings = resolveConfig(config);
    this.id = this.settings.id;
    this.logger = this.settings.logger;
    this.log = new RaftLog(this.settings.stableLog, this.settings.applyBytesMax, this.logger);
    this.reads = new ReadRounds(this.settings.readOnly);
  }

  hardState(): HardState {
    return { term: this.term, vote: this.vote, commit: this.log.committed };
  }

  /** Puts a message where it waits for what it needs; sender and term are filled in (raft-core-spec 9.1). */
  send(fields: MessageFields): void {
    const message: { -readonly [K in keyof Message]: Message[K] } = makeMessage(fields);
    const { type, term } = message;
    if (message.from === NONE) message.from = this.id;
    if (carriesOwnTerm(type)) {
      if (term === 0) fail(`term should be set when sending ${describeMessageType(type)}`);
    } else {
      if (term !== 0) fail(`term should not be set when sending ${describeMessageType(type)} (was ${term})`);
      if (!hasNoTerm(type)) message.term = this.term;
    }
    if (waitsForStorage(type)) {
      this.messagesAfterAppend.push(message);
    } else {
      if (message.to === this.id) {
        fail(`message should not be self-addressed when sending ${describeMessageType(type)}`);
      }
      this.messages.push(message);
    }
  }

  /** A voter whose state is its own: not while a snapshot is being installed. */
  isPromotable(): boolean {
    const own = this.tracker.get(this.id);
    return own !== undefined && !own.isLearner && this.log.unstable.snapshot === undefined;
  }

  /** Moves the commit index to what the quorum has. */
  maybeCommit(): boolean {
    return this.log.maybeCommit(this.term, this.tracker.committed());
  }

  /** Whether this leader knows all that is committed: an entry of its own term is (raft-core-spec 10.3). */
  hasCommittedInTerm(): boolean {
    return this.log.matchTerm(this.log.committed, this.term);
  }
}
