import type { ProgressView } from "./progress.ts";
import type { RaftState } from "./state.ts";
import { type ConfState, type HardState, role, type SoftState } from "./types.ts";

/** What a leader knows of one member, itself included. */
export type PeerStatus = ProgressView;

export interface RaftStatus {
  readonly id: bigint;
  readonly hardState: HardState;
  readonly softState: SoftState;
  readonly applied: number;
  /** Whom leadership is being handed to; 0: nobody. */
  readonly leadTransferee: bigint;
  readonly confState: ConfState;
  /** Ascending by id; empty unless this member leads. */
  readonly peers: readonly PeerStatus[];
}

export function statusOf(raft: RaftState): RaftStatus {
  return {
    id: raft.id,
    hardState: raft.hardState(),
    softState: { leader: raft.leader, role: raft.role },
    applied: raft.log.applied,
    leadTransferee: raft.leadTransferee,
    confState: raft.tracker.confState(),
    peers: raft.role === role.leader ? peersOf(raft) : [],
  };
}

function peersOf(raft: RaftState): PeerStatus[] {
  return raft.tracker.peers.map((peer) => ({
    id: peer.id,
    match: peer.match,
    next: peer.next,
    state: peer.state,
    isLearner: peer.isLearner,
    isPaused: peer.isPaused,
    isRecentlyActive: peer.isRecentlyActive,
    pendingSnapshot: peer.pendingSnapshot,
    inflightCount: peer.inflightCount,
    isInflightFull: peer.isInflightFull,
  }));
}
