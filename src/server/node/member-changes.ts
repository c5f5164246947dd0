import type { Member } from "../../codec/index.ts";
import { RequestError } from "../../lib/errors.ts";
import { type ConfChangeType, confChangeType, type RaftStatus } from "../raft/index.ts";
import type { MemberChange, Membership } from "../state/index.ts";

/** How long a connection must have lasted to count as healthy (etcd, HealthInterval). */
const HEALTHY_MS = 5_000;
/** A learner is in sync when it has this share of the leader's log. */
const LEARNER_READY_SHARE = 0.9;

export interface MemberChangesOptions {
  readonly memberId: bigint;
  readonly membership: Membership;
  /** Refuse what would cost the quorum (flag --strict-reconfig-check). */
  readonly isStrict: boolean;
  readonly learnersMax: number;
  /** The id of a member that is added now. */
  readonly newMemberId: (peerUrls: readonly string[]) => bigint;
  /** How long this member has been connected to the other without a break, in milliseconds; undefined: it is not. */
  readonly connectedForMs: (member: bigint) => number | undefined;
  readonly raftStatus: () => RaftStatus;
  /** Puts the change through the log; resolves with the members once it is applied here, rejects as the state refuses. */
  readonly propose: (type: ConfChangeType, id: bigint, change: Omit<MemberChange, "id">) => Promise<Member[]>;
}

/**
 * Changes of the cluster's members, with etcd's checks before the log and the state's checks behind it
 * (semantics-cluster A3 to A6). One change is one entry of the log; raft takes the next when it is applied.
 */
export class MemberChanges {
  readonly #options: MemberChangesOptions;

  constructor(options: MemberChangesOptions) {
    this.#options = options;
  }

  /** Throws what Membership.check throws, memberNotEnoughStarted, unhealthy, and as the log does. */
  async add(peerUrls: readonly string[], isLearner: boolean): Promise<{ member: Member; members: Member[] }> {
    const { newMemberId, learnersMax, membership } = this.#options;
    if (this.#options.isStrict) this.#assertRoom(isLearner);
    const sorted = [...peerUrls].sort();
    const id = newMemberId(sorted);
    const type = isLearner ? confChangeType.addLearnerNode : confChangeType.addNode;
    const members = await this.#change(type, id, { peerUrls: sorted, isPromotion: false, learnersMax });
    const member = members.find((each) => each.id === id) ?? membership.get(id);
    return { member: member ?? { id, name: "", peerUrls: sorted, clientUrls: [], isLearner }, members };
  }

  /** Throws what remove would throw before the log. */
  assertRemovable(id: bigint): void {
    const { membership, isStrict } = this.#options;
    const member = membership.get(id);
    if (isStrict && member?.isLearner === false) this.#assertDispensable(member);
    membership.check(confChangeType.removeNode, id, { ...nothing, id: nobody });
  }

  async remove(id: bigint): Promise<Member[]> {
    this.assertRemovable(id);
    return await this.#change(confChangeType.removeNode, id, nothing);
  }

  async update(id: bigint, peerUrls: readonly string[]): Promise<Member[]> {
    return await this.#change(confChangeType.updateNode, id, { ...nothing, peerUrls: [...peerUrls] });
  }

  /** On the leader, which alone knows how far the learner is. */
  async promote(id: bigint): Promise<Member[]> {
    const { membership, isStrict, raftStatus, memberId } = this.#options;
    const change = { ...nothing, isPromotion: true };
    membership.check(confChangeType.addNode, id, { ...change, id: nobody });
    const { peers } = raftStatus();
    const leader = peers.find((peer) => peer.id === memberId);
    const learner = peers.find((peer) => peer.id === id);
    if (leader === undefined) throw new RequestError("notLeader");
    if (learner === undefined) throw new RequestError("memberNotFound");
    if (learner.match < leader.match * LEARNER_READY_SHARE) throw new RequestError("learnerNotReady");
    if (isStrict) {
      const voters = this.#voters();
      const started = voters.filter(isStarted).length + 1;
      if (started < quorum(voters.length + 1)) throw new RequestError("memberNotEnoughStarted");
    }
    return await this.#change(confChangeType.addNode, id, change);
  }

  /** Asks the state first: what it refuses now need not go through the log. */
  async #change(type: ConfChangeType, id: bigint, change: Omit<MemberChange, "id">): Promise<Member[]> {
    this.#options.membership.check(type, id, { ...change, id: nobody });
    return await this.#options.propose(type, id, change);
  }

  /** A new voter raises the quorum before it can help to reach it. */
  #assertRoom(isLearner: boolean): void {
    const voters = this.#voters();
    const started = voters.filter(isStarted).length;
    const isFirstPair = started === 1 && voters.length === 1;
    if (!isLearner && !isFirstPair && started < quorum(voters.length + 1)) {
      throw new RequestError("memberNotEnoughStarted");
    }
    if (voters.length > 1 && this.#healthy(voters) < quorum(voters.length + 1)) {
      throw new RequestError("unhealthy");
    }
  }

  /** A voter that is down may go; one that is up leaves a quorum of connected ones behind. */
  #assertDispensable(member: Member): void {
    const voters = this.#voters();
    const left = voters.filter(({ id }) => id !== member.id);
    if (left.filter(isStarted).length < quorum(left.length)) throw new RequestError("memberNotEnoughStarted");
    const { memberId, connectedForMs } = this.#options;
    if (member.id !== memberId && connectedForMs(member.id) === undefined) return;
    if (this.#healthy(voters) - 1 < quorum(left.length)) throw new RequestError("unhealthy");
  }

  #voters(): Member[] {
    return this.#options.membership.list().filter(({ isLearner }) => !isLearner);
  }

  #healthy(voters: readonly Member[]): number {
    const { memberId, connectedForMs } = this.#options;
    return voters.filter(({ id }) => id === memberId || (connectedForMs(id) ?? 0) >= HEALTHY_MS).length;
  }
}

const nobody = { proposer: 0n, runId: 0, sequence: 0 };
const nothing: Omit<MemberChange, "id"> = { peerUrls: [], isPromotion: false, learnersMax: 0 };

function quorum(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** A member tells its name when it serves for the first time. */
function isStarted({ name }: Member): boolean {
  return name !== "";
}
