import { describeRole, hex } from "./description.ts";
import { receiveVote } from "./election.ts";
import { followLeader } from "./follower.ts";
import { becomeFollower } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { type Message, messageType, role } from "./types.ts";

/** Messages to a candidate or pre-candidate (raft-core-spec 10.4). False: a proposal was dropped. */
export function stepCandidate(raft: RaftState, message: Message): boolean {
  const { logger } = raft;
  const answerType = raft.role === role.preCandidate ? messageType.preVoteResp : messageType.voteResp;
  switch (message.type) {
    case messageType.prop:
      logger.info(() => `${hex(raft.id)} no leader at term ${raft.term}; dropping proposal`);
      return false;
    case messageType.app:
    case messageType.heartbeat:
    case messageType.snap:
      // Somebody else leads this term.
      becomeFollower(raft, message.term, message.from);
      followLeader(raft, message);
      return true;
    case answerType:
      receiveVote(raft, message);
      return true;
    case messageType.timeoutNow:
      logger.debug(
        () =>
          `${hex(raft.id)} [term ${raft.term} state ${describeRole(raft.role)}] ignored MsgTimeoutNow from ${hex(message.from)}`,
      );
      return true;
    default:
      return true;
  }
}
