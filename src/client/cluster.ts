import type { Member } from "../codec/index.ts";
import { type Header, toHeader } from "./key-value.ts";
import { methods } from "./methods.ts";
import type { CallOptions } from "./options.ts";
import type { UnaryCaller } from "./unary-caller.ts";

/** All members as they are after a call. */
export interface MemberList {
  readonly header: Header;
  /** In order of id. */
  readonly members: readonly Member[];
}

export interface AddedMember extends MemberList {
  /** The new one: without a name and client URLs until it is started. */
  readonly member: Member;
}

/** Membership. Every method throws MetaStoreError. */
export class ClusterClient {
  readonly #caller: UnaryCaller;

  constructor(caller: UnaryCaller) {
    this.#caller = caller;
  }

  /** @param options.serializable answers from the asked member's own state, which needs no leader */
  async memberList(
    options: CallOptions & { readonly serializable?: boolean } = {},
  ): Promise<{ readonly header: Header; readonly members: readonly Member[] }> {
    const request = { linearizable: options.serializable !== true };
    return toMemberList(await this.#caller.call(methods.memberList, request, options));
  }

  /**
   * Lets a member in, which is then to be started with --join or --initial-cluster-state=existing. A voter counts
   * for the quorum from now on, started or not; a learner does not.
   *
   * @param peerUrls where the other members will find it, such as http://10.0.0.4:2380
   */
  async memberAdd(
    peerUrls: readonly string[],
    options: CallOptions & { readonly learner?: boolean } = {},
  ): Promise<AddedMember> {
    const request = { peerUrls: [...peerUrls], isLearner: options.learner === true };
    const response = await this.#caller.call(methods.memberAdd, request, options);
    const member = response.member ?? {
      id: 0n,
      name: "",
      peerUrls: request.peerUrls,
      clientUrls: [],
      isLearner: request.isLearner,
    };
    return { ...toMemberList(response), member };
  }

  /** Removes a member for good: it stops, and its id never comes back. */
  async memberRemove(id: bigint, options: CallOptions = {}): Promise<MemberList> {
    return toMemberList(await this.#caller.call(methods.memberRemove, { id }, options));
  }

  /** Gives a member other peer URLs in place of those it has. */
  async memberUpdate(
    id: bigint,
    peerUrls: readonly string[],
    options: CallOptions = {},
  ): Promise<MemberList> {
    const request = { id, peerUrls: [...peerUrls] };
    return toMemberList(await this.#caller.call(methods.memberUpdate, request, options));
  }

  /** Makes a learner that has caught up a voter. */
  async memberPromote(id: bigint, options: CallOptions = {}): Promise<MemberList> {
    return toMemberList(await this.#caller.call(methods.memberPromote, { id }, options));
  }
}

function toMemberList(response: {
  readonly header: Parameters<typeof toHeader>[0];
  readonly members: readonly Member[];
}): MemberList {
  return { header: toHeader(response.header), members: response.members };
}
