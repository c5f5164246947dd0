import assert from "node:assert/strict";
import { MemberChanges } from "../../../../src/server/node/member-changes.ts";
import { type ConfChangeType, confChangeType, type RaftStatus } from "../../../../src/server/raft/index.ts";
import { encodeMemberChange, type MemberChange } from "../../../../src/server/state/index.ts";
import { createState } from "../../../sim/member.ts";

const { addNode, addLearnerNode, removeNode, updateNode } = confChangeType;
const nobody = { proposer: 0n, runId: 0, sequence: 0 };
const SELF = 1n;
const HOUR_MS = 3_600_000;

interface Member {
  readonly id: bigint;
  readonly isLearner?: boolean;
  readonly isStarted?: boolean;
  /** Milliseconds; undefined: not connected. */
  readonly connectedForMs?: number | undefined;
  readonly match?: number;
}

function setUp(members: readonly Member[], options: { isStrict?: boolean; leads?: boolean } = {}) {
  const { membership } = createState();
  const put = (type: ConfChangeType, id: bigint, change: Omit<MemberChange, "id">): void =>
    membership.applyConfChange({ type, nodeId: id, context: encodeMemberChange({ ...change, id: nobody }) });
  for (const { id, isLearner, isStarted = true } of members) {
    const change = { peerUrls: [`http://m${id}:2380`], isPromotion: false, learnersMax: 0 };
    put(isLearner ? addLearnerNode : addNode, id, change);
    if (isStarted) membership.setAttributes(id, `m${id}`, []);
  }
  const proposed: [ConfChangeType, bigint][] = [];
  const changes = new MemberChanges({
    memberId: SELF,
    membership,
    isStrict: options.isStrict ?? true,
    learnersMax: 1,
    newMemberId: () => 99n,
    connectedForMs: (id) => members.find((member) => member.id === id)?.connectedForMs,
    raftStatus: () =>
      ({
        peers: options.leads === false ? [] : members.map(({ id, match = 1_000 }) => ({ id, match })),
      }) as unknown as RaftStatus,
    propose: async (type, id, change) => {
      proposed.push([type, id]);
      put(type, id, change);
      return membership.list();
    },
  });
  return { changes, proposed, membership };
}

const up = (id: bigint, rest: Partial<Member> = {}): Member => ({ id, connectedForMs: HOUR_MS, ...rest });
const three = [up(1n), up(2n), up(3n)];

describe("Changes of members", () => {
  it("go through the log and answer with the members as they are then", async () => {
    const { changes, proposed } = setUp(three);
    const { member, members } = await changes.add(["http://b:1", "http://a:1"], false);
    assert.deepEqual(member, {
      id: 99n,
      name: "",
      peerUrls: ["http://a:1", "http://b:1"],
      clientUrls: [],
      isLearner: false,
    });
    assert.equal(members.length, 4);
    assert.deepEqual(await changes.update(2n, ["http://new:1"]), await changes.update(2n, ["http://new:1"]));
    assert.deepEqual(
      proposed.map(([type]) => type),
      [addNode, updateNode, updateNode],
    );
  });

  it("do not trouble the log with what the state refuses", async () => {
    const { changes, proposed } = setUp(three);
    await assert.rejects(changes.add(["http://m2:2380"], false), /Peer URLs already exists/);
    await assert.rejects(changes.remove(7n), /member not found/);
    await assert.rejects(changes.update(7n, []), /member not found/);
    await assert.rejects(changes.promote(7n), /member not found/);
    await assert.rejects(changes.promote(2n), /can only promote a learner member/);
    assert.deepEqual(proposed, []);
  });

  it("let a lone member take a second one, and a pair no third before both have started", async () => {
    await setUp([up(1n)]).changes.add(["http://x:1"], false);
    const pair = setUp([up(1n), up(2n, { isStarted: false })]);
    await assert.rejects(pair.changes.add(["http://x:1"], false), /not enough started members/);
  });

  it("wait for a healthy quorum before they raise it, unless told not to", async () => {
    const shaky = [up(1n), up(2n, { connectedForMs: 4_999 }), up(3n, { connectedForMs: undefined })];
    await assert.rejects(setUp(shaky).changes.add(["http://x:1"], false), /unhealthy cluster/);
    await assert.rejects(setUp(shaky).changes.add(["http://x:1"], true), /unhealthy cluster/);
    await setUp(shaky, { isStrict: false }).changes.add(["http://x:1"], false);
  });

  it("remove a member that is down, and none whose going costs the quorum", async () => {
    const oneDown = [up(1n), up(2n), up(3n, { connectedForMs: undefined })];
    const removal = setUp(oneDown);
    await removal.changes.remove(3n);
    assert.deepEqual(removal.proposed, [[removeNode, 3n]]);
    await assert.rejects(setUp(oneDown).changes.remove(2n), /unhealthy cluster/);
    await assert.rejects(setUp([up(1n)]).changes.remove(1n), /not enough started members/);
    const unstarted = [up(1n), up(2n, { isStarted: false })];
    await assert.rejects(setUp(unstarted).changes.remove(1n), /not enough started members/);
    const learner = setUp([up(1n), up(2n, { isLearner: true, connectedForMs: undefined })]);
    await learner.changes.remove(2n);
  });

  it("promote a learner that has nine tenths of the log, on the leader alone", async () => {
    const withLearner = (match: number): Member[] => [...three, up(4n, { isLearner: true, match })];
    await assert.rejects(setUp(withLearner(899)).changes.promote(4n), /in sync with leader/);
    const ready = setUp(withLearner(900));
    const members = await ready.changes.promote(4n);
    assert.equal(members.find(({ id }) => id === 4n)?.isLearner, false);
    await assert.rejects(setUp(withLearner(900), { leads: false }).changes.promote(4n), /not leader/);
  });

  it("take no more learners than learnersMax", async () => {
    const { changes } = setUp([...three, up(4n, { isLearner: true })]);
    await assert.rejects(changes.add(["http://x:1"], true), /too many learner members/);
  });
});
