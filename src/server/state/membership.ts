import type { Member } from "../../codec/index.ts";
import { RequestError } from "../../lib/errors.ts";
import { type ConfChange, confChangeType } from "../raft/index.ts";
import { decodeMemberChange, type MemberChange } from "./member-change.ts";

/** Members and the ids of those that were removed: what a snapshot says of the membership. */
export interface MembershipState {
  readonly members: readonly Member[];
  readonly removed: readonly bigint[];
}

/** The members and their attributes, as the applied log says; the same on every member. */
export class Membership {
  readonly #members = new Map<bigint, Member>();
  /** An id never comes back: messages of the member that had it may still be under way. */
  readonly #removed = new Set<bigint>();

  get size(): number {
    return this.#members.size;
  }

  /** In order of id. */
  list(): Member[] {
    return [...this.#members.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  get(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  isRemoved(id: bigint): boolean {
    return this.#removed.has(id);
  }

  /**
   * Applies a membership change of the log. Throws RequestError when the members at this point of the log forbid it
   * (semantics-cluster A3 to A6): memberNotFound, memberExists, memberNotLearner, peerUrlExists, learnerTooMany. The
   * same answer on every member; raft is then to be told that nothing changes.
   */
  applyConfChange(change: ConfChange): void {
    const { nodeId } = change;
    const details = decodeMemberChange(change.context);
    this.check(change.type, nodeId, details);
    const known = this.#members.get(nodeId);
    switch (change.type) {
      case confChangeType.removeNode:
        this.#members.delete(nodeId);
        this.#removed.add(nodeId);
        return;
      case confChangeType.updateNode:
        this.#members.set(nodeId, { ...known!, peerUrls: [...details.peerUrls] });
        return;
      case confChangeType.addNode:
      case confChangeType.addLearnerNode:
        this.#members.set(nodeId, {
          id: nodeId,
          name: known?.name ?? "",
          clientUrls: known?.clientUrls ?? [],
          peerUrls: known?.peerUrls ?? [...details.peerUrls],
          isLearner: change.type === confChangeType.addLearnerNode,
        });
    }
  }

  /** Throws what applying the change now would throw. */
  check(type: ConfChange["type"], id: bigint, { peerUrls, isPromotion, learnersMax }: MemberChange): void {
    const known = this.#members.get(id);
    if (this.#removed.has(id)) throw new RequestError("memberNotFound");
    if (type === confChangeType.removeNode || type === confChangeType.updateNode || isPromotion) {
      if (known === undefined) throw new RequestError("memberNotFound");
    } else if (known !== undefined) {
      throw new RequestError("memberExists");
    }
    if (isPromotion) {
      if (!known!.isLearner) throw new RequestError("memberNotLearner");
      return;
    }
    if (type === confChangeType.removeNode) return;
    for (const other of this.#members.values()) {
      if (other.id !== id && other.peerUrls.some((url) => peerUrls.includes(url))) {
        throw new RequestError("peerUrlExists");
      }
    }
    if (type === confChangeType.addLearnerNode && learnersMax > 0) {
      const learners = [...this.#members.values()].filter(({ isLearner }) => isLearner).length;
      if (learners >= learnersMax) throw new RequestError("learnerTooMany");
    }
  }

  /** A member has told its name and where clients reach it; of a member that is gone it is ignored. */
  setAttributes(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.#members.set(id, { ...member, name, clientUrls: [...clientUrls] });
  }

  state(): MembershipState {
    return {
      members: this.list(),
      removed: [...this.#removed].sort((left, right) => (left < right ? -1 : 1)),
    };
  }

  restore({ members, removed }: MembershipState): void {
    this.#members.clear();
    this.#removed.clear();
    for (const member of members) this.#members.set(member.id, member);
    for (const id of removed) this.#removed.add(id);
  }
}
