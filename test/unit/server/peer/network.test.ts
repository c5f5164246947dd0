import { setTimeout as delay } from "node:timers/promises";
import type { PeerNetwork } from "../../../../src/server/node/index.ts";
import { describePeerNetwork } from "../../../suites/peer-network-suite.ts";
import { PeerWorld, type TestMember, until } from "./peer-world.ts";

describePeerNetwork("The network over sockets", async () => {
  const world = new PeerWorld();
  const members = new Map<bigint, TestMember>();
  return {
    async create(id): Promise<PeerNetwork> {
      const member = await world.member(id);
      members.set(id, member);
      return member.network;
    },
    peer(id) {
      const member = members.get(id);
      if (member === undefined) throw new Error(`member ${id} was not created`);
      return { id, peerUrls: [member.url] };
    },
    until,
    pass: async (durationMs) => {
      await delay(durationMs);
    },
    markRemoved(by, id) {
      members.get(by)?.removedIds.add(id);
    },
    // What the system keeps for a connection on this computer, both ends together.
    snapshotBytesAheadMax: 16_777_216,
    close: () => world.close(),
  };
});
