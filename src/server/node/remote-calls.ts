import {
  decodeLeaseKeepAliveRequest,
  decodeLeaseKeepAliveResponse,
  decodeLeaseTimeToLiveRequest,
  decodeLeaseTimeToLiveResponse,
  decodeMembersResponse,
  encodeLeaseKeepAliveRequest,
  encodeLeaseKeepAliveResponse,
  encodeLeaseTimeToLiveRequest,
  encodeLeaseTimeToLiveResponse,
  encodeMembersResponse,
  type LeaseTimeToLiveResponse,
  type Member,
} from "../../codec/index.ts";
import { DecodeError } from "../../lib/errors.ts";
import type { PeerNetwork } from "./peers.ts";

/** What only the leader can answer, and other members ask it for. */
export interface LeaderWork {
  leaseRenew(id: bigint): Promise<number>;
  leaseTimeToLive(id: bigint, keys: boolean): Promise<LeaseTimeToLiveResponse>;
  memberPromote(id: bigint): Promise<Member[]>;
  /** Hands leadership to somebody else. */
  leaderResign(): Promise<void>;
}

const methods = {
  leaseRenew: "lease-renew",
  leaseTimeToLive: "lease-time-to-live",
  memberPromote: "member-promote",
  leaderResign: "leader-resign",
} as const;

/** The leader's work done by another member, over the network. Rejections are the leader's RequestErrors. */
export class RemoteLeader {
  readonly #network: PeerNetwork;
  readonly #timeoutMs: number;

  constructor(network: PeerNetwork, timeoutMs: number) {
    this.#network = network;
    this.#timeoutMs = timeoutMs;
  }

  async leaseRenew(leader: bigint, id: bigint): Promise<number> {
    const bytes = await this.#call(leader, methods.leaseRenew, encodeLeaseKeepAliveRequest({ id }));
    return decodeLeaseKeepAliveResponse(bytes).ttl;
  }

  async leaseTimeToLive(leader: bigint, id: bigint, keys: boolean): Promise<LeaseTimeToLiveResponse> {
    const request = encodeLeaseTimeToLiveRequest({ id, keys });
    return decodeLeaseTimeToLiveResponse(await this.#call(leader, methods.leaseTimeToLive, request));
  }

  async memberPromote(leader: bigint, id: bigint): Promise<Member[]> {
    const request = encodeLeaseKeepAliveRequest({ id: BigInt.asIntN(64, id) });
    return [...decodeMembersResponse(await this.#call(leader, methods.memberPromote, request)).members];
  }

  async leaderResign(leader: bigint): Promise<void> {
    await this.#call(leader, methods.leaderResign, new Uint8Array(0));
  }

  #call(leader: bigint, method: string, body: Uint8Array): Promise<Uint8Array> {
    return this.#network.call(leader, method, body, this.#timeoutMs);
  }
}

/** Answers what another member asks of this one. Throws DecodeError for what nobody asks. */
export async function answerCall(work: LeaderWork, method: string, body: Uint8Array): Promise<Uint8Array> {
  switch (method) {
    case methods.leaseRenew: {
      const { id } = decodeLeaseKeepAliveRequest(body);
      return encodeLeaseKeepAliveResponse({ header: undefined, id, ttl: await work.leaseRenew(id) });
    }
    case methods.leaseTimeToLive: {
      const { id, keys } = decodeLeaseTimeToLiveRequest(body);
      return encodeLeaseTimeToLiveResponse(await work.leaseTimeToLive(id, keys));
    }
    case methods.memberPromote: {
      const { id } = decodeLeaseKeepAliveRequest(body);
      return encodeMembersResponse({
        header: undefined,
        members: await work.memberPromote(BigInt.asUintN(64, id)),
      });
    }
    case methods.leaderResign:
      await work.leaderResign();
      return new Uint8Array(0);
    default:
      throw new DecodeError(`members do not ask each other for ${method}`);
  }
}
