import assert from "node:assert/strict";
import { noPeers } from "../../../../src/server/node/peers.ts";
import { messageType } from "../../../../src/server/raft/index.ts";
import { makeMessage } from "../../../../src/server/raft/messages.ts";

describe("The network of a member that is alone", () => {
  it("reaches nobody, and lets go of what it is given", async () => {
    let closed = 0;
    const state = { chunks: [], close: () => closed++ };
    noPeers.start({} as never);
    noPeers.setPeers([]);
    noPeers.send([]);
    noPeers.sendSnapshot(makeMessage({ type: messageType.snap, to: 2n, from: 1n }), state);
    assert.equal(closed, 1);
    assert.equal(noPeers.connectedSinceMs(2n), undefined);
    await assert.rejects(noPeers.call(2n, "any", Buffer.alloc(0), 1), { code: "timeoutConnectionLost" });
    await noPeers.close();
  });
});
