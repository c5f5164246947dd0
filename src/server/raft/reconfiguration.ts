import {
  asV2,
  type ConfChange,
  type ConfChangeV2,
  entersJoint,
  leavesByItself,
  leavesJoint,
} from "./conf-change.ts";
import { describeConfig, hex } from "./description.ts";
import { Changer } from "./membership.ts";
import { broadcastAppend, maybeSendAppend } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import type { RaftState } from "./state.ts";
import type { Membership } from "./tracker.ts";
import { NONE, role } from "./types.ts";

/** Installs an applied membership change (raft-core-spec section 8). AssertionError: it does not fit. */
export function applyConfChange(raft: RaftState, change: ConfChange | ConfChangeV2): void {
  const changer = new Changer(raft.tracker.membership, raft.log.lastIndex(), raft.settings);
  const v2 = asV2(change);
  let membership: Membership;
  if (leavesJoint(v2)) membership = changer.leaveJoint();
  else if (entersJoint(v2)) membership = changer.enterJoint(leavesByItself(v2), v2.changes);
  else membership = changer.simple(v2.changes);
  switchMembership(raft, membership);
}

/** Installs a membership and does what follows from it (raft-core-spec 10.9). */
export function switchMembership(raft: RaftState, membership: Membership): void {
  const { tracker, settings } = raft;
  tracker.install(membership);
  raft.logger.info(() => `${hex(raft.id)} switched to configuration ${describeConfig(tracker.config)}`);
  if (raft.role !== role.leader) return;
  const own = tracker.get(raft.id);
  if (own === undefined || own.isLearner) {
    // The others elect a leader when this one falls silent; until then it may finish what it has begun.
    if (settings.stepDownOnRemoval) becomeFollower(raft, raft.term, NONE);
    return;
  }
  if (raft.maybeCommit()) {
    // A smaller quorum may have what the larger one had not.
    broadcastAppend(raft);
  } else {
    for (const peer of tracker.peers) if (peer.id !== raft.id) maybeSendAppend(raft, peer, false);
  }
  if (raft.leadTransferee !== NONE && !tracker.isVoter(raft.leadTransferee)) raft.leadTransferee = NONE;
}
