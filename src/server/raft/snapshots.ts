import { describeConfState, hex } from "./description.ts";
import { restoreMembership } from "./membership.ts";
import { switchMembership } from "./reconfiguration.ts";
import type { RaftState } from "./state.ts";
import { type Message, messageType, type Snapshot } from "./types.ts";

/** Snapshots that reach a follower (raft-core-spec 10.6 and 10.7). */

export function handleSnapshot(raft: RaftState, message: Message): void {
  const { snapshot, from } = message;
  const { log, logger } = raft;
  if (snapshot === undefined) return;
  const { index, term } = snapshot.metadata;
  const isRestored = restore(raft, snapshot);
  logger.info(
    () =>
      `${hex(raft.id)} [commit: ${log.committed}] ${isRestored ? "restored" : "ignored"} snapshot [index: ${index}, term: ${term}]`,
  );
  raft.send({ type: messageType.appResp, to: from, index: isRestored ? log.lastIndex() : log.committed });
}

/** Puts the snapshot in place of a follower's log. False: it is not needed, or not for this member. */
function restore(raft: RaftState, snapshot: Snapshot): boolean {
  const { log, logger } = raft;
  const { index, term, confState } = snapshot.metadata;
  if (index <= log.committed) return false;
  const { voters, learners, votersOutgoing } = confState;
  if (![...voters, ...learners, ...votersOutgoing].includes(raft.id)) {
    logger.warn(
      () =>
        `${hex(raft.id)} attempted to restore snapshot but it is not in the ConfState ${describeConfState(confState)}; should never happen`,
    );
    return false;
  }
  const at = (): string =>
    `${hex(raft.id)} [commit: ${log.committed}, lastindex: ${log.lastIndex()}, lastterm: ${log.lastTerm()}]`;
  if (log.matchTerm(index, term)) {
    // The log holds all of it: only the commit index is news.
    logger.info(() => `${at()} fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`);
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  switchMembership(raft, restoreMembership(confState, log.lastIndex(), raft.settings));
  logger.info(() => `${at()} restored snapshot [index: ${index}, term: ${term}]`);
  return true;
}
