import assert from "node:assert/strict";
import { type ConfChangeType, confChangeType } from "../../../../src/server/raft/index.ts";
import { encodeMemberChange, type MemberChange } from "../../../../src/server/state/member-change.ts";
import { Membership } from "../../../../src/server/state/membership.ts";

const { addNode, addLearnerNode, removeNode, updateNode } = confChangeType;

function change(type: ConfChangeType, nodeId: bigint, details: Partial<MemberChange> = {}) {
  const context = encodeMemberChange({
    id: { proposer: 0n, runId: 0, sequence: 0 },
    peerUrls: [],
    isPromotion: false,
    learnersMax: 0,
    ...details,
  });
  return { type, nodeId, context };
}

function membership(): Membership {
  const members = new Membership();
  members.applyConfChange(change(addNode, 9n, { peerUrls: ["http://nine:2380"] }));
  members.applyConfChange(change(addLearnerNode, 3n, { peerUrls: ["http://three:2380"] }));
  return members;
}

const refused = (members: Membership, applied: ReturnType<typeof change>, code: string): void => {
  const before = members.state();
  assert.throws(() => members.applyConfChange(applied), { code });
  assert.deepEqual(members.state(), before);
};

describe("Membership", () => {
  it("lists members in order of id and tells learners from voters", () => {
    assert.deepEqual(
      membership()
        .list()
        .map((member) => [member.id, member.isLearner, member.peerUrls]),
      [
        [3n, true, ["http://three:2380"]],
        [9n, false, ["http://nine:2380"]],
      ],
    );
  });

  it("never takes an id back that was removed", () => {
    const members = membership();
    members.applyConfChange(change(removeNode, 3n));
    assert.ok(members.isRemoved(3n));
    refused(members, change(addNode, 3n, { peerUrls: ["http://new:2380"] }), "memberNotFound");
    refused(members, change(removeNode, 3n), "memberNotFound");
  });

  it("refuses a member that is there, a peer URL in use, and changes of nobody", () => {
    const members = membership();
    refused(members, change(addNode, 9n, { peerUrls: ["http://new:2380"] }), "memberExists");
    refused(members, change(addNode, 5n, { peerUrls: ["http://x:1", "http://nine:2380"] }), "peerUrlExists");
    refused(members, change(updateNode, 3n, { peerUrls: ["http://nine:2380"] }), "peerUrlExists");
    refused(members, change(updateNode, 5n, { peerUrls: ["http://x:1"] }), "memberNotFound");
    refused(members, change(removeNode, 5n), "memberNotFound");
    refused(members, change(addNode, 5n, { isPromotion: true }), "memberNotFound");
  });

  it("promotes a learner with its URLs and attributes, and nobody else", () => {
    const members = membership();
    members.setAttributes(3n, "three", ["http://three:2379"]);
    members.applyConfChange(change(addNode, 3n, { isPromotion: true }));
    assert.deepEqual(members.get(3n), {
      id: 3n,
      name: "three",
      clientUrls: ["http://three:2379"],
      peerUrls: ["http://three:2380"],
      isLearner: false,
    });
    refused(members, change(addNode, 3n, { isPromotion: true }), "memberNotLearner");
  });

  it("lets a member keep its own URL in an update", () => {
    const members = membership();
    members.applyConfChange(change(updateNode, 3n, { peerUrls: ["http://three:2380", "http://three:2381"] }));
    assert.deepEqual(members.get(3n)?.peerUrls, ["http://three:2380", "http://three:2381"]);
  });

  it("takes no more learners than the change allows", () => {
    const members = membership();
    refused(
      members,
      change(addLearnerNode, 4n, { peerUrls: ["http://four:2380"], learnersMax: 1 }),
      "learnerTooMany",
    );
    members.applyConfChange(change(addLearnerNode, 4n, { peerUrls: ["http://four:2380"], learnersMax: 2 }));
    assert.equal(members.list().length, 3);
  });

  it("is restored with those that were removed", () => {
    const members = membership();
    members.applyConfChange(change(removeNode, 3n));
    const copy = new Membership();
    copy.restore(members.state());
    assert.deepEqual(copy.state(), members.state());
  });
});
