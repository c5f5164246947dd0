import assert from "node:assert/strict";
import { Inflights } from "../../../../src/server/raft/inflights.ts";
import { Progress, progressState } from "../../../../src/server/raft/progress.ts";

function progress(fields: Partial<Progress> = {}, inflightMax = 3): Progress {
  return Object.assign(new Progress(2n, 6, new Inflights(inflightMax, Number.POSITIVE_INFINITY)), {
    match: 3,
    ...fields,
  });
}

describe("The progress of a peer", () => {
  it("begins a probe behind what the peer is known to have, or behind the snapshot it was sent", () => {
    const behind = progress({ state: progressState.replicate, sentCommit: 5 });
    behind.becomeProbe();
    assert.deepEqual([behind.state, behind.next, behind.sentCommit], ["probe", 4, 3]);
    const sent = progress();
    sent.becomeSnapshot(10);
    assert.deepEqual([sent.pendingSnapshot, sent.next, sent.sentCommit, sent.isPaused], [10, 11, 10, true]);
    sent.becomeProbe();
    assert.deepEqual([sent.next, sent.pendingSnapshot, sent.isPaused], [11, 0, false]);
  });

  it("replicates from what the peer is known to have, with nothing in flight", () => {
    const peer = progress({ isFlowPaused: true });
    peer.inflights.add(5, 1);
    peer.becomeReplicate();
    assert.deepEqual([peer.next, peer.inflightCount, peer.isPaused], [4, 0, false]);
  });

  it("sends ahead while it replicates, until the window is full", () => {
    const peer = progress({}, 2);
    peer.becomeReplicate();
    peer.sentEntries(3, 30);
    assert.deepEqual([peer.next, peer.isPaused], [7, false]);
    peer.sentEntries(0, 0);
    assert.deepEqual([peer.next, peer.inflightCount], [7, 1]);
    peer.sentEntries(1, 10);
    assert.deepEqual([peer.next, peer.isPaused, peer.isInflightFull], [8, true, true]);
  });

  it("waits for an answer to a probe with entries, not to one without, and sends nothing beside a snapshot", () => {
    const peer = progress();
    peer.sentEntries(0, 0);
    assert.equal(peer.isPaused, false);
    peer.sentEntries(1, 10);
    assert.deepEqual([peer.isPaused, peer.next], [true, 6]);
    peer.becomeSnapshot(10);
    assert.throws(() => peer.sentEntries(1, 10), /StateSnapshot/);
  });

  it("learns what the peer has, and forgets none of it", () => {
    const peer = progress({ isFlowPaused: true });
    assert.equal(peer.maybeUpdate(3), false);
    assert.equal(peer.isPaused, true);
    assert.equal(peer.maybeUpdate(4), true);
    assert.deepEqual([peer.match, peer.next, peer.isPaused], [4, 6, false]);
    assert.equal(peer.maybeUpdate(9), true);
    assert.deepEqual([peer.match, peer.next], [9, 10]);
  });

  it("goes back on a refusal, which a later answer may have overtaken", () => {
    const replicating = progress({ state: progressState.replicate, next: 9, sentCommit: 8 });
    assert.equal(replicating.maybeDecreaseTo(3, 3), false, "known to match");
    assert.equal(replicating.maybeDecreaseTo(5, 0), true);
    assert.deepEqual([replicating.next, replicating.sentCommit], [4, 3]);

    const probing = progress({ next: 10, sentCommit: 9, isFlowPaused: true });
    assert.equal(probing.maybeDecreaseTo(8, 7), false, "an answer to an earlier probe");
    assert.equal(probing.isPaused, true);
    assert.equal(probing.maybeDecreaseTo(9, 6), true);
    assert.deepEqual([probing.next, probing.sentCommit, probing.isPaused], [7, 6, false]);
    assert.equal(probing.maybeDecreaseTo(6, 20), true);
    assert.equal(probing.next, 6, "never forward");
    assert.equal(probing.maybeDecreaseTo(5, 0), true);
    assert.equal(probing.next, 4, "never before what is known to match");
  });

  it("knows whether a commit index would tell the peer something it can use", () => {
    const peer = progress({ next: 6, sentCommit: 4 });
    assert.deepEqual(
      [peer.canBumpCommit(4), peer.canBumpCommit(5), peer.canBumpCommit(9)],
      [false, true, true],
    );
    peer.sentCommit = 5;
    assert.equal(peer.canBumpCommit(9), false, "the peer does not have entry 6");
  });

  it("is copied with its window shared and all else its own", () => {
    const peer = progress({ isLearner: true, isRecentlyActive: true, sentCommit: 2, isFlowPaused: true });
    const copy = peer.clone();
    assert.deepEqual({ ...copy }, { ...peer });
    copy.match = 9;
    assert.equal(peer.match, 3);
    assert.equal(copy.inflights, peer.inflights);
  });

  it("starts over for a new leader", () => {
    const peer = progress({ isRecentlyActive: true, isLearner: true, sentCommit: 4 });
    peer.becomeReplicate();
    peer.sentEntries(1, 1);
    peer.reset(0, 8);
    assert.deepEqual(
      [peer.match, peer.next, peer.sentCommit, peer.state, peer.isRecentlyActive, peer.isLearner],
      [0, 8, 0, "probe", false, true],
    );
    assert.equal(peer.inflightCount, 0);
  });
});
