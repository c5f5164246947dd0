import assert from "node:assert/strict";
import { RequestError } from "../../../../src/lib/errors.ts";
import { limits } from "../../../../src/lib/limits.ts";
import { Proposals } from "../../../../src/server/node/proposals.ts";
import { Proposer } from "../../../../src/server/node/proposer.ts";
import { type ConfChange, confChangeType } from "../../../../src/server/raft/index.ts";
import { type Command, decodeCommand, decodeMemberChange } from "../../../../src/server/state/index.ts";
import { SimClock } from "../../../sim/clock.ts";

const revoke: Command = { kind: "leaseRevoke", request: { id: 5n } };
const run = { proposer: 1n, runId: 7 };
const requestSizeBytesMax = 1_000;
const promotion = { peerUrls: [], isPromotion: true, learnersMax: 1 };

function setUp() {
  const taken: Uint8Array[] = [];
  const changes: ConfChange[] = [];
  const raw = {
    isLeader: true,
    leader: 1n,
    committed: 0,
    isOpen: true,
    leadTransferee: 0n,
    propose(data: Uint8Array): boolean {
      if (this.isOpen) taken.push(data);
      return this.isOpen;
    },
    proposeConfChange(change: ConfChange): boolean {
      if (this.isOpen) changes.push(change);
      return this.isOpen;
    },
    status() {
      return { leadTransferee: this.leadTransferee };
    },
  };
  const proposals = new Proposals(new SimClock(), {
    timeoutMs: 7_000,
    countMax: limits.proposalsInFlightMax,
    sizeBytesMax: limits.proposalBytesInFlightMax,
  });
  const state = { isEnded: false, wakes: 0 };
  const proposer = new Proposer({
    raw: raw as never,
    proposals,
    run,
    requestSizeBytesMax,
    appliedIndex: () => 0,
    wake: () => {
      state.wakes++;
    },
    isEnded: () => state.isEnded,
  });
  return { raw, taken, changes, proposals, proposer, state };
}

const refusal = (code: string) => (error: unknown) => error instanceof RequestError && error.code === code;

describe("Proposer", () => {
  it("gives raft a command of this run, wakes the loop, and answers what the state answers", async () => {
    const { taken, proposals, proposer, state } = setUp();
    const answer = proposer.propose(revoke, false);
    const { id, command } = decodeCommand(taken[0]!);
    assert.deepEqual(id, { ...run, sequence: 1 });
    assert.deepEqual(command, revoke);
    assert.equal(state.wakes, 1);
    proposals.resolve(id.sequence, "answer");
    assert.equal(await answer, "answer");
  });

  it("refuses a command that is larger than a request may be", async () => {
    const { taken, proposals, proposer } = setUp();
    const command: Command = { kind: "leaseFloat", ids: Array(requestSizeBytesMax).fill(0x7fff_ffffn) };
    await assert.rejects(proposer.propose(command, false), refusal("requestTooLarge"));
    assert.deepEqual([taken.length, proposals.pending], [0, 0]);
  });

  it("keeps commands while there is no leader, in order, and offers them to the next", () => {
    const { raw, taken, proposals, proposer } = setUp();
    raw.leader = 0n;
    void proposer.propose(revoke, false);
    raw.leader = 2n;
    // It must not overtake the one that waits.
    void proposer.propose(revoke, false);
    assert.deepEqual([taken.length, proposals.pending], [0, 2]);
    proposer.offerKept();
    assert.deepEqual(
      taken.map((data) => decodeCommand(data).id.sequence),
      [1, 2],
    );
    assert.equal(proposals.hasLeaderless, false);
  });

  it("keeps commands while leadership is handed over, and refuses those that raft has no room for", async () => {
    const { raw, proposals, proposer } = setUp();
    raw.isOpen = false;
    await assert.rejects(proposer.propose(revoke, false), refusal("tooManyRequests"));
    raw.leadTransferee = 2n;
    void proposer.propose(revoke, false);
    assert.deepEqual([proposals.pending, proposals.failedTotal], [1, 1]);
  });

  it("lets no command of the leader alone go through another member, nor wait for one", async () => {
    const { raw, taken, proposals, proposer } = setUp();
    raw.isLeader = false;
    await assert.rejects(proposer.propose(revoke, true), refusal("notLeader"));
    raw.isLeader = true;
    raw.isOpen = false;
    raw.leadTransferee = 2n;
    await assert.rejects(proposer.propose(revoke, true), refusal("tooManyRequests"));
    assert.deepEqual([taken.length, proposals.pending], [0, 0]);
  });

  it("takes nothing while what is committed is too far ahead of what is applied", async () => {
    const { raw, taken, proposer } = setUp();
    raw.committed = limits.applyLagEntriesMax;
    void proposer.propose(revoke, false);
    raw.committed++;
    await assert.rejects(proposer.propose(revoke, false), refusal("tooManyRequests"));
    assert.equal(taken.length, 1);
  });

  it("proposes a membership change under this run's name, where raft takes it", async () => {
    const { raw, changes, proposals, proposer } = setUp();
    const members = [{ id: 9n }];
    const answer = proposer.proposeChange(confChangeType.addNode, 9n, promotion);
    const { id } = decodeMemberChange(changes[0]!.context);
    assert.deepEqual([changes[0]!.nodeId, id], [9n, { ...run, sequence: 1 }]);
    proposals.resolve(id.sequence, members);
    assert.equal(await answer, members);
    raw.isOpen = false;
    const refused = proposer.proposeChange(confChangeType.addNode, 9n, promotion);
    await assert.rejects(refused, refusal("noLeader"));
    assert.equal(proposals.pending, 0);
  });

  it("asked without a promise, throws what it refuses at once and answers within the turn that the state does", () => {
    const { raw, taken, proposals, proposer, state } = setUp();
    const heard: unknown[] = [];
    const listener = {
      answer: (value: unknown) => heard.push(value),
      fail: (error: Error) => heard.push(error),
    };
    proposer.ask(revoke, false).listen(listener);
    proposals.resolve(decodeCommand(taken[0]!).id.sequence, "answer");
    assert.deepEqual(heard, ["answer"]);
    raw.isLeader = false;
    assert.throws(() => proposer.ask(revoke, true), refusal("notLeader"));
    state.isEnded = true;
    assert.throws(() => proposer.ask(revoke, false), refusal("stopped"));
    assert.equal(proposals.pending, 0);
  });

  it("answers stopped once the member has ended", async () => {
    const { taken, changes, proposer, state } = setUp();
    state.isEnded = true;
    await assert.rejects(proposer.propose(revoke, false), refusal("stopped"));
    const change = proposer.proposeChange(confChangeType.addNode, 9n, promotion);
    await assert.rejects(change, refusal("stopped"));
    assert.deepEqual([taken.length, changes.length], [0, 0]);
  });
});
