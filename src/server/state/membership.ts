import type { Member } from "../../codec/index.ts";
import { type ConfChange, confChangeType } from "../raft/index.ts";

/** The members and their attributes, as the applied log says; the same on every member. */
export class Membership {
  readonly #members = new Map<bigint, Member>();

  /** In order of id. */
  list(): Member[] {
    return [...this.#members.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
  }

  get(id: bigint): Member | undefined {
    return this.#members.get(id);
  }

  /** Applies a membership change of the log; its context holds the peer URLs. */
  applyConfChange(change: ConfChange): void {
    if (change.type === confChangeType.removeNode) {
      this.#members.delete(change.nodeId);
      return;
    }
    const known = this.#members.get(change.nodeId);
    this.#members.set(change.nodeId, {
      id: change.nodeId,
      name: known?.name ?? "",
      clientUrls: known?.clientUrls ?? [],
      peerUrls: decodePeerUrls(change.context),
      isLearner: change.type === confChangeType.addLearnerNode,
    });
  }

  /** A member has told its name and where clients reach it; of a member that is gone it is ignored. */
  setAttributes(id: bigint, name: string, clientUrls: readonly string[]): void {
    const member = this.#members.get(id);
    if (member !== undefined) this.#members.set(id, { ...member, name, clientUrls: [...clientUrls] });
  }

  restore(members: readonly Member[]): void {
    this.#members.clear();
    for (const member of members) this.#members.set(member.id, member);
  }
}

/** URLs hold no line breaks, so one stands between them. */
export function encodePeerUrls(peerUrls: readonly string[]): Uint8Array {
  return Buffer.from(peerUrls.join("\n"), "utf8");
}

export function decodePeerUrls(context: Uint8Array): string[] {
  return context.length === 0 ? [] : Buffer.from(context).toString("utf8").split("\n");
}
