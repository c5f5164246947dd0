import { assert } from "../../lib/assert.ts";
import { acknowledgeOwn, pushEntry } from "./append.ts";
import { hex } from "./description.ts";
import { ReadRounds } from "./read-rounds.ts";
import type { RaftState } from "./state.ts";
import { entryType, NONE, role } from "./types.ts";

/** The changes of role (raft-core-spec section 9). */

const NO_DATA = new Uint8Array(0);

function reset(raft: RaftState, term: number): void {
  if (raft.term !== term) {
    raft.term = term;
    raft.vote = NONE;
  }
  raft.leader = NONE;
  raft.electionElapsed = 0;
  raft.heartbeatElapsed = 0;
  const { electionTicks, prng, readOnly } = raft.settings;
  raft.randomizedElectionTimeout = electionTicks + prng.below(electionTicks);
  raft.leadTransferee = NONE;
  raft.tracker.resetVotes();
  const last = raft.log.lastIndex();
  for (const peer of raft.tracker.peers) peer.reset(peer.id === raft.id ? last : 0, last + 1);
  raft.pendingConfIndex = 0;
  raft.uncommittedBytes = 0;
  raft.reads = new ReadRounds(readOnly);
  raft.isSelfAckDue = false;
  raft.isBroadcastDue = false;
}

export function becomeFollower(raft: RaftState, term: number, leader: bigint): void {
  reset(raft, term);
  raft.leader = leader;
  raft.role = role.follower;
  raft.logger.info(() => `${hex(raft.id)} became follower at term ${raft.term}`);
}

/** Asks only: term, vote and timers stay as they are. */
export function becomePreCandidate(raft: RaftState): void {
  assert(raft.role !== role.leader, "invalid transition [leader -> pre-candidate]");
  raft.tracker.resetVotes();
  raft.leader = NONE;
  raft.role = role.preCandidate;
  raft.logger.info(() => `${hex(raft.id)} became pre-candidate at term ${raft.term}`);
}

export function becomeCandidate(raft: RaftState): void {
  assert(raft.role !== role.leader, "invalid transition [leader -> candidate]");
  reset(raft, raft.term + 1);
  raft.vote = raft.id;
  raft.role = role.candidate;
  raft.logger.info(() => `${hex(raft.id)} became candidate at term ${raft.term}`);
}

/** The caller broadcasts the first entry of the term. */
export function becomeLeader(raft: RaftState): void {
  assert(raft.role !== role.follower, "invalid transition [follower -> leader]");
  reset(raft, raft.term);
  raft.leader = raft.id;
  raft.role = role.leader;
  const own = raft.tracker.get(raft.id)!;
  own.becomeReplicate();
  own.isRecentlyActive = true;
  // Whatever the tail of the log holds, a new membership change has to wait until it is applied.
  raft.pendingConfIndex = raft.log.lastIndex();
  // The empty entry of the new term carries everything before it to commitment.
  pushEntry(raft, entryType.normal, NO_DATA);
  acknowledgeOwn(raft);
  raft.logger.info(() => `${hex(raft.id)} became leader at term ${raft.term}`);
}
