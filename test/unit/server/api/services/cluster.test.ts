import assert from "node:assert/strict";
import { decodeMemberListResponse, encodeMemberListRequest } from "../../../../../src/codec/index.ts";
import { RequestError } from "../../../../../src/lib/errors.ts";
import { FakeApi } from "../fake-call.ts";
import { FakeNode } from "../fake-node.ts";

const PATH = "/etcdserverpb.Cluster/MemberList";

describe("Cluster service", () => {
  it("lists the members by id, with a header that has no revision", async () => {
    const node = new FakeNode();
    const answer = decodeMemberListResponse(
      await new FakeApi(node).call(PATH, encodeMemberListRequest({ linearizable: false })),
    );
    assert.deepEqual(
      answer.members.map((member) => member.id),
      [2n, 9n, node.memberId],
    );
    assert.deepEqual(answer.header, {
      clusterId: node.clusterId,
      memberId: node.memberId,
      revision: 0,
      raftTerm: 3,
    });
    assert.equal(node.barriers, 0);
  });

  it("reads after a barrier when it is asked to be linearizable", async () => {
    const node = new FakeNode();
    const api = new FakeApi(node);
    await api.call(PATH, encodeMemberListRequest({ linearizable: true }));
    assert.equal(node.barriers, 1);
    node.barrierError = new RequestError("leaderChanged");
    await api.rejects(PATH, encodeMemberListRequest({ linearizable: true }), "leaderChanged");
  });
});
