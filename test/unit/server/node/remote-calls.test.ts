import assert from "node:assert/strict";
import { fromUtf8 } from "../../../../src/lib/bytes.ts";
import { RequestError } from "../../../../src/lib/errors.ts";
import { noPeers } from "../../../../src/server/node/peers.ts";
import { answerCall, type LeaderWork, RemoteLeader } from "../../../../src/server/node/remote-calls.ts";

const timeToLive = { header: undefined, id: -5n, ttl: 7, grantedTtl: 10, keys: [fromUtf8("k")] };
const member = { id: 2n ** 64n - 1n, name: "m", peerUrls: ["http://p"], clientUrls: [], isLearner: false };

function setUp(work: Partial<LeaderWork>) {
  const network = {
    ...noPeers,
    call: (_peer: bigint, method: string, body: Uint8Array) => answerCall(work as LeaderWork, method, body),
  };
  return new RemoteLeader(network, 1_000);
}

describe("The leader's work over the network", () => {
  it("is answered as the leader answers it", async () => {
    const remote = setUp({
      leaseRenew: async (id) => (id === -5n ? 30 : 0),
      leaseTimeToLive: async (id, keys) => (id === -5n && keys ? timeToLive : { ...timeToLive, ttl: -1 }),
      memberPromote: async (id) => (id === member.id ? [member] : []),
    });
    assert.equal(await remote.leaseRenew(1n, -5n), 30);
    assert.deepEqual(await remote.leaseTimeToLive(1n, -5n, true), timeToLive);
    assert.deepEqual(await remote.memberPromote(1n, member.id), [member]);
  });

  it("is to step back, when it is to be removed", async () => {
    let resigned = 0;
    await setUp({
      leaderResign: async () => {
        resigned++;
      },
    }).leaderResign(1n);
    assert.equal(resigned, 1);
  });

  it("is refused as the leader refuses it", async () => {
    const remote = setUp({ leaseRenew: () => Promise.reject(new RequestError("notLeader")) });
    await assert.rejects(remote.leaseRenew(1n, 1n), { code: "notLeader" });
  });

  it("is no more than members ask each other for", async () => {
    await assert.rejects(answerCall({} as LeaderWork, "shutdown", Buffer.alloc(0)), /do not ask each other/);
  });
});
