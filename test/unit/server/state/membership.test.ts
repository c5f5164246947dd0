import assert from "node:assert/strict";
import { confChangeType } from "../../../../src/server/raft/index.ts";
import { decodePeerUrls, encodePeerUrls, Membership } from "../../../../src/server/state/membership.ts";

describe("Membership", () => {
  it("lists members in order of id and tells learners from voters", () => {
    const members = new Membership();
    const context = encodePeerUrls(["http://x:2380"]);
    members.applyConfChange({ type: confChangeType.addNode, nodeId: 9n, context });
    members.applyConfChange({ type: confChangeType.addLearnerNode, nodeId: 3n, context });
    assert.deepEqual(
      members.list().map((member) => [member.id, member.isLearner]),
      [
        [3n, true],
        [9n, false],
      ],
    );
  });

  it("carries peer URLs through a membership change unharmed", () => {
    for (const urls of [[], ["http://a:1"], ["http://a:1", "https://ü:2"]]) {
      assert.deepEqual(decodePeerUrls(encodePeerUrls(urls)), urls);
    }
  });

  it("is restored from what it listed", () => {
    const members = new Membership();
    members.applyConfChange({
      type: confChangeType.addNode,
      nodeId: 1n,
      context: encodePeerUrls(["http://a"]),
    });
    const copy = new Membership();
    copy.restore(members.list());
    assert.deepEqual(copy.list(), members.list());
  });
});
