import type { Fs } from "../../src/lib/fs.ts";
import type { Lessor } from "../../src/server/lease/index.ts";
import type { CommitListener } from "../../src/server/mvcc/index.ts";
import type { NodeOptions, PeerNetwork, ServerNode } from "../../src/server/node/index.ts";
import type { StateMachine } from "../../src/server/state/index.ts";

export type MemberLog = NodeOptions["wal"];

/** The member as clients of the simulation use it. */
export type ClientSide = Pick<
  ServerNode,
  | "propose"
  | "readBarrier"
  | "kv"
  | "watchHub"
  | "leaseGrant"
  | "leaseRenew"
  | "memberAdd"
  | "memberRemove"
  | "memberPromote"
  | "moveLeader"
  | "memberId"
  | "leaderId"
  | "members"
>;

/**
 * Where a planted bug gets between the parts of a member: each takes a production object and gives one that does
 * wrong. What the world observes is what the members then do, so the observers sit outside of these.
 */
export interface Seams {
  readonly fs?: (fs: Fs) => Fs;
  readonly log?: (log: MemberLog) => MemberLog;
  readonly recovered?: (recovered: NodeOptions["recovered"]) => NodeOptions["recovered"];
  readonly network?: (network: PeerNetwork, memberId: bigint) => PeerNetwork;
  readonly lessor?: (lessor: Lessor) => Lessor;
  readonly state?: (state: StateMachine) => void;
  readonly notify?: (notify: CommitListener, compactRevision: () => number) => CommitListener;
  readonly client?: (node: ClientSide) => ClientSide;
}
